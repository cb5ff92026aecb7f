#include "common/bytes/number.h"
#include "proxy/backend/backend.h"

/* A server that says one of these cannot serve, whatever it is asked. */
static bool is_unable(struct str line)
{
    static const struct str words[] = {{"-OOM", 4}, {"-BUSY", 5}, {"-LOADING", 8}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_starts(line, words[i]) && line.len > words[i].len &&
            (line.data[words[i].len] == ' ' || line.data[words[i].len] == '\r'))
            return true;
    }
    return false;
}

static enum reply_step take_reply(const struct request *leaf, struct str in, struct reply *reply)
{
    (void)leaf;
    switch (resp_scan_reply(in, &reply->scan)) {
    case PARSE_MORE:
        reply->want = reply->scan.want;
        return REPLY_MORE;
    case PARSE_BAD:
        return REPLY_WRONG;
    case PARSE_DONE:
        break;
    }
    reply->len = reply->scan.used;
    reply->status = in.data[0];
    return is_unable((struct str){in.data, reply->len}) ? REPLY_WRONG : REPLY_WHOLE;
}

static bool write_pair(struct chain *out, struct str command, struct str argument)
{
    char number[RESP_NUMBER_ROOM];

    return chain_copy(out, command) &&
           chain_copy(out, (struct str){number, resp_write_number(number, '$', argument.len)}) &&
           chain_copy(out, argument) && chain_copy(out, STR("\r\n"));
}

/* The password comes first: without it the database is refused. */
static bool greet(struct chain *out, const struct pool_config *config, unsigned *replies)
{
    char digits[NUMBER_TEXT_MAX];
    bool is_good = true;

    *replies = 0;
    if (config->redis_auth != NULL) {
        is_good = write_pair(out, STR("*2\r\n$4\r\nAUTH\r\n"), str_of(config->redis_auth));
        ++*replies;
    }
    if (is_good && config->redis_db != 0) {
        is_good = write_pair(out, STR("*2\r\n$6\r\nSELECT\r\n"),
                             (struct str){digits, number_format(digits, config->redis_db)});
        ++*replies;
    }
    return is_good;
}

const struct backend backend_redis = {
    .take_reply = take_reply, .greet = greet, .probe = {"*1\r\n$4\r\nPING\r\n", 14}};

#include "common/protocol/memcache.h"
#include "proxy/backend/backend.h"

static const struct str last_line = {"END\r\n", 5};

/* All of a reply of one key that begins with a value: the value, and the line END behind it. */
static enum reply_step take_only_value(struct str in, size_t len, struct reply *reply)
{
    reply->want = len + last_line.len;
    if (in.len < reply->want) {
        /* What is there of the ending can be wrong already. */
        if (in.len >= len && !mc_body_ends_well((struct str){in.data, len}))
            return REPLY_WRONG;
        if (in.len > len && !str_starts(last_line, str_skip(in, len)))
            return REPLY_WRONG;
        return REPLY_MORE;
    }
    if (!mc_body_ends_well((struct str){in.data, len}) || !str_starts(str_skip(in, len), last_line))
        return REPLY_WRONG;
    reply->status = MC_STATUS_END;
    reply->len = len + last_line.len;
    return REPLY_WHOLE;
}

/* One of several values, or that of a meta command: nothing need stand behind it. */
static enum reply_step take_part(struct str in, size_t len, enum reply_step step,
                                 struct reply *reply)
{
    reply->want = len;
    if (in.len < len)
        return REPLY_MORE;
    if (!mc_body_ends_well((struct str){in.data, len}))
        return REPLY_WRONG;
    reply->len = len;
    return step;
}

/* A VALUE line, its head parsed. */
static enum reply_step take_value(const struct request *leaf, const struct mc_reply *head,
                                  struct str in, struct reply *reply)
{
    size_t len = head->head_len + head->body_len;

    if (head->has_cas != ((leaf->command->traits & MC_WITH_CAS) != 0))
        return REPLY_WRONG;
    reply->key = head->key;
    if (leaf->ops->value != NULL)
        return take_part(in, len, REPLY_VALUE, reply);
    return str_equal(head->key, leaf->key) ? take_only_value(in, len, reply) : REPLY_WRONG;
}

enum { STATS_MAX = 1 << 20 }; /* bytes of statistics */

/* Lines of statistics up to END, which are one reply; or a single other line. */
static enum reply_step take_statistics(struct str in, struct reply *reply)
{
    size_t *used = &reply->scan.used;

    for (;;) {
        struct str rest = str_skip(in, *used);
        const char *newline = memchr(rest.data, '\n', rest.len);
        struct str line;

        if (newline == NULL)
            return rest.len < MC_LINE_MAX && *used < STATS_MAX ? REPLY_MORE : REPLY_WRONG;
        line = (struct str){rest.data, (size_t)(newline - rest.data) + 1};
        if (line.len < 2 || newline[-1] != '\r')
            return REPLY_WRONG;
        *used += line.len;
        if (str_starts(line, STR("STAT ")))
            continue;
        reply->len = *used;
        reply->status = str_equal(line, last_line) ? MC_STATUS_END : MC_STATUS_ERROR;
        return reply->status == MC_STATUS_END || line.len == reply->len ? REPLY_WHOLE : REPLY_WRONG;
    }
}

static enum reply_step take_reply(const struct request *leaf, struct str in, struct reply *reply)
{
    struct mc_reply head;

    reply->want = 0;
    if ((leaf->command->traits & (MC_RETRIEVES | MC_WITH_CAS)) == MC_RETRIEVES &&
        leaf->ops->value == NULL) {
        size_t len = mc_text_value_len(in, leaf->key);

        if (len != 0)
            return take_only_value(in, len, reply);
    }
    if (leaf->command->id == MC_STATS)
        return take_statistics(in, reply);
    switch (mc_text_parse_reply(in, &head)) {
    case PARSE_MORE:
        return REPLY_MORE;
    case PARSE_BAD:
        return REPLY_WRONG;
    case PARSE_DONE:
        break;
    }
    if (!mc_reply_fits(leaf->command, head.status))
        return REPLY_WRONG;
    reply->status = (int)head.status;
    if (head.status == MC_STATUS_VALUE)
        return take_value(leaf, &head, in, reply);
    if (head.status == MC_STATUS_VA)
        return take_part(in, head.head_len + head.body_len, REPLY_WHOLE, reply);
    reply->len = head.head_len;
    return REPLY_WHOLE;
}

static bool greet(struct chain *out, const struct pool_config *config, unsigned *replies)
{
    (void)out;
    (void)config;
    *replies = 0;
    return true;
}

const struct backend backend_memcache = {
    .take_reply = take_reply, .greet = greet, .probe = {"version\r\n", 9}};

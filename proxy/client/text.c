/*
 * memcached's classic and meta commands.
 */
#include <stdio.h>

#include "common/base/log.h"
#include "common/base/version.h"
#include "common/bytes/number.h"
#include "proxy/client/internal.h"

static void answer_line(struct client *client, struct str text)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "%.*s\r\n", STR_ARG(text));

    client_answer(client, (struct str){line, (size_t)len});
}

static void answer_unless_quiet(struct client *client, const struct mc_request *request,
                                struct str text)
{
    if (!request->noreply)
        answer_line(client, text);
}

/* A line that is no request: answered, and what it announced passed over. */
static void answer_bad(struct client *client, const struct mc_request *request, struct str line)
{
    if (request->error == NULL) {
        if (memmem(line.data, line.len, "HTTP/", 5) != NULL)
            metric_add(&client->context->pool->more.client_http_rejected, 1);
        log_limited(LOG_NOTICE, "pool '%s': closed a client that does not speak memcached",
                    client->context->pool->config->name);
        client_refuse(client);
        return;
    }
    answer_unless_quiet(client, request, str_of(request->error));
    client->swallowed = request->body_len;
}

/* NUL ends a key for some who read it, CR a line; neither goes on to a server. */
static bool has_bad_byte(struct str words)
{
    return str_has_either(words, '\0', '\r');
}

/* What of the line goes on to a server. */
static bool is_clean(const struct mc_request *request)
{
    if (!(request->command->traits & MC_META))
        return !has_bad_byte(request->keys);
    return !has_bad_byte(request->meta.token) && !has_bad_byte(request->rest);
}

static void answer_here(struct client *client, const struct mc_request *request)
{
    switch (request->command->id) {
    case MC_VERSION:
        answer_line(client, STR("VERSION " MEMCACHED_VERSION));
        break;
    case MC_VERBOSITY:
        answer_line(client, STR("OK"));
        break;
    case MC_MN: /* comes when its turn is: when all before it is done */
        answer_line(client, STR("MN"));
        break;
    default:
        answer_line(client, STR("ERROR"));
    }
}

bool client_sums_stats(struct str what)
{
    static const struct str words[] = {{"", 0}, {"settings", 8}, {"items", 5}, {"slabs", 5}};
    struct str word = str_next_word(&what);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_equal(word, words[i]) && str_next_word(&what).len == 0)
            return true;
    }
    return false;
}

/* flush_all [delay] [noreply], as it goes on to all servers. */
static bool is_flush(struct mc_request *request)
{
    struct str rest = request->rest, word = str_next_word(&rest);
    int64_t delay;

    if (word.len != 0 && number_parse_i64(word, &delay))
        word = str_next_word(&rest);
    request->noreply = str_equal(word, STR("noreply"));
    if (request->noreply) {
        request->rest.len = (size_t)(word.data - request->rest.data);
        word = str_next_word(&rest);
    }
    return word.len == 0;
}

/* What concerns all servers; false when it is none of these. */
static bool route_to_all(struct client *client, const struct plan_input *input)
{
    struct mc_request request = *input->text;
    struct plan_input all = *input;
    bool is_good;

    all.text = &request;
    if (request.command->id == MC_STATS && client_sums_stats(request.rest))
        is_good = plan_stats(&all);
    else if (request.command->id == MC_FLUSH_ALL && input->pool->config->allow_flush_all &&
             is_flush(&request))
        is_good = plan_flush(&all);
    else
        return false;
    if (!is_good)
        client_answer_no_memory(client);
    return true;
}

static void route(struct client *client, const struct plan_input *input)
{
    const struct mc_request *request = input->text;

    if (!(request->command->traits & MC_KEYED)) {
        if (!route_to_all(client, input))
            answer_here(client, request);
        return;
    }
    if (!is_clean(request))
        answer_unless_quiet(client, request, STR("CLIENT_ERROR bad command line format"));
    else if (request->body_len != 0 && !mc_body_ends_well(input->body))
        answer_unless_quiet(client, request, STR("CLIENT_ERROR bad data chunk"));
    else if (!(request->key_count == 1 ? plan_text(input) : plan_retrieval(input)))
        client_answer_no_memory(client);
}

/* Flags that are newer than the proxy are the servers' to judge. */
static bool is_meta_of_the_future(const struct mc_request *request)
{
    return request->command != NULL && (request->command->traits & MC_META) &&
           request->meta.is_newer;
}

static size_t text_take(struct client *client, struct str in)
{
    struct mc_request request;
    struct plan_input input;

    switch (mc_text_parse_request(in, &request)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD:
        if (is_meta_of_the_future(&request))
            break;
        answer_bad(client, &request, (struct str){in.data, request.head_len});
        return request.head_len;
    case PARSE_DONE:
        break;
    }
    if (request.body_len > client_request_max(client)) {
        answer_unless_quiet(client, &request, STR("SERVER_ERROR object too large for cache"));
        client->swallowed = request.body_len;
        return request.head_len;
    }
    if (in.len < request.head_len + request.body_len) {
        conn_want(&client->conn, request.head_len + request.body_len);
        return 0;
    }
    if (request.command->id == MC_QUIT) {
        client->is_leaving = true;
        return in.len;
    }
    input = client_plan_input(client, (struct str){in.data + request.head_len, request.body_len});
    input.text = &request;
    route(client, &input);
    return request.head_len + request.body_len;
}

static void text_write_error(struct request *request, const char *text)
{
    char line[160];
    int len = snprintf(line, sizeof(line), "SERVER_ERROR %.120s\r\n", text);

    request_reply(request, (struct str){line, (size_t)len}, NULL);
}

const struct dialect text_dialect = {.take = text_take, .write_error = text_write_error};

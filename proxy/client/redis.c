/*
 * Redis' requests: cut, and let through once the client is known.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "proxy/client/internal.h"

/* What a client may say who has not told the password; the numbers are Redis'. */
static const struct resp_limits unknown_limits = {10, 16384, true};
static const struct resp_limits limits = {RESP_ARGUMENTS_MAX, RESP_BULK_MAX, false};

void redis_answer_error(struct client *client, const char *format, ...)
{
    char line[256] = "-ERR ";
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line + 5, sizeof(line) - 7, format, arguments);
    va_end(arguments);
    len = len > (int)sizeof(line) - 8 ? (int)sizeof(line) - 8 : len;
    for (int i = 5; i < len + 5; i++) { /* what the client said may be quoted, but ends no line */
        if (line[i] == '\r' || line[i] == '\n')
            line[i] = ' ';
    }
    memcpy(line + 5 + len, "\r\n", 2);
    client_answer(client, (struct str){line, (size_t)len + 7});
}

static bool is_way_in(const struct redis_request *request)
{
    return request->command != NULL && (request->command->id == RESP_COMMAND_AUTH ||
                                        request->command->id == RESP_COMMAND_HELLO ||
                                        request->command->id == RESP_COMMAND_QUIT);
}

/* A whole request, in `block`. */
static void run(struct client *client, struct str bytes, uint32_t count, struct block *block)
{
    struct redis_request request = {
        .bytes = bytes, .arguments = resp_arguments(bytes), .count = count};
    struct plan_input input = client_plan_input(client, bytes);
    struct str name = resp_next_argument(&request.arguments);

    input.redis = &request;
    input.block = block;
    request.command = resp_command_find(name);
    if (client_is_stranger(client) && !is_way_in(&request))
        client_answer(client, STR("-NOAUTH Authentication required\r\n"));
    else if (request.command == NULL)
        redis_answer_error(client, "unknown command '%.*s'", (int)(name.len < 64 ? name.len : 64),
                           name.data);
    else
        redis_route(client, &input);
}

/* Nothing behind it can be trusted. */
static size_t answer_bad(struct client *client, struct str in, const char *error)
{
    redis_answer_error(client, "Protocol error: %s", error);
    client->is_leaving = true;
    return in.len;
}

/* A browser was talked into this: what follows is not his to say. */
static bool is_http(struct str line)
{
    const char *newline = memchr(line.data, '\n', line.len);

    if (newline == NULL)
        return false;
    line.len = (size_t)(newline - line.data);
    return memmem(line.data, line.len, "HTTP/", 5) != NULL ||
           (line.len >= 5 &&
            (strncasecmp(line.data, "POST ", 5) == 0 || strncasecmp(line.data, "Host:", 5) == 0));
}

static size_t refuse_http(struct client *client, struct str in)
{
    metric_add(&client->context->pool->more.client_http_rejected, 1);
    log_limited(LOG_NOTICE, "pool '%s': closed a client that does not speak Redis",
                client->context->pool->config->name);
    client_refuse(client);
    return in.len;
}

/* A line of words; it goes on as if it had come as an array. */
static size_t take_inline(struct client *client, struct str in)
{
    struct resp_request_scan scan = {0};
    const char *error = NULL;
    size_t used = 0, len;
    struct block *block;
    char *array;

    if (is_http(in))
        return refuse_http(client, in);
    switch (resp_parse_inline(in, &used, &array, &len, &error)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD:
        return answer_bad(client, in, error != NULL ? error : "out of memory");
    case PARSE_DONE:
        break;
    }
    if (array == NULL)
        return used;
    block = block_copy((struct str){array, len});
    free(array);
    if (block == NULL) {
        client_answer_no_memory(client);
        return used;
    }
    if (resp_scan_request((struct str){block->data, len}, &limits, &scan, &error) == PARSE_DONE)
        run(client, (struct str){block->data, len}, scan.count, block);
    block_release(block);
    return used;
}

static size_t redis_take(struct client *client, struct str in)
{
    struct resp_request_scan *scan = &client->scan;
    const char *error;
    struct str bytes;
    uint32_t count;

    if (in.data[0] != '*')
        return take_inline(client, in);
    switch (resp_scan_request(in, client_is_stranger(client) ? &unknown_limits : &limits, scan,
                              &error)) {
    case PARSE_MORE:
        if (in.len > client_request_max(client) || scan->want > client_request_max(client))
            return answer_bad(client, in, "the request is larger than the proxy may take");
        if (scan->want != 0)
            conn_want(&client->conn, scan->want);
        return 0;
    case PARSE_BAD:
        return answer_bad(client, in, error);
    case PARSE_DONE:
        break;
    }
    bytes = (struct str){in.data, scan->used};
    count = scan->count;
    *scan = (struct resp_request_scan){0};
    if (count != 0)
        run(client, bytes, count, conn_input_block(&client->conn));
    return bytes.len;
}

static void redis_write_error(struct request *request, const char *text)
{
    char line[160];
    int len = snprintf(line, sizeof(line), "-ERR %.120s\r\n", text);

    request_reply(request, (struct str){line, (size_t)len}, NULL);
}

const struct dialect redis_dialect = {.take = redis_take, .write_error = redis_write_error};

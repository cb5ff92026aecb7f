/*
 * From top to bottom: settling, input, ends, coming and going.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "proxy/client.h"
#include "proxy/route.h"

/* A client that has more than this under way is not read from until he has less. */
enum {
    UNREAD_MAX = 1 << 20,        /* bytes of replies that he did not read, or must wait for */
    UNDER_WAY_MAX = 16384,       /* requests */
    UNDER_WAY_LEN_MAX = 16 << 20 /* bytes of requests */
};

struct client {
    struct conn conn;
    struct request_owner owner;
    struct client_context *context;
    struct list link;
    uint64_t number;
    size_t swallowed; /* bytes yet to be passed over */
    bool is_leaving;  /* says no more: closed when all is answered */
    bool is_refused;  /* closed for what he said */
};

/* --- settling --- */

static bool has_too_much(const struct client *client)
{
    const struct request_owner *owner = &client->owner;

    return client->conn.out.len + owner->held_len > UNREAD_MAX || owner->count > UNDER_WAY_MAX ||
           owner->sent_len > UNDER_WAY_LEN_MAX;
}

/* After something was answered, or input was used. */
static void settle(struct client *client)
{
    struct conn *conn = &client->conn;

    if (client->owner.is_broken) {
        client->is_refused = true;
        conn_close(conn);
        return;
    }
    if (conn->out.len != 0)
        conn_flush_later(conn);
    if (client->is_leaving) {
        if (list_is_empty(&client->owner.requests) && !conn->closing)
            conn_close_flushed(conn);
        return;
    }
    if (conn->paused && !has_too_much(client))
        conn_resume(conn);
    else if (!conn->paused && has_too_much(client))
        conn_pause(conn);
}

static void owner_progress(struct request_owner *owner)
{
    settle(container_of(owner, struct client, owner));
}

static void client_drained(struct conn *conn)
{
    settle(container_of(conn, struct client, conn));
}

/* --- input --- */

static void refuse(struct client *client)
{
    client->is_refused = true;
    conn_close(&client->conn);
}

/* A line that is no request: answered, and what it announced passed over. */
static void answer_bad(struct client *client, const struct mc_request *request, struct str line)
{
    if (request->error == NULL) {
        if (memmem(line.data, line.len, "HTTP/", 5) != NULL)
            metric_add(&client->context->pool->more.client_http_rejected, 1);
        log_limited(LOG_NOTICE, "pool '%s': closed a client that does not speak memcached",
                    client->context->pool->config->name);
        refuse(client);
        return;
    }
    if (!request->noreply && !route_answer(&client->owner, str_of(request->error)))
        refuse(client);
    client->swallowed = request->body_len;
}

/* Takes one request from the front of `in`; returns the bytes used, 0: more are needed. */
static size_t take_request(struct client *client, struct str in)
{
    struct mc_request request;
    struct plan_input input;

    switch (mc_text_parse_request(in, &request)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD:
        answer_bad(client, &request, (struct str){in.data, request.head_len});
        return request.head_len;
    case PARSE_DONE:
        break;
    }
    if (in.len < request.head_len + request.body_len) {
        conn_want(&client->conn, request.head_len + request.body_len);
        return 0;
    }
    if (request.command->id == MC_QUIT) {
        client->is_leaving = true;
        return in.len;
    }
    input = (struct plan_input){.pool = client->context->pool,
                                .owner = &client->owner,
                                .owner_number = client->number,
                                .request = &request,
                                .body = {in.data + request.head_len, request.body_len},
                                .block = conn_input_block(&client->conn)};
    if (!route_request(&input) && !route_answer(&client->owner, STR("SERVER_ERROR out of memory")))
        refuse(client);
    return request.head_len + request.body_len;
}

static size_t client_input(struct conn *conn, struct str in)
{
    struct client *client = container_of(conn, struct client, conn);
    size_t used = in.len < client->swallowed ? in.len : client->swallowed;

    client->swallowed -= used;
    while (used < in.len && !client->is_leaving && !conn->dying && !has_too_much(client)) {
        struct str rest = str_skip(in, used);
        size_t len = take_request(client, rest);

        if (len == 0)
            break;
        used += len;
        len = client->swallowed < in.len - used ? client->swallowed : in.len - used;
        client->swallowed -= len;
        used += len;
    }
    settle(client);
    return client->is_leaving || conn->dying ? in.len : used;
}

/* --- ends --- */

/* The client sends no more; what he asked for he still gets. */
static void client_eof(struct conn *conn)
{
    struct client *client = container_of(conn, struct client, conn);

    client->is_leaving = true;
    settle(client);
}

static void client_closed(struct conn *conn)
{
    struct client *client = container_of(conn, struct client, conn);
    struct pool_metrics *metrics = &client->context->pool->metrics;

    request_orphan_all(&client->owner);
    if (conn->end == CONN_END_ERROR || client->is_refused)
        metric_add(&metrics->client_err, 1);
    else
        metric_add(&metrics->client_eof, 1);
    metric_sub(&metrics->client_connections, 1);
    metric_sub(&client->context->connections->curr_connections, 1);
    list_remove(&client->link);
    free(client);
}

/* --- coming and going --- */

static const struct conn_ops client_ops = {
    .input = client_input, .drained = client_drained, .eof = client_eof, .closed = client_closed};

void client_accept(struct client_context *context, int fd)
{
    static const int on = 1;
    struct pool *pool = context->pool;
    uint32_t limit = pool->config->client_connections;
    struct client *client;

    if (limit != 0 && metric_get(&pool->metrics.client_connections) >= limit) {
        log_limited(LOG_NOTICE, "pool '%s' has its %u clients", pool->config->name, limit);
        metric_add(&pool->metrics.client_err, 1);
        close(fd);
        return;
    }
    client = calloc(1, sizeof(*client));
    if (client == NULL) {
        log_limited(LOG_ERROR, "out of memory for a client");
        close(fd);
        return;
    }
    if (pool->config->tcpkeepalive)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    client->context = context;
    client->number = context->next_number++;
    client->owner = (struct request_owner){.out = &client->conn.out,
                                           .records = context->records,
                                           .forward_errors = &pool->metrics.forward_error,
                                           .progress = owner_progress};
    list_init(&client->owner.requests);
    list_append(&context->clients, &client->link);
    metric_add(&pool->metrics.client_connections, 1);
    metric_add(&context->connections->total_connections, 1);
    metric_add(&context->connections->curr_connections, 1);
    conn_open(&client->conn, context->loop, fd, &client_ops);
}

void client_drain_all(struct client_context *context)
{
    LIST_EACH (&context->clients, each, after)
        client_eof(&container_of(each, struct client, link)->conn);
}

void client_close_all(struct client_context *context)
{
    LIST_EACH (&context->clients, each, after)
        conn_end(&container_of(each, struct client, link)->conn);
}

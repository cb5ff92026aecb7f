/*
 * From top to bottom: settling, answers, input, ends, coming and going.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "proxy/client/internal.h"

/* A client that has more than this under way is not read from until he has less. */
enum {
    UNREAD_MAX = 1 << 20,         /* bytes of replies that he did not read, or must wait for */
    UNDER_WAY_MAX = 16384,        /* requests */
    UNDER_WAY_LEN_MAX = 16 << 20, /* bytes of requests */
    HOARD_MIN = 256 << 10,        /* this much unread is much */
    UNKNOWN_UNREAD_MAX = 16 << 10 /* bytes of replies; who has not told the password is closed */
};

/* --- settling --- */

static size_t unread(const struct client *client)
{
    return client->conn.out.len + client->owner.held_len;
}

/* When memory is half used up, nobody is read from who has anything unread. */
static bool has_too_much(const struct client *client)
{
    const struct request_owner *owner = &client->owner;

    return unread(client) > UNREAD_MAX || owner->count > UNDER_WAY_MAX ||
           owner->sent_len > UNDER_WAY_LEN_MAX ||
           (unread(client) != 0 && block_bytes() > *client->context->memory_max / 2);
}

/* When all of it is used up, those have to go who leave much unread. */
static bool is_unbearable(const struct client *client)
{
    return unread(client) > HOARD_MIN && block_bytes() > *client->context->memory_max;
}

static void sacrifice(struct client *client)
{
    struct pool *pool = client->context->pool;

    metric_add(&pool->more.client_memory_rejected, 1);
    log_limited(LOG_WARNING, "pool '%s': memory is used up: closed a client with %zu bytes unread",
                pool->config->name, unread(client));
    client_refuse(client);
}

/* After something was answered, or input was used. */
static void settle(struct client *client)
{
    struct conn *conn = &client->conn;

    if (conn->dying)
        return;
    if (client->owner.is_broken ||
        (client_is_stranger(client) && conn->out.len > UNKNOWN_UNREAD_MAX)) {
        client_refuse(client);
        return;
    }
    if (is_unbearable(client)) {
        sacrifice(client);
        return;
    }
    if (conn->out.len != 0)
        conn_flush_later(conn);
    if (client->is_leaving) {
        if (list_is_empty(&client->owner.requests) && !conn->closing)
            conn_close_flushed(conn);
        return;
    }
    if (conn->paused == has_too_much(client))
        return;
    if (conn->paused)
        conn_resume(conn);
    else
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

/* --- answers --- */

void client_refuse(struct client *client)
{
    client->is_refused = true;
    conn_close(&client->conn);
}

void client_answer(struct client *client, struct str bytes)
{
    struct request_owner *owner = &client->owner;
    struct request *request;

    if (list_is_empty(&owner->requests)) {
        if (!chain_copy(owner->out, bytes))
            client_refuse(client);
        return;
    }
    request = request_create(owner->records, NULL);
    if (request == NULL) {
        client_refuse(client);
        return;
    }
    request_enqueue(request, owner);
    request_reply(request, bytes, NULL);
    request_done(request);
}

void client_answer_no_memory(struct client *client)
{
    struct request *request = request_create(client->owner.records, NULL);

    if (request == NULL) {
        client_refuse(client);
        return;
    }
    request_enqueue(request, &client->owner);
    request_reply_error(request, "out of memory");
    request_done(request);
}

struct plan_input client_plan_input(struct client *client, struct str body)
{
    return (struct plan_input){.pool = client->context->pool,
                               .owner = &client->owner,
                               .owner_number = client->number,
                               .body = body,
                               .block = conn_input_block(&client->conn)};
}

/* --- input --- */

/* Who speaks to memcached tells by his first byte how. */
static const struct dialect *dialect_of(const struct client *client, struct str in)
{
    if (client->context->pool->config->redis)
        return &redis_dialect;
    return (unsigned char)in.data[0] == MC_BINARY_REQUEST ? &binary_dialect : &text_dialect;
}

static size_t client_input(struct conn *conn, struct str in)
{
    struct client *client = container_of(conn, struct client, conn);
    size_t used = in.len < client->swallowed ? in.len : client->swallowed;

    if (client->dialect == NULL) {
        client->dialect = dialect_of(client, in);
        client->owner.write_error = client->dialect->write_error;
    }
    client->swallowed -= used;
    while (used < in.len && !client->is_leaving && !conn->dying && !has_too_much(client)) {
        struct str rest = str_skip(in, used);
        size_t len = client->dialect->take(client, rest);

        if (len == 0)
            break;
        client->has_asked = true;
        used += len;
        len = client->swallowed < in.len - used ? client->swallowed : in.len - used;
        client->swallowed -= len;
        used += len;
    }
    if (client->context->is_draining && client->has_asked)
        client->is_leaving = true;
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
    uint32_t share = (limit + context->worker_count - 1) / context->worker_count;
    struct client *client;

    if (limit != 0 && metric_get(&pool->metrics.client_connections) >= share) {
        log_limited(LOG_NOTICE, "pool '%s' has its %u clients", pool->config->name, share);
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
    client->is_known = pool->config->redis_auth == NULL;
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

void client_drain_all(struct client_context *context, bool all)
{
    context->is_draining = true;
    LIST_EACH (&context->clients, each, after) {
        struct client *client = container_of(each, struct client, link);

        if (all || client->has_asked)
            client_eof(&client->conn);
    }
}

void client_close_all(struct client_context *context)
{
    LIST_EACH (&context->clients, each, after)
        conn_end(&container_of(each, struct client, link)->conn);
}

/*
 * From top to bottom: failure, replies, connecting, requests.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "proxy/upstream.h"

/* The connection; it outlives the upstream's interest in it until the turn's end. */
struct upstream_link {
    struct conn conn;
    struct upstream *upstream; /* NULL: given up */
    struct server *server;
    bool is_connected;
};

/* --- failure --- */

static void forget(struct upstream *upstream, struct request *leaf)
{
    struct server_metrics *metrics = &upstream->server->metrics;
    bool is_connected = upstream->link != NULL && upstream->link->is_connected;

    list_remove(&leaf->pending_link);
    upstream->pending_count--;
    upstream->pending_len -= leaf->sent_len;
    metric_sub(is_connected ? &metrics->out_queue : &metrics->in_queue, 1);
    metric_sub(is_connected ? &metrics->out_queue_bytes : &metrics->in_queue_bytes, leaf->sent_len);
}

/* Gives the connection up; all that waits on it fails. */
static void upstream_fail(struct upstream *upstream, uint64_t *reason, const char *text)
{
    struct upstream_link *link = upstream->link;
    struct list failed;

    log_limited(LOG_WARNING, "server '%s': %s", upstream->server->config->name, text);
    metric_add(reason, 1);
    list_init(&failed);
    while (!list_is_empty(&upstream->pending)) {
        struct request *leaf = LIST_FIRST(&upstream->pending, struct request, pending_link);

        forget(upstream, leaf);
        list_append(&failed, &leaf->pending_link);
    }
    chain_clear(&upstream->waiting);
    upstream->link = NULL;
    if (link != NULL) {
        link->upstream = NULL;
        conn_close(&link->conn);
    }
    upstream->server->on_failure(upstream->server);
    while (!list_is_empty(&failed)) {
        struct request *leaf = LIST_FIRST(&failed, struct request, pending_link);

        list_remove(&leaf->pending_link);
        leaf->ops->fail(leaf, text);
    }
}

static void protocol_error(struct upstream *upstream)
{
    upstream_fail(upstream, &upstream->server->metrics.server_err, strerror(EINVAL));
}

static void upstream_timed_out(struct loop_timer *timer)
{
    struct upstream *upstream = container_of(timer, struct upstream, timer);
    struct request *oldest = LIST_FIRST(&upstream->pending, struct request, pending_link);
    uint64_t now_us = clock_now_us();

    upstream->timer_is_set = false;
    if (oldest == NULL)
        return;
    if (oldest->deadline_us <= now_us) {
        upstream_fail(upstream, &upstream->server->metrics.server_timedout, strerror(ETIMEDOUT));
        return;
    }
    upstream->timer_is_set = true;
    loop_timer_set(timer, oldest->deadline_us - now_us);
}

/* --- replies --- */

enum step { STEP_TAKEN, STEP_MORE, STEP_WRONG };

static void end_leaf(struct upstream *upstream, struct request *leaf, enum mc_status status,
                     struct str bytes)
{
    struct server_metrics *metrics = &upstream->server->metrics;
    struct block *block = conn_input_block(&upstream->link->conn);

    forget(upstream, leaf);
    upstream->server->failures = 0;
    if (leaf->owner != NULL || leaf->parent != NULL) {
        metric_add(&metrics->responses, 1);
        metric_add(&metrics->response_bytes, bytes.len);
    }
    leaf->ops->end(leaf, status, bytes, block);
}

/* A VALUE line, its head parsed. Sets *used when it is taken. */
static enum step take_value(struct upstream *upstream, struct request *leaf,
                            const struct mc_reply *reply, struct str in, size_t *used)
{
    static const struct str end = {"END\r\n", 5};
    size_t len = reply->head_len + reply->body_len;
    bool is_single = leaf->ops->value == NULL;
    struct conn *conn = &upstream->link->conn;

    if (reply->has_cas != ((leaf->command->traits & MC_WITH_CAS) != 0))
        return STEP_WRONG;
    if (is_single && !str_equal(reply->key, leaf->key))
        return STEP_WRONG;
    if (in.len < len + (is_single ? end.len : 0)) {
        conn_want(conn, len + (is_single ? end.len : 0));
        /* What is there of the ending can be wrong already. */
        if (in.len >= len && !mc_body_ends_well((struct str){in.data, len}))
            return STEP_WRONG;
        if (in.len > len && !str_starts(end, str_skip(in, len)))
            return STEP_WRONG;
        return STEP_MORE;
    }
    if (!mc_body_ends_well((struct str){in.data, len}))
        return STEP_WRONG;
    if (!is_single) {
        *used = len;
        metric_add(&upstream->server->metrics.response_bytes, len);
        return leaf->ops->value(leaf, reply->key, (struct str){in.data, len},
                                conn_input_block(conn))
                   ? STEP_TAKEN
                   : STEP_WRONG;
    }
    if (!str_starts(str_skip(in, len), end))
        return STEP_WRONG;
    *used = len + end.len;
    end_leaf(upstream, leaf, MC_STATUS_END, (struct str){in.data, *used});
    return STEP_TAKEN;
}

static enum step take_reply(struct upstream *upstream, struct str in, size_t *used)
{
    struct request *leaf = LIST_FIRST(&upstream->pending, struct request, pending_link);
    struct mc_reply reply;

    if (leaf == NULL)
        return STEP_WRONG;
    switch (mc_text_parse_reply(in, &reply)) {
    case PARSE_MORE:
        return STEP_MORE;
    case PARSE_BAD:
        return STEP_WRONG;
    case PARSE_DONE:
        break;
    }
    if (!mc_reply_fits(leaf->command, reply.status))
        return STEP_WRONG;
    if (reply.status == MC_STATUS_VALUE)
        return take_value(upstream, leaf, &reply, in, used);
    *used = reply.head_len;
    end_leaf(upstream, leaf, reply.status, (struct str){in.data, reply.head_len});
    return STEP_TAKEN;
}

static size_t link_input(struct conn *conn, struct str in)
{
    struct upstream_link *link = container_of(conn, struct upstream_link, conn);
    size_t used = 0;

    while (used < in.len && link->upstream != NULL) {
        size_t len = 0;

        switch (take_reply(link->upstream, str_skip(in, used), &len)) {
        case STEP_TAKEN:
            used += len;
            break;
        case STEP_MORE:
            return used;
        case STEP_WRONG:
            protocol_error(link->upstream);
            return in.len;
        }
    }
    return link->upstream != NULL ? used : in.len;
}

/* --- connecting --- */

static void link_connected(struct conn *conn)
{
    struct upstream_link *link = container_of(conn, struct upstream_link, conn);
    struct server_metrics *metrics = &link->server->metrics;

    link->is_connected = true;
    metric_add(&metrics->server_connections, 1);
    if (link->upstream == NULL)
        return;
    metric_sub(&metrics->in_queue, link->upstream->pending_count);
    metric_sub(&metrics->in_queue_bytes, link->upstream->pending_len);
    metric_add(&metrics->out_queue, link->upstream->pending_count);
    metric_add(&metrics->out_queue_bytes, link->upstream->pending_len);
}

static void link_closed(struct conn *conn)
{
    struct upstream_link *link = container_of(conn, struct upstream_link, conn);
    struct server_metrics *metrics = &link->server->metrics;

    if (link->upstream != NULL && conn->end == CONN_END_ERROR)
        upstream_fail(link->upstream, &metrics->server_err, strerror(conn->error));
    else if (link->upstream != NULL)
        upstream_fail(link->upstream, &metrics->server_eof, "unknown");
    if (link->is_connected)
        metric_sub(&metrics->server_connections, 1);
    metric_sub(&link->server->connections->curr_connections, 1);
    free(link);
}

static const struct conn_ops link_ops = {
    .input = link_input, .connected = link_connected, .closed = link_closed};

static void connect_to(struct upstream *upstream, const struct addr *addr)
{
    struct server *server = upstream->server;
    struct upstream_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        upstream_fail(upstream, &server->metrics.server_err, strerror(ENOMEM));
        return;
    }
    link->upstream = upstream;
    link->server = server;
    metric_add(&server->connections->total_connections, 1);
    metric_add(&server->connections->curr_connections, 1);
    upstream->link = link;
    conn_connect(&link->conn, server->loop, addr, &link_ops);
    if (upstream->waiting.len != 0) {
        chain_move(&upstream->waiting, &link->conn.out);
        conn_flush_later(&link->conn);
    }
}

/* In the data thread again. */
static void lookup_ended(struct loop_post *post)
{
    struct upstream *upstream = container_of(post, struct upstream, lookup);

    upstream->looking_up = false;
    if (upstream->found)
        connect_to(upstream, &upstream->found_addr);
    else
        upstream_fail(upstream, &upstream->server->metrics.server_err, strerror(EHOSTDOWN));
}

/* In the control thread, which a slow name server may hold up. */
static void look_up(struct loop_post *post)
{
    struct upstream *upstream = container_of(post, struct upstream, lookup);
    const struct server_config *config = upstream->server->config;
    const char *error;

    upstream->found = addr_resolve(config->host, config->port, &upstream->found_addr, 1, &error);
    post->run = lookup_ended;
    loop_post(upstream->server->loop, post);
}

void upstream_connect(struct upstream *upstream)
{
    struct server *server = upstream->server;

    if (upstream->link != NULL || upstream->looking_up)
        return;
    if (server->has_addr) {
        connect_to(upstream, &server->addr);
        return;
    }
    upstream->looking_up = true;
    upstream->lookup.run = look_up;
    loop_post(server->control, &upstream->lookup);
}

/* --- requests --- */

void upstream_init(struct upstream *upstream, struct server *server)
{
    *upstream = (struct upstream){.server = server};
    list_init(&upstream->pending);
    list_init(&upstream->lookup.link);
    loop_timer_init(server->loop, &upstream->timer, upstream_timed_out);
}

struct chain *upstream_out(struct upstream *upstream)
{
    upstream_connect(upstream);
    return upstream->link != NULL ? &upstream->link->conn.out : &upstream->waiting;
}

void upstream_expect(struct upstream *upstream, struct request *leaf)
{
    struct server *server = upstream->server;
    struct server_metrics *metrics = &server->metrics;
    bool is_connected = upstream->link != NULL && upstream->link->is_connected;

    list_append(&upstream->pending, &leaf->pending_link);
    upstream->pending_count++;
    upstream->pending_len += leaf->sent_len;
    metric_add(&metrics->requests, 1);
    metric_add(&metrics->request_bytes, leaf->sent_len);
    metric_add(is_connected ? &metrics->out_queue : &metrics->in_queue, 1);
    metric_add(is_connected ? &metrics->out_queue_bytes : &metrics->in_queue_bytes, leaf->sent_len);
    if (upstream->link != NULL)
        conn_flush_later(&upstream->link->conn);
    if (server->timeout_ms == 0)
        return;
    leaf->deadline_us = clock_now_us() + (uint64_t)server->timeout_ms * 1000;
    if (!upstream->timer_is_set) {
        upstream->timer_is_set = true;
        loop_timer_set(&upstream->timer, (uint64_t)server->timeout_ms * 1000);
    }
}

void upstream_close(struct upstream *upstream)
{
    struct upstream_link *link = upstream->link;

    if (upstream->timer_is_set)
        loop_timer_clear(&upstream->timer);
    while (!list_is_empty(&upstream->pending)) {
        struct request *leaf = LIST_FIRST(&upstream->pending, struct request, pending_link);

        forget(upstream, leaf);
        leaf->ops->fail(leaf, "shutting down");
    }
    chain_clear(&upstream->waiting);
    upstream->link = NULL;
    if (link != NULL) {
        link->upstream = NULL;
        conn_end(&link->conn);
    }
}

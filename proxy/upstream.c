/*
 * From top to bottom: failure, replies, connecting, requests.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "proxy/upstream.h"

/* The connection; it outlives the upstream's interest in it until the turn's end. */
struct upstream_link {
    struct conn conn;
    struct upstream *upstream; /* NULL: given up */
    struct server *server;
    struct addr addr;
    struct reply reply; /* that is on its way */
    unsigned greetings; /* replies yet to come to what was said before all requests */
    bool is_connected;
    bool is_ready;   /* requests may go out */
    bool is_leaving; /* none may any more; it ends with its last reply */
};

/* --- failure --- */

static void move_on(struct upstream *upstream);

/* Whether the request that is forgotten next, the oldest, or a new one, is on the connection. */
static bool is_out(const struct upstream *upstream, bool is_new)
{
    const struct upstream_link *link = upstream->link;

    return link != NULL && link->is_ready &&
           (!link->is_leaving || (!is_new && upstream->owed != 0));
}

static void forget(struct upstream *upstream, struct request *leaf)
{
    struct server_metrics *metrics = &upstream->server->metrics;
    bool was_out = is_out(upstream, false);

    list_remove(&leaf->pending_link);
    upstream->pending_count--;
    upstream->pending_len -= leaf->sent_len;
    if (upstream->owed != 0)
        upstream->owed--;
    metric_sub(was_out ? &metrics->out_queue : &metrics->in_queue, 1);
    metric_sub(was_out ? &metrics->out_queue_bytes : &metrics->in_queue_bytes, leaf->sent_len);
}

/* Has no more to do with the connection. */
static void let_go(struct upstream *upstream)
{
    struct upstream_link *link = upstream->link;

    upstream->link = NULL;
    if (link == NULL)
        return;
    link->upstream = NULL;
    conn_close(&link->conn);
}

/* Gives the connection up; all that waits on it fails. */
static void upstream_fail(struct upstream *upstream, uint64_t *reason, const char *text)
{
    const struct upstream_link *link = upstream->link;
    bool is_leaving = link != NULL && link->is_leaving;
    bool is_refusal =
        (link == NULL || !link->is_connected) && reason == &upstream->server->metrics.server_err;
    struct list failed;

    log_limited(LOG_WARNING, "server '%s': %s", upstream->server->config->name, text);
    metric_add(reason, 1);
    list_init(&failed);
    while (!list_is_empty(&upstream->pending) && (!is_leaving || upstream->owed != 0)) {
        struct request *leaf = LIST_FIRST(&upstream->pending, struct request, pending_link);

        forget(upstream, leaf);
        list_append(&failed, &leaf->pending_link);
    }
    let_go(upstream);
    if (is_leaving) {
        move_on(upstream);
    } else {
        chain_clear(&upstream->waiting);
        location_doubt(&upstream->server->location);
        upstream->server->on_failure(upstream->server, is_refusal);
    }
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
    uint64_t now_us = clock_now_us(), deadline_us;

    upstream->timer_is_set = false;
    if (oldest == NULL || upstream->server->timeout_ms == 0)
        return;
    deadline_us = oldest->begun_us + (uint64_t)upstream->server->timeout_ms * 1000;
    if (deadline_us <= now_us) {
        if (upstream->link != NULL && !upstream->link->is_connected)
            location_avoid(&upstream->server->location, &upstream->link->addr);
        upstream_fail(upstream, &upstream->server->metrics.server_timedout, strerror(ETIMEDOUT));
        return;
    }
    upstream->timer_is_set = true;
    loop_timer_set(timer, deadline_us - now_us);
}

/* --- replies --- */

static void log_slow(const struct server *server, const struct request *leaf, uint64_t us)
{
    log_limited(LOG_NOTICE, "slow: pool '%s', server '%s': %s '%.*s' took %llu.%03llu ms",
                server->pool_config->name, server->config->name,
                leaf->command != NULL ? leaf->command->name : leaf->name, (int)leaf->key.len,
                leaf->key.data, (unsigned long long)(us / 1000), (unsigned long long)(us % 1000));
}

static void note_latency(struct server *server, const struct request *leaf)
{
    uint64_t us = clock_now_us() - leaf->begun_us;

    histogram_add(&server->latency, us);
    if (server->slowlog_ms != 0 && us >= (uint64_t)server->slowlog_ms * 1000)
        log_slow(server, leaf, us);
}

static void end_leaf(struct upstream *upstream, struct request *leaf, int status, struct str bytes)
{
    struct server_metrics *metrics = &upstream->server->metrics;
    struct block *block = conn_input_block(&upstream->link->conn);

    forget(upstream, leaf);
    note_latency(upstream->server, leaf);
    upstream->server->failures = 0;
    if (leaf->owner != NULL || leaf->parent != NULL) {
        metric_add(&metrics->responses, 1);
        metric_add(&metrics->response_bytes, bytes.len);
    }
    leaf->ops->end(leaf, status, bytes, block);
    if (upstream->link != NULL && upstream->link->is_leaving && upstream->owed == 0) {
        let_go(upstream);
        move_on(upstream);
    }
}

/* All that waited for the connection goes out. */
static void link_ready(struct upstream_link *link)
{
    struct upstream *upstream = link->upstream;
    struct server_metrics *metrics = &link->server->metrics;

    link->is_ready = true;
    metric_sub(&metrics->in_queue, upstream->pending_count);
    metric_sub(&metrics->in_queue_bytes, upstream->pending_len);
    metric_add(&metrics->out_queue, upstream->pending_count);
    metric_add(&metrics->out_queue_bytes, upstream->pending_len);
    if (upstream->waiting.len == 0)
        return;
    if (chain_move(&upstream->waiting, &link->conn.out))
        conn_flush_later(&link->conn);
    else
        upstream_fail(upstream, &metrics->server_err, strerror(ENOMEM));
}

/* The reply to a greeting, with `more_len` bytes behind it. A refusal is told to whoever waits.
 * False: the server makes no sense. */
static bool take_greeting(struct upstream_link *link, struct str bytes, size_t more_len)
{
    char text[128];

    if (link->reply.status == '-') {
        snprintf(text, sizeof(text), "%.*s", (int)(bytes.len - 3), bytes.data + 1);
        log_error("server '%s' refuses the connection: %s", link->server->config->name, text);
        upstream_fail(link->upstream, &link->server->metrics.server_err, text);
        return true;
    }
    if (!str_equal(bytes, STR("+OK\r\n")))
        return false;
    if (--link->greetings != 0)
        return true;
    if (more_len != 0) /* nothing else was said to it yet */
        return false;
    link_ready(link);
    return true;
}

/* A reply, or a value of one, is there: the first link->reply.len bytes of `in`. */
static bool take_reply(struct upstream_link *link, struct request *leaf, enum reply_step step,
                       struct str in)
{
    struct str bytes = {in.data, link->reply.len};

    if (link->greetings != 0)
        return take_greeting(link, bytes, in.len - bytes.len);
    if (step == REPLY_VALUE) {
        metric_add(&link->server->metrics.response_bytes, bytes.len);
        return leaf->ops->value(leaf, link->reply.key, bytes, conn_input_block(&link->conn));
    }
    end_leaf(link->upstream, leaf, link->reply.status, bytes);
    return true;
}

static size_t link_input(struct conn *conn, struct str in)
{
    struct upstream_link *link = container_of(conn, struct upstream_link, conn);
    const struct backend *backend = link->server->backend;
    struct reply *reply = &link->reply;
    size_t max = config_message_max(*link->server->memory_max);
    size_t used = 0;

    while (used < in.len && link->upstream != NULL) {
        struct str rest = str_skip(in, used);
        struct request *leaf = LIST_FIRST(&link->upstream->pending, struct request, pending_link);
        enum reply_step step = leaf == NULL && link->greetings == 0
                                   ? REPLY_WRONG
                                   : backend->take_reply(leaf, rest, reply);

        if (step == REPLY_MORE && (rest.len > max || reply->want > max)) {
            upstream_fail(link->upstream, &link->server->metrics.server_err, strerror(EMSGSIZE));
            return in.len;
        }
        if (step == REPLY_MORE) {
            if (reply->want != 0)
                conn_want(conn, reply->want);
            return used;
        }
        if (step == REPLY_WRONG || !take_reply(link, leaf, step, rest)) {
            protocol_error(link->upstream);
            return in.len;
        }
        used += reply->len;
        reply->scan.used = reply->scan.depth = 0;
    }
    return link->upstream != NULL ? used : in.len;
}

/* --- connecting --- */

static void make_link(struct upstream *upstream);

static void link_connected(struct conn *conn)
{
    struct upstream_link *link = container_of(conn, struct upstream_link, conn);

    if (link->server->pool_config->tcpkeepalive)
        setsockopt(conn_fd(conn), SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    /* A peer that is gone without a word is noticed also while nothing is asked. */
    if (link->server->timeout_ms != 0)
        setsockopt(conn_fd(conn), IPPROTO_TCP, TCP_USER_TIMEOUT, &link->server->timeout_ms,
                   sizeof(link->server->timeout_ms));
    link->is_connected = true;
    metric_add(&link->server->metrics.server_connections, 1);
    if (link->upstream != NULL && link->greetings == 0)
        link_ready(link);
}

/* The connection could not be made: there may be another address. */
static bool try_next(struct upstream *upstream)
{
    location_avoid(&upstream->server->location, &upstream->link->addr);
    if (upstream->tries_left == 0)
        return false;
    upstream->tries_left--;
    let_go(upstream);
    make_link(upstream);
    return true;
}

static void link_closed(struct conn *conn)
{
    struct upstream_link *link = container_of(conn, struct upstream_link, conn);
    struct upstream *upstream = link->upstream;
    struct server_metrics *metrics = &link->server->metrics;

    if (upstream != NULL && (link->is_connected || !try_next(upstream))) {
        if (conn->end == CONN_END_ERROR)
            upstream_fail(upstream, &metrics->server_err, strerror(conn->error));
        else
            upstream_fail(upstream, &metrics->server_eof, "unknown");
    }
    if (link->is_connected)
        metric_sub(&metrics->server_connections, 1);
    metric_sub(&link->server->connections->curr_connections, 1);
    link->server->links--;
    free(link);
}

static const struct conn_ops link_ops = {
    .input = link_input, .connected = link_connected, .closed = link_closed};

/* Connects to the address that is to be tried first. */
static void make_link(struct upstream *upstream)
{
    struct server *server = upstream->server;
    const struct location *location = &server->location;
    struct upstream_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        upstream_fail(upstream, &server->metrics.server_err, strerror(ENOMEM));
        return;
    }
    link->upstream = upstream;
    link->server = server;
    link->addr = location->addrs[location->first];
    server->links++;
    metric_add(&server->connections->total_connections, 1);
    metric_add(&server->connections->curr_connections, 1);
    upstream->link = link;
    conn_connect(&link->conn, server->loop, &link->addr, &link_ops);
    if (!server->backend->greet(&link->conn.out, server->pool_config, &link->greetings))
        conn_fail(&link->conn, ENOMEM);
    if (link->conn.out.len != 0)
        conn_flush_later(&link->conn);
}

static void fail_lost(struct loop_task *task)
{
    struct upstream *upstream = container_of(task, struct upstream, lost);

    if (upstream->link != NULL || upstream->server->location.count != 0)
        return;
    upstream->is_wanted = false;
    upstream_fail(upstream, &upstream->server->metrics.server_err, strerror(EHOSTDOWN));
}

void upstream_connect(struct upstream *upstream)
{
    const struct location *location = &upstream->server->location;

    if (upstream->link != NULL)
        return;
    upstream->is_wanted = location->count == 0;
    if (location->count != 0) {
        upstream->tries_left = location->count - 1;
        make_link(upstream);
    } else if (location->lookup == NULL || location->failures != 0) {
        /* Nobody waits for what could not be looked up before. */
        loop_defer(upstream->server->loop, &upstream->lost);
    }
}

/* A connection is needed by those who have none. */
static void move_on(struct upstream *upstream)
{
    if (upstream->pending_count != 0 || upstream->is_wanted)
        upstream_connect(upstream);
}

/* A connection to an address that is the server's no more ends with the last of its replies;
 * what comes meanwhile waits for the next. */
void upstream_follow(struct upstream *upstream)
{
    struct upstream_link *link = upstream->link;

    if (link == NULL) {
        move_on(upstream);
    } else if (!link->is_leaving && upstream->server->location.count != 0 &&
               !location_has(&upstream->server->location, &link->addr)) {
        if (link->is_ready && upstream->pending_count != 0) {
            link->is_leaving = true;
            upstream->owed = upstream->pending_count;
            return;
        }
        let_go(upstream);
        move_on(upstream);
    }
}

/* --- requests --- */

void upstream_init(struct upstream *upstream, struct server *server)
{
    *upstream = (struct upstream){.server = server};
    list_init(&upstream->pending);
    list_init(&upstream->lost.link);
    upstream->lost.run = fail_lost;
    loop_timer_init(server->loop, &upstream->timer, upstream_timed_out);
}

struct chain *upstream_out(struct upstream *upstream)
{
    upstream_connect(upstream);
    return is_out(upstream, true) ? &upstream->link->conn.out : &upstream->waiting;
}

void upstream_expect(struct upstream *upstream, struct request *leaf)
{
    struct server *server = upstream->server;
    struct server_metrics *metrics = &server->metrics;
    bool goes_out = is_out(upstream, true);

    list_append(&upstream->pending, &leaf->pending_link);
    upstream->pending_count++;
    upstream->pending_len += leaf->sent_len;
    metric_add(&metrics->requests, 1);
    metric_add(&metrics->request_bytes, leaf->sent_len);
    metric_add(goes_out ? &metrics->out_queue : &metrics->in_queue, 1);
    metric_add(goes_out ? &metrics->out_queue_bytes : &metrics->in_queue_bytes, leaf->sent_len);
    if (goes_out)
        conn_flush_later(&upstream->link->conn);
    leaf->begun_us = clock_now_us();
    if (server->timeout_ms == 0)
        return;
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
    loop_forget(&upstream->lost);
    upstream->link = NULL;
    if (link != NULL) {
        link->upstream = NULL;
        conn_end(&link->conn);
    }
}

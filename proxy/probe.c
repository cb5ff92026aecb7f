#include <stdlib.h>

#include "common/base/clock.h"
#include "common/net/conn.h"
#include "proxy/probe.h"

enum { TELL_US = 2 * 1000 * 1000 }; /* for a batch of what a server is told */

/* The connection; it outlives the probe's interest in it until the turn's end. */
struct probe_link {
    struct conn conn;
    struct probe *probe; /* NULL: it is over */
    struct server *server;
    struct addr addr;
    unsigned replies_left;
    bool is_telling; /* it has answered, and is told more */
    struct reply reply;
    struct request request; /* as the backend wants to see it */
};

void probe_stop(struct probe *probe)
{
    struct probe_link *link = probe->link;

    loop_timer_clear(&probe->timer);
    probe->link = NULL;
    if (link == NULL)
        return;
    link->probe = NULL;
    conn_close(&link->conn);
}

static void probe_end(struct probe *probe, enum probe_result result)
{
    probe_stop(probe);
    probe->done(probe, result);
}

static void give_time(struct probe *probe, uint64_t patience_us)
{
    probe->deadline_us = clock_now_us() + patience_us;
    loop_timer_set(&probe->timer, patience_us);
}

/* All that was said is answered: there may be more to say. Time was, and will be, limited; we
 * may have been late ourselves to look. */
static void go_on(struct probe_link *link)
{
    struct probe *probe = link->probe;
    bool is_first = !link->is_telling;

    link->is_telling = true;
    if (clock_now_us() >= probe->deadline_us)
        probe_end(probe, PROBE_SILENT);
    else if (!probe->tell(probe, is_first, &link->conn.out, &link->request.command,
                          &link->replies_left))
        probe_end(probe, PROBE_REFUSED);
    else if (link->replies_left == 0)
        probe_end(probe, PROBE_ANSWERED);
    else
        give_time(probe, TELL_US);
    if (link->probe != NULL)
        conn_flush_later(&link->conn);
}

/* An error is none to the first question, whatever memcached it is that does not know it. */
static bool is_refused(const struct probe_link *link)
{
    return link->reply.status == '-' || (link->is_telling && link->reply.status == MC_STATUS_ERROR);
}

static void timer_rang(struct loop_timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);

    if (probe->link != NULL)
        location_avoid(&probe->server->location, &probe->link->addr);
    probe_end(probe, PROBE_SILENT);
}

static size_t link_input(struct conn *conn, struct str in)
{
    struct probe_link *link = container_of(conn, struct probe_link, conn);
    struct reply *reply = &link->reply;
    size_t used = 0;

    while (used < in.len && link->probe != NULL) {
        switch (link->server->backend->take_reply(&link->request, str_skip(in, used), reply)) {
        case REPLY_MORE:
            return used;
        case REPLY_WHOLE:
            used += reply->len;
            reply->scan.used = reply->scan.depth = 0;
            if (is_refused(link))
                probe_end(link->probe, PROBE_REFUSED);
            else if (--link->replies_left == 0)
                go_on(link);
            break;
        default:
            probe_end(link->probe, PROBE_REFUSED);
        }
    }
    return in.len;
}

static void connect_next(struct probe *probe);

static void link_closed(struct conn *conn)
{
    struct probe_link *link = container_of(conn, struct probe_link, conn);
    struct probe *probe = link->probe;

    metric_sub(&link->server->connections->curr_connections, 1);
    link->server->links--;
    free(link);
    if (probe == NULL)
        return;
    probe->link = NULL;
    if (probe->tries_left == 0)
        probe_end(probe, PROBE_REFUSED);
    else
        connect_next(probe);
}

static const struct conn_ops link_ops = {.input = link_input, .closed = link_closed};

static bool say(struct probe_link *link)
{
    const struct server *server = link->server;

    if (!server->backend->greet(&link->conn.out, server->pool_config, &link->replies_left) ||
        !chain_copy(&link->conn.out, server->backend->probe))
        return false;
    link->replies_left++;
    conn_flush_later(&link->conn);
    return true;
}

/* Tries the next address. Out of memory, time will run out, too. */
static void connect_next(struct probe *probe)
{
    struct server *server = probe->server;
    const struct location *location = &server->location;
    struct probe_link *link;
    unsigned next;

    if (location->count == 0 || (link = calloc(1, sizeof(*link))) == NULL)
        return;
    if (probe->tries_left > location->count)
        probe->tries_left = location->count;
    next = (location->first + location->count - probe->tries_left) % location->count;
    probe->tries_left--;
    link->probe = probe;
    link->server = server;
    link->request.command = &mc_commands[MC_VERSION];
    probe->link = link;
    server->links++;
    metric_add(&server->connections->total_connections, 1);
    metric_add(&server->connections->curr_connections, 1);
    link->addr = location->addrs[next];
    conn_connect(&link->conn, server->loop, &link->addr, &link_ops);
    if (!say(link))
        conn_fail(&link->conn, ENOMEM);
}

void probe_init(struct probe *probe, struct server *server)
{
    probe->server = server;
    loop_timer_init(server->loop, &probe->timer, timer_rang);
}

void probe_start(struct probe *probe, uint64_t patience_us)
{
    if (probe->link != NULL)
        return;
    metric_add(&probe->server->more.probes, 1);
    probe->tries_left = probe->server->location.count;
    give_time(probe, patience_us);
    connect_next(probe);
}

void probe_close(struct probe *probe)
{
    struct probe_link *link = probe->link;

    if (probe->server == NULL)
        return;
    loop_timer_clear(&probe->timer);
    probe->link = NULL;
    if (link != NULL) {
        link->probe = NULL;
        conn_end(&link->conn);
    }
}

/*
 * A pool at work: its servers, the ring that spreads keys over those of them that are
 * not ejected, and the connections to them. Belongs to the data thread.
 */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include "common/base/list.h"
#include "proxy/health.h"
#include "proxy/upstream.h"

/* X(name, kind, help), in nutcracker's order */
#define POOL_METRICS(X)                                                                            \
    X(client_eof, COUNTER, "clients that closed or quit")                                          \
    X(client_err, COUNTER, "clients that failed or were refused")                                  \
    X(client_connections, GAUGE, "clients")                                                        \
    X(server_ejects, COUNTER, "times a server was ejected")                                        \
    X(forward_error, COUNTER, "requests answered with an error of the proxy's")                    \
    X(fragments, COUNTER, "parts that requests of several keys were split into")

struct pool_metrics {
    POOL_METRICS(METRIC_FIELD)
};

struct pool_server {
    struct server server;
    struct health health;
    struct owed owed;
    struct pool *pool;
    struct list link;      /* in pool->retired */
    struct config *config; /* held by one that is retired: its own is in it */
    uint32_t index;        /* in pool->servers */
    uint32_t upstream_count;
    struct upstream upstreams[];
};

/* What nutcracker does not count, and its JSON therefore must not have. */
#define POOL_MORE_METRICS(X)                                                                       \
    X(client_memory_rejected, COUNTER, "clients closed because they left too much unread")         \
    X(client_http_rejected, COUNTER, "clients closed because they spoke HTTP")

struct pool_more_metrics {
    POOL_MORE_METRICS(METRIC_FIELD)
};

struct pool {
    const struct pool_config *config;
    struct pool_metrics metrics;
    struct pool_more_metrics more;
    struct pool_server **servers; /* config->server_count of them */
    struct ring *ring;            /* NULL: all servers are ejected */
    struct ring_server *members;  /* room for building rings */
    struct list retired;          /* servers that a new configuration has no more */
    struct pool *(*find_pool)(const struct pool *pool, const char *name); /* beside this one */
};

/* Loops and counters that all pools share. */
struct pool_surroundings {
    struct loop *loop;
    struct resolver *resolver;
    struct connection_metrics *connections;
    const size_t *memory_max; /* bytes that the worker may have on their way */
    struct pool *(*find_pool)(const struct pool *pool, const char *name);
};

/* False when memory ran out; pool_close is due either way. */
bool pool_open(struct pool *pool, const struct pool_config *config,
               const struct pool_surroundings *surroundings);

/*
 * Takes over a new configuration, `old` being the one that its present one is in. Servers that
 * are in both keep their connections; those that are gone answer what they were asked, until
 * pool_reap finds them done. False when memory ran out; nothing has then changed.
 */
bool pool_change(struct pool *pool, const struct pool_config *config,
                 const struct pool_surroundings *surroundings, struct config *old);

/* Frees servers that are gone and have answered all. */
void pool_reap(struct pool *pool);

/* Whether no server, gone or not, has anything to answer. */
bool pool_is_idle(const struct pool *pool);

/* Connects to all servers, if the configuration wishes so. */
void pool_preconnect(struct pool *pool);

/*
 * The server for the key, which may be one of the pool's failover. NULL when there is none to
 * ask: *trouble is then a text for the client, or NULL if the key is to be a miss.
 */
struct pool_server *pool_pick(struct pool *pool, struct str key, const char **trouble);

/* A write of the key was not sent, for it is to be a miss: its server has to be told before it is
 * used again. */
void pool_owe(struct pool *pool, struct str key);

/* Servers that pool_pick gives, numbered from 0 for those who sort keys by them; NULL has a
 * number, too. */
size_t pool_pick_count(const struct pool *pool);
size_t pool_pick_number(const struct pool *pool, const struct pool_server *server);

/* The connection of the server that a client with this number always uses, so that what
 * he sends to the server stays in order. */
static inline struct upstream *pool_upstream(struct pool_server *server, uint64_t number)
{
    uint32_t count = server->upstream_count;

    return &server->upstreams[count == 1 ? 0 : number % count];
}

/* Whether the connection has as much to do as it may. */
static inline bool pool_is_busy(const struct pool *pool, const struct upstream *upstream)
{
    uint32_t max = pool->config->server_queue_max;

    return max != 0 && upstream->pending_count >= max;
}

void pool_close(struct pool *pool);

#endif

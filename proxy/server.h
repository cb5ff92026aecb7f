/*
 * A server of a pool as statistics and ejection see it: what it is called, what was
 * counted, how often it failed in a row. Its connections are upstreams.
 */
#ifndef PROXY_SERVER_H
#define PROXY_SERVER_H

#include "common/metric/histogram.h"
#include "common/net/loop.h"
#include "proxy/backend/backend.h"
#include "proxy/location.h"

/* X(name, kind, help), in nutcracker's order */
#define SERVER_METRICS(X)                                                                          \
    X(server_eof, COUNTER, "connections that the server closed")                                   \
    X(server_err, COUNTER, "connections that failed")                                              \
    X(server_timedout, COUNTER, "connections closed because a request timed out")                  \
    X(server_connections, GAUGE, "connections to the server")                                      \
    X(server_ejected_at, TIME, "when the server was last ejected")                                 \
    X(requests, COUNTER, "requests sent")                                                          \
    X(request_bytes, COUNTER, "bytes of requests sent")                                            \
    X(responses, COUNTER, "replies to requests that were still wanted")                            \
    X(response_bytes, COUNTER, "bytes of these replies")                                           \
    X(in_queue, GAUGE, "requests that wait for the connection to be made")                         \
    X(in_queue_bytes, GAUGE, "bytes of these requests")                                            \
    X(out_queue, GAUGE, "requests that wait for their reply")                                      \
    X(out_queue_bytes, GAUGE, "bytes of these requests")

struct server_metrics {
    SERVER_METRICS(METRIC_FIELD)
};

/* Connections of all kinds: listeners, clients, servers. Written by the data thread. */
struct connection_metrics {
    uint64_t total_connections, curr_connections;
};

/* What nutcracker does not count, and its JSON therefore must not have. */
#define SERVER_MORE_METRICS(X)                                                                     \
    X(down, GAUGE, "workers that send it no requests, but only probes")                            \
    X(probes, COUNTER, "times it was asked whether it serves")                                     \
    X(probes_failed, COUNTER, "times it did not, or not in time")

struct server_more_metrics {
    SERVER_MORE_METRICS(METRIC_FIELD)
};

struct server {
    const struct server_config *config;
    const struct pool_config *pool_config;
    const struct backend *backend;
    struct server_metrics metrics;
    struct server_more_metrics more;
    struct connection_metrics *connections;
    const size_t *memory_max; /* of the worker */
    struct loop *loop;        /* of the data thread */
    struct location location;
    struct histogram latency; /* from sending to the reply */
    uint32_t timeout_ms;
    uint32_t slowlog_ms; /* 0: nothing is slow */
    unsigned links;      /* connections, those included that were given up and are yet to close */
    unsigned failures;   /* of connections in a row */
    /* A connection failed. `is_refusal`: it could not be made. */
    void (*on_failure)(struct server *server, bool is_refusal);
};

#endif

/*
 * A server of a pool as statistics and ejection see it: what it is called, what was
 * counted, how often it failed in a row. Its connections are upstreams.
 */
#ifndef PROXY_SERVER_H
#define PROXY_SERVER_H

#include "common/metric/metric.h"
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

struct server {
    const struct server_config *config;
    const struct pool_config *pool_config;
    const struct backend *backend;
    struct server_metrics metrics;
    struct connection_metrics *connections;
    struct loop *loop; /* of the data thread */
    struct location location;
    struct histogram latency; /* from sending to the reply */
    uint32_t timeout_ms;
    uint32_t slowlog_ms; /* 0: nothing is slow */
    unsigned links;      /* connections, those included that were given up and are yet to close */
    unsigned failures;   /* in a row */
    bool is_ejected;
    uint64_t retry_at_us;
    /* A connection failed. */
    void (*on_failure)(struct server *server);
};

#endif

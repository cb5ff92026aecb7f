/*
 * `stats` in memcached's spelling and order: walks workers, classes and the store.
 */
#ifndef CACHENODE_STATS_H
#define CACHENODE_STATS_H

#include "cachenode/auth.h"
#include "cachenode/session.h"
#include "cachenode/settings.h"
#include "cachenode/watch/watch.h"

/* What the main thread counts. */
#define NODE_METRICS(X)                                                                            \
    X(total_connections, COUNTER, "clients accepted")                                              \
    X(rejected_connections, COUNTER, "clients turned away, one too many")                          \
    X(listen_disabled_num, COUNTER, "times that accepting paused")                                 \
    X(time_in_listen_disabled_us, COUNTER, "for how long it did")                                  \
    X(accepting_conns, GAUGE, "1, or 0 while it is paused")

struct node_metrics {
    NODE_METRICS(METRIC_FIELD)
};

/* A socket, to be listed. */
struct stats_socket {
    int fd;
    const char *state; /* in memcached's words */
    bool is_listening;
    uint32_t idle_s;
};

/* What a node lets its statistics see. */
struct stats_source {
    const struct settings *settings;
    struct store *store;
    struct node_metrics *metrics;
    struct auth *auth;
    struct watch *watch; /* NULL: nobody may watch */
    struct prefixes *prefixes;
    bool *tracks_sizes; /* atomic; whether stats sizes may walk all items */
    uint64_t start_us;  /* monotonic */
    void *node;
    /* Adds up all workers' metrics; zeroes their counters. */
    void (*sum)(void *node, struct worker_metrics *sum);
    void (*reset)(void *node);
    /* Shows all listening sockets and clients. */
    void (*visit_sockets)(void *node, void (*visit)(void *arg, const struct stats_socket *socket),
                          void *arg);
};

/* Answers `stats` or `stats WORD`; false when it does not know the word. */
bool stats_answer(struct session *session, struct str word);

/* Appends a line of statistics. */
void stats_number(struct session *session, const char *name, uint64_t value);

/* The log level that memcached's verbosity means. */
int stats_log_level(uint32_t verbosity);

#endif

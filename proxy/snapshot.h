/*
 * What all workers have counted, added up: pools and servers by their names, in the order of
 * the first worker's configuration.
 */
#ifndef PROXY_SNAPSHOT_H
#define PROXY_SNAPSHOT_H

#include "proxy/worker.h"

struct server_snapshot {
    const struct server_config *config;
    struct server_metrics metrics;
    struct server_more_metrics more;
    struct histogram latency;
};

struct pool_snapshot {
    struct config *held; /* that `config` is in */
    const struct pool_config *config;
    struct pool_metrics metrics;
    struct pool_more_metrics more;
    struct server_snapshot *servers; /* config->server_count of them */
};

struct snapshot {
    struct connection_metrics connections;
    size_t pool_count;
    struct pool_snapshot *pools;
};

/* Takes one, from any thread; false when memory ran out. snapshot_free is due either way. */
bool snapshot_take(struct snapshot *snapshot, struct worker *workers, unsigned worker_count);

void snapshot_free(struct snapshot *snapshot);

#endif

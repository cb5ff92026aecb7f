#include <stdlib.h>
#include <string.h>

#include "proxy/snapshot.h"

/* Adds the numbers of one block of metrics to another; of times the latest counts. */
static void add_block(uint64_t *sums, const uint64_t *block, const struct metric *table,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number = metric_get(&block[i]);

        if (table[i].kind != METRIC_TIME)
            sums[i] += number;
        else if (number > sums[i])
            sums[i] = number;
    }
}

#define ADD_BLOCK(sums, block, table)                                                              \
    add_block((uint64_t *)(sums), (const uint64_t *)(block), table,                                \
              sizeof(table) / sizeof((table)[0]))

static const struct metric pool_table[] = {POOL_METRICS(METRIC_DESCRIBE)};
static const struct metric pool_more_table[] = {POOL_MORE_METRICS(METRIC_DESCRIBE)};
static const struct metric server_table[] = {SERVER_METRICS(METRIC_DESCRIBE)};
static const struct metric server_more_table[] = {SERVER_MORE_METRICS(METRIC_DESCRIBE)};

static void add_server(struct pool_snapshot *sum, const struct server *server)
{
    for (size_t i = 0; i < sum->config->server_count; i++) {
        struct server_snapshot *place = &sum->servers[i];

        if (strcmp(place->config->name, server->config->name) == 0) {
            ADD_BLOCK(&place->metrics, &server->metrics, server_table);
            ADD_BLOCK(&place->more, &server->more, server_more_table);
            histogram_sum(&place->latency, &server->latency);
            return;
        }
    }
}

static void add_pool(struct pool_snapshot *sum, const struct pool *pool)
{
    ADD_BLOCK(&sum->metrics, &pool->metrics, pool_table);
    ADD_BLOCK(&sum->more, &pool->more, pool_more_table);
    for (size_t i = 0; i < pool->config->server_count; i++)
        add_server(sum, &pool->servers[i]->server);
}

/* The first worker's pools, with nothing counted yet. */
static bool describe(struct snapshot *snapshot, const struct worker *worker)
{
    snapshot->pools = calloc(worker->door_count, sizeof(*snapshot->pools));
    if (snapshot->pools == NULL)
        return worker->door_count == 0;
    for (size_t i = 0; i < worker->door_count; i++) {
        struct pool_snapshot *pool = &snapshot->pools[i];

        pool->held = config_hold(worker->doors[i]->config);
        pool->config = worker->doors[i]->pool.config;
        snapshot->pool_count = i + 1;
        pool->servers = calloc(pool->config->server_count, sizeof(*pool->servers));
        if (pool->servers == NULL)
            return false;
        for (size_t k = 0; k < pool->config->server_count; k++)
            pool->servers[k].config = &pool->config->servers[k];
    }
    return true;
}

static void add_worker(struct snapshot *snapshot, const struct worker *worker)
{
    snapshot->connections.total_connections += metric_get(&worker->connections.total_connections);
    snapshot->connections.curr_connections += metric_get(&worker->connections.curr_connections);
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        const struct door *door = worker_find_door(worker, snapshot->pools[i].config->name);

        if (door != NULL)
            add_pool(&snapshot->pools[i], &door->pool);
    }
}

bool snapshot_take(struct snapshot *snapshot, struct worker *workers, unsigned worker_count)
{
    bool is_good = true;

    *snapshot = (struct snapshot){0};
    for (unsigned i = 0; is_good && i < worker_count; i++) {
        lock_take(&workers[i].shape);
        if (i == 0)
            is_good = describe(snapshot, &workers[0]);
        if (is_good)
            add_worker(snapshot, &workers[i]);
        lock_give(&workers[i].shape);
    }
    return is_good;
}

void snapshot_free(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        free(snapshot->pools[i].servers);
        config_release(snapshot->pools[i].held);
    }
    free(snapshot->pools);
}

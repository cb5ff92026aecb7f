#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "proxy/pool.h"

/* Builds the ring of the servers that are not ejected; false when memory ran out, the ring
 * is then as before. */
static bool build_ring(struct pool *pool)
{
    struct ring *ring = NULL;
    unsigned count = 0;

    for (uint32_t i = 0; i < pool->config->server_count; i++) {
        const struct server_config *config = &pool->config->servers[i];

        if (!pool->servers[i]->server.is_ejected)
            pool->members[count++] = (struct ring_server){str_of(config->name), config->weight, i};
    }
    if (count != 0) {
        ring = ring_build(pool->config->distribution, pool->members, count);
        if (ring == NULL)
            return false;
    }
    free(pool->ring);
    pool->ring = ring;
    return true;
}

static void note_retry(struct pool *pool)
{
    pool->ejected_count = 0;
    pool->retry_at_us = UINT64_MAX;
    for (size_t i = 0; i < pool->config->server_count; i++) {
        const struct server *server = &pool->servers[i]->server;

        if (!server->is_ejected)
            continue;
        pool->ejected_count++;
        if (server->retry_at_us < pool->retry_at_us)
            pool->retry_at_us = server->retry_at_us;
    }
}

/* A connection to the server failed. */
static void count_failure(struct server *server)
{
    struct pool_server *place = container_of(server, struct pool_server, server);
    struct pool *pool = place->pool;
    const struct pool_config *config = pool->config;

    if (!config->auto_eject_hosts || server->is_ejected)
        return;
    if (++server->failures < config->server_failure_limit)
        return;
    server->failures = 0;
    server->is_ejected = true;
    server->retry_at_us = clock_now_us() + (uint64_t)config->server_retry_timeout_ms * 1000;
    metric_add(&pool->metrics.server_ejects, 1);
    metric_set(&server->metrics.server_ejected_at, (uint64_t)clock_wall_us());
    log_limited(LOG_WARNING, "pool '%s': server '%s' is ejected for %u ms", config->name,
                server->config->name, config->server_retry_timeout_ms);
    if (!build_ring(pool))
        server->is_ejected = false;
    note_retry(pool);
}

/* Lets servers back in whose time has come. */
static void readmit(struct pool *pool)
{
    uint64_t now_us = clock_now_us();

    if (now_us < pool->retry_at_us)
        return;
    for (size_t i = 0; i < pool->config->server_count; i++) {
        struct server *server = &pool->servers[i]->server;

        if (server->is_ejected && server->retry_at_us <= now_us)
            server->is_ejected = false;
    }
    note_retry(pool);
    if (!build_ring(pool))
        log_limited(LOG_ERROR, "out of memory for a ring");
}

/* The server's name stands for other addresses, or for none. */
static void follow_location(struct location *location)
{
    struct server *server = container_of(location, struct server, location);
    struct pool_server *place = container_of(server, struct pool_server, server);

    for (uint32_t i = 0; i < place->upstream_count; i++)
        upstream_follow(&place->upstreams[i]);
}

static bool open_server(struct pool *pool, uint32_t index,
                        const struct pool_surroundings *surroundings)
{
    const struct pool_config *config = pool->config;
    uint32_t count = config->server_connections;
    struct pool_server *place = calloc(1, sizeof(*place) + count * sizeof(place->upstreams[0]));

    if (place == NULL)
        return false;
    pool->servers[index] = place;
    place->pool = pool;
    place->index = index;
    place->upstream_count = count;
    place->server.config = &config->servers[index];
    place->server.pool_config = config;
    place->server.backend = backend_of(config);
    place->server.on_failure = count_failure;
    place->server.loop = surroundings->loop;
    place->server.connections = surroundings->connections;
    place->server.timeout_ms = config->timeout_ms;
    for (uint32_t i = 0; i < count; i++)
        upstream_init(&place->upstreams[i], &place->server);
    place->server.location.changed = follow_location;
    return location_open(&place->server.location, place->server.config, config->resolve_interval_ms,
                         surroundings->loop, surroundings->resolver);
}

bool pool_open(struct pool *pool, const struct pool_config *config,
               const struct pool_surroundings *surroundings)
{
    *pool = (struct pool){.config = config, .retry_at_us = UINT64_MAX};
    pool->servers = calloc(config->server_count, sizeof(*pool->servers));
    pool->members = calloc(config->server_count, sizeof(*pool->members));
    if (pool->servers == NULL || pool->members == NULL)
        return false;
    for (uint32_t i = 0; i < config->server_count; i++) {
        if (!open_server(pool, i, surroundings))
            return false;
    }
    return build_ring(pool);
}

void pool_preconnect(struct pool *pool)
{
    if (!pool->config->preconnect)
        return;
    for (size_t i = 0; i < pool->config->server_count; i++) {
        for (uint32_t k = 0; k < pool->servers[i]->upstream_count; k++)
            upstream_connect(&pool->servers[i]->upstreams[k]);
    }
}

struct pool_server *pool_pick(struct pool *pool, struct str key)
{
    const struct pool_config *config = pool->config;

    if (pool->ejected_count != 0)
        readmit(pool);
    if (pool->ring == NULL)
        return NULL;
    if (config->server_count == 1)
        return pool->servers[0];
    key = config_hashed_part(config, key);
    return pool->servers[ring_pick(pool->ring, hash_key(config->hash, key))];
}

void pool_close(struct pool *pool)
{
    for (size_t i = 0; pool->servers != NULL && i < pool->config->server_count; i++) {
        struct pool_server *place = pool->servers[i];

        for (uint32_t k = 0; place != NULL && k < place->upstream_count; k++)
            upstream_close(&place->upstreams[k]);
        if (place != NULL)
            location_close(&place->server.location);
        free(place);
    }
    free(pool->servers);
    free(pool->members);
    free(pool->ring);
    *pool = (struct pool){0};
}

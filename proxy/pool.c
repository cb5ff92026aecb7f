#include <errno.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "proxy/pool.h"

/* Makes the ring of the servers, but for those whose ejection moves keys, by way of `members`.
 * *ring is NULL when there are none; false when memory ran out. */
static bool make_ring(const struct pool_config *config, struct pool_server **servers,
                      struct ring_server *members, struct ring **ring)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < config->server_count; i++) {
        const struct server_config *server = &config->servers[i];

        if (servers[i]->health.state != HEALTH_EJECTED || config_keeps_homes(config))
            members[count++] = (struct ring_server){str_of(server->name), server->weight, i};
    }
    *ring = count != 0 ? ring_build(config->distribution, members, count) : NULL;
    return count == 0 || *ring != NULL;
}

/* Builds the pool's ring anew; false when memory ran out, the ring is then as before. */
static bool build_ring(struct pool *pool)
{
    struct ring *ring;

    if (!make_ring(pool->config, pool->servers, pool->members, &ring))
        return false;
    free(pool->ring);
    pool->ring = ring;
    return true;
}

/* --- health --- */

/* Whether so many are within what may be ejected at a time. */
static bool is_allowed(const struct pool *pool, size_t count)
{
    return count * 100 <= pool->config->server_count * (size_t)pool->config->eject_max_percent;
}

/* Whether the limit was just reached: the question comes again with each failure and probe. */
static bool is_news(const struct health *health)
{
    unsigned limit = health->server->pool_config->server_failure_limit;

    return health->state != HEALTH_SILENT && health->server->failures <= (limit ? limit : 1);
}

/* Never more than the configuration allows. And where more servers than that fail together
 * without a word, the fault is rather ours, or the network's: then none is ejected. */
static bool may_eject(struct health *health, bool is_refusal)
{
    const struct pool *pool = container_of(health, struct pool_server, health)->pool;
    size_t ejected = 1, troubled = 0;

    if (!pool->config->auto_eject_hosts)
        return false;
    for (size_t i = 0; i < pool->config->server_count; i++) {
        ejected += pool->servers[i]->health.state == HEALTH_EJECTED;
        troubled += health_is_troubled(&pool->servers[i]->health);
    }
    if (is_allowed(pool, ejected) && (is_refusal || is_allowed(pool, troubled)))
        return true;
    if (is_news(health))
        log_limited(LOG_WARNING,
                    "pool '%s': server '%s' is not ejected: %zu of %zu servers are already, %zu "
                    "are in trouble",
                    pool->config->name, health->server->config->name, ejected - 1,
                    pool->config->server_count, troubled);
    return false;
}

static void call_roll(struct health *health)
{
    const struct pool *pool = container_of(health, struct pool_server, health)->pool;

    for (size_t i = 0; i < pool->config->server_count; i++)
        health_ask(&pool->servers[i]->health);
}

static bool tell_owed(struct health *health, bool is_first, struct chain *out,
                      const struct mc_command **command, unsigned *replies)
{
    struct owed *owed = &container_of(health, struct pool_server, health)->owed;

    if (is_first)
        owed_begin_again(owed);
    if (!owed_tell(owed, out, command, replies))
        return false;
    if (*replies == 0)
        owed_clear(owed);
    return true;
}

static void follow_health(struct health *health)
{
    struct pool *pool = container_of(health, struct pool_server, health)->pool;

    if (health->state == HEALTH_EJECTED)
        metric_add(&pool->metrics.server_ejects, 1);
    if (!build_ring(pool))
        log_limited(LOG_ERROR, "pool '%s': out of memory for a ring", pool->config->name);
}

static void count_failure(struct server *server, bool is_refusal)
{
    health_failed(&container_of(server, struct pool_server, server)->health, is_refusal);
}

/* The server's name stands for other addresses, or for none. */
static void follow_location(struct location *location)
{
    struct server *server = container_of(location, struct server, location);
    struct pool_server *place = container_of(server, struct pool_server, server);

    for (uint32_t i = 0; i < place->upstream_count; i++)
        upstream_follow(&place->upstreams[i]);
    if (location->count != 0)
        health_hurry(&place->health);
}

/* --- servers --- */

/* Tells a server what the configuration says of it; the name and where it is do not change. */
static void configure(struct pool_server *place, const struct pool_config *config, uint32_t index)
{
    place->index = index;
    place->server.config = &config->servers[index];
    location_configure(&place->server.location, &config->servers[index],
                       config->resolve_interval_ms);
    place->server.pool_config = config;
    place->server.timeout_ms = config->timeout_ms;
    place->server.slowlog_ms = config->slowlog_ms;
}

static void close_server(struct pool_server *place)
{
    for (uint32_t i = 0; i < place->upstream_count; i++)
        upstream_close(&place->upstreams[i]);
    health_close(&place->health);
    location_close(&place->server.location);
    owed_clear(&place->owed);
    list_remove(&place->link);
    config_release(place->config);
    free(place);
}

static struct pool_server *open_server(struct pool *pool, const struct pool_config *config,
                                       uint32_t index, const struct pool_surroundings *surroundings)
{
    uint32_t count = config->server_connections;
    struct pool_server *place = calloc(1, sizeof(*place) + count * sizeof(place->upstreams[0]));

    if (place == NULL)
        return NULL;
    configure(place, config, index);
    list_init(&place->link);
    place->pool = pool;
    place->upstream_count = count;
    place->server.backend = backend_of(config);
    place->server.on_failure = count_failure;
    place->server.loop = surroundings->loop;
    place->server.connections = surroundings->connections;
    place->server.memory_max = surroundings->memory_max;
    for (uint32_t i = 0; i < count; i++)
        upstream_init(&place->upstreams[i], &place->server);
    place->health.may_eject = may_eject;
    place->health.roll_call = call_roll;
    place->health.tell = tell_owed;
    place->health.moved = follow_health;
    health_init(&place->health, &place->server);
    place->server.location.changed = follow_location;
    if (location_open(&place->server.location, place->server.config, config->resolve_interval_ms,
                      surroundings->loop, surroundings->resolver))
        return place;
    close_server(place);
    return NULL;
}

/* Whether it can be closed without cutting anything off. */
static bool is_idle(const struct pool_server *place)
{
    unsigned links = probe_is_due(&place->health.probe);

    for (uint32_t i = 0; i < place->upstream_count; i++) {
        if (!upstream_is_idle(&place->upstreams[i]))
            return false;
        links += place->upstreams[i].link != NULL;
    }
    return links == place->server.links;
}

/* --- a new configuration --- */

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether connections made for one configuration serve for the other. */
static bool has_same_connections(const struct pool_config *a, const struct pool_config *b)
{
    return a->server_connections == b->server_connections && a->redis_db == b->redis_db &&
           is_same_text(a->redis_auth, b->redis_auth);
}

/* The server that is there already; NULL: none is called so, or it has moved. */
static struct pool_server *find_same(const struct pool *pool, const struct pool_config *config,
                                     const struct server_config *wanted)
{
    if (!has_same_connections(pool->config, config))
        return NULL;
    for (size_t i = 0; i < pool->config->server_count; i++) {
        const struct server_config *present = &pool->config->servers[i];

        if (strcmp(present->name, wanted->name) == 0)
            return present->port == wanted->port && is_same_text(present->host, wanted->host) &&
                           is_same_text(present->unix_path, wanted->unix_path)
                       ? pool->servers[i]
                       : NULL;
    }
    return NULL;
}

/* What a new configuration needs, before anything is changed. */
struct successor {
    struct pool_server **servers;
    struct ring_server *members;
    struct ring *ring;
};

static void drop_successor(const struct pool *pool, struct successor *next, size_t count)
{
    for (size_t i = 0; next->servers != NULL && i < count; i++) {
        bool is_new = next->servers[i] != NULL;

        for (size_t k = 0; is_new && pool->servers != NULL && k < pool->config->server_count; k++)
            is_new = pool->servers[k] != next->servers[i];
        if (is_new)
            close_server(next->servers[i]);
    }
    free(next->servers);
    free(next->members);
}

static bool make_successor(struct pool *pool, const struct pool_config *config,
                           const struct pool_surroundings *surroundings, struct successor *next)
{
    bool is_good;

    next->servers = calloc(config->server_count, sizeof(*next->servers));
    next->members = calloc(config->server_count, sizeof(*next->members));
    is_good = next->servers != NULL && next->members != NULL;
    for (uint32_t i = 0; is_good && i < config->server_count; i++) {
        if (pool->servers != NULL)
            next->servers[i] = find_same(pool, config, &config->servers[i]);
        if (next->servers[i] == NULL)
            next->servers[i] = open_server(pool, config, i, surroundings);
        is_good = next->servers[i] != NULL;
    }
    if (is_good && make_ring(config, next->servers, next->members, &next->ring))
        return true;
    drop_successor(pool, next, config->server_count);
    return false;
}

/* Takes a server out of use: it keeps the configuration that it was in. */
static void retire(struct pool *pool, struct pool_server *place, struct config *old)
{
    health_retire(&place->health);
    place->config = config_hold(old);
    list_append(&pool->retired, &place->link);
}

bool pool_change(struct pool *pool, const struct pool_config *config,
                 const struct pool_surroundings *surroundings, struct config *old)
{
    struct successor next = {0};

    if (!make_successor(pool, config, surroundings, &next))
        return false;
    for (uint32_t i = 0; i < config->server_count; i++)
        configure(next.servers[i], config, i);
    for (size_t i = 0; i < pool->config->server_count; i++) {
        struct pool_server *place = pool->servers[i];

        if (place->server.pool_config != config)
            retire(pool, place, old);
    }
    free(pool->servers);
    free(pool->members);
    free(pool->ring);
    pool->servers = next.servers;
    pool->members = next.members;
    pool->ring = next.ring;
    pool->config = config;
    return true;
}

void pool_reap(struct pool *pool)
{
    LIST_EACH (&pool->retired, link, after) {
        struct pool_server *place = container_of(link, struct pool_server, link);

        if (is_idle(place))
            close_server(place);
    }
}

bool pool_is_idle(const struct pool *pool)
{
    for (size_t i = 0; i < pool->config->server_count; i++) {
        if (!is_idle(pool->servers[i]))
            return false;
    }
    LIST_EACH (&pool->retired, link, after) {
        if (!is_idle(container_of(link, struct pool_server, link)))
            return false;
    }
    return true;
}

/* --- the pool --- */

bool pool_open(struct pool *pool, const struct pool_config *config,
               const struct pool_surroundings *surroundings)
{
    struct successor first = {0};

    *pool = (struct pool){.config = config, .find_pool = surroundings->find_pool};
    list_init(&pool->retired);
    if (!make_successor(pool, config, surroundings, &first))
        return false;
    pool->servers = first.servers;
    pool->members = first.members;
    pool->ring = first.ring;
    return true;
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

/* Who is asked for a key. */
enum asked_as { ASKED_AS_HOME, ASKED_AS_FAILOVER };

/* The finalizer of A. Appleby's MurmurHash3, 32 bits. */
static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85ebca6b;
    x = (x ^ x >> 13) * 0xc2b2ae35;
    return x ^ x >> 16;
}

/* The server that the ring gives; there is one. A failover has its keys by a hash of their hash:
 * servers of the same names would else get all that one of the same name had. */
static struct pool_server *find_home(const struct pool *pool, struct str key, enum asked_as role)
{
    const struct pool_config *config = pool->config;
    uint32_t hash;

    if (config->server_count == 1)
        return pool->servers[0];
    hash = hash_key(config->hash, config_hashed_part(config, key));
    return pool->servers[ring_pick(pool->ring, role == ASKED_AS_FAILOVER ? mix(hash) : hash)];
}

static struct pool *find_failover(const struct pool *pool)
{
    return pool->config->failover ? pool->find_pool(pool, pool->config->failover) : NULL;
}

/* For a key whose server gets no requests. */
static struct pool_server *pick_instead(const struct pool *pool, const struct pool_server *home,
                                        struct str key, const char **trouble)
{
    const struct pool *failover = find_failover(pool);

    if (failover != NULL && failover->ring != NULL) {
        struct pool_server *other = find_home(failover, key, ASKED_AS_FAILOVER);

        if (health_is_served(&other->health))
            return other;
    }
    *trouble = pool->config->on_eject == ON_EJECT_MISS ? NULL
               : home->health.state == HEALTH_SILENT   ? strerror(ETIMEDOUT)
                                                       : strerror(ECONNREFUSED);
    return NULL;
}

struct pool_server *pool_pick(struct pool *pool, struct str key, const char **trouble)
{
    struct pool_server *home;

    if (pool->ring == NULL) {
        *trouble = strerror(ECONNREFUSED);
        return NULL;
    }
    home = find_home(pool, key, ASKED_AS_HOME);
    return health_is_served(&home->health) ? home : pick_instead(pool, home, key, trouble);
}

void pool_owe(struct pool *pool, struct str key)
{
    owed_add(&find_home(pool, key, ASKED_AS_HOME)->owed, key);
}

size_t pool_pick_count(const struct pool *pool)
{
    const struct pool *failover = find_failover(pool);

    return pool->config->server_count + 1 + (failover ? failover->config->server_count : 0);
}

size_t pool_pick_number(const struct pool *pool, const struct pool_server *server)
{
    if (server == NULL)
        return pool->config->server_count;
    return server->pool == pool ? server->index : pool->config->server_count + 1 + server->index;
}

void pool_close(struct pool *pool)
{
    for (size_t i = 0; pool->servers != NULL && i < pool->config->server_count; i++)
        close_server(pool->servers[i]);
    LIST_EACH (&pool->retired, link, after)
        close_server(container_of(link, struct pool_server, link));
    free(pool->servers);
    free(pool->members);
    free(pool->ring);
    *pool = (struct pool){0};
}

#include <stdlib.h>

#include "common/base/log.h"
#include "proxy/advice.h"

enum { ADVICE_MAX = 1024 };

/* Hashes that spread similar keys badly over ketama's circle. On ten equal servers the fullest
 * has, of user:0 to user:99, so many times its share: crc32 10, fnv1_64 and fnv1a_64 9, crc16
 * 6; the others 1.3 to 3. The unit test measures it. */
static const struct {
    const char *hash, *trouble;
} clumping[] = {
    {"crc32", "sends all keys to one server"},
    {"fnv1_64", "sends keys that differ in their last characters to the same server"},
    {"fnv1a_64", "sends keys that differ in their last characters to the same server"},
    {"crc16", "sends short keys that are alike to the same server"},
};

static void look_at_hash(const struct pool_config *pool, void (*say)(const char *text))
{
    char text[ADVICE_MAX];

    if (pool->distribution->kind != RING_CIRCLE)
        return;
    for (size_t i = 0; i < sizeof(clumping) / sizeof(clumping[0]); i++) {
        if (strcmp(pool->hash->name, clumping[i].hash) != 0)
            continue;
        snprintf(text, sizeof(text),
                 "pool '%s': hash %s with %s %s; murmur or xxh3 would not, but a change of hash "
                 "empties a pool",
                 pool->name, pool->hash->name, pool->distribution->name, clumping[i].trouble);
        say(text);
    }
}

static void look_at_weights(const struct pool_config *pool, void (*say)(const char *text))
{
    struct ring *ring = config_build_ring(pool);
    bool *has_point = calloc(pool->server_count, sizeof(*has_point));
    char text[ADVICE_MAX];

    for (unsigned i = 0; ring != NULL && has_point != NULL && i < ring->count; i++)
        has_point[ring->points[i].server] = true;
    for (uint32_t i = 0; ring != NULL && has_point != NULL && i < pool->server_count; i++) {
        if (has_point[i])
            continue;
        snprintf(text, sizeof(text),
                 "pool '%s': server '%s' gets no key: its weight of %u rounds to no place on the "
                 "ring",
                 pool->name, pool->servers[i].name, pool->servers[i].weight);
        say(text);
    }
    free(has_point);
    free(ring);
}

void advice_give(const struct config *config, void (*say)(const char *text))
{
    for (size_t i = 0; i < config->pool_count; i++) {
        if (config->pools[i].server_count == 1)
            continue;
        look_at_hash(&config->pools[i], say);
        look_at_weights(&config->pools[i], say);
    }
}

static void log_one(const char *text)
{
    log_warning("%s", text);
}

void advice_log(const struct config *config)
{
    advice_give(config, log_one);
}

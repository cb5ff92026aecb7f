#include <stdlib.h>

#include "proxy/explain.h"

/* In quotes; a byte that would upset a terminal as \xNN. */
static void print_key(FILE *out, struct str key)
{
    fputc('\'', out);
    for (size_t i = 0; i < key.len; i++) {
        unsigned char byte = (unsigned char)key.data[i];

        fprintf(out, byte > ' ' && byte < 0x7f && byte != '\\' ? "%c" : "\\x%02x", byte);
    }
    fputc('\'', out);
}

static void print_place(FILE *out, const struct pool_config *pool, const struct ring *ring,
                        struct str key)
{
    struct str hashed = config_hashed_part(pool, key);
    uint32_t hash = hash_key(pool->hash, hashed);
    uint32_t found, server;

    fprintf(out, "hash %s of ", pool->hash->name);
    print_key(out, hashed);
    fprintf(out, " is 0x%08x, ", hash);
    if (ring->count == 0) {
        fprintf(out, "%s has no place, server '%s'", pool->distribution->name,
                pool->servers[0].name);
        return;
    }
    found = ring->distribution->find(ring, hash);
    server = ring->points[found].server;
    fprintf(out, "%s place %u of %u", pool->distribution->name, found + 1, ring->count);
    if (ring->distribution->kind == RING_CIRCLE)
        fprintf(out, " at 0x%08x", ring->points[found].value);
    fprintf(out, ", server '%s' (%s)", pool->servers[server].name, pool->servers[server].text);
}

static void explain_key(FILE *out, const struct pool_config *pool, const struct ring *ring,
                        struct str key)
{
    fprintf(out, "pool '%s', key ", pool->name);
    print_key(out, key);
    fputs(": ", out);
    if (pool->server_count == 1)
        fprintf(out, "not hashed, server '%s' (%s)", pool->servers[0].name, pool->servers[0].text);
    else if (pool->distribution == &distribution_random)
        fprintf(out, "not hashed, any of %zu servers", pool->server_count);
    else if (ring == NULL)
        fputs("out of memory", out);
    else
        print_place(out, pool, ring, key);
    fputc('\n', out);
}

void explain_keys(const struct config *config, const char *const *keys, size_t count, FILE *out)
{
    for (size_t i = 0; i < config->pool_count; i++) {
        struct ring *ring = config_build_ring(&config->pools[i]);

        for (size_t k = 0; k < count; k++)
            explain_key(out, &config->pools[i], ring, str_of(keys[k]));
        free(ring);
    }
}

/*
 * Modula: a key's hash modulo the summed weights picks a slot, and each server
 * holds as many slots, in the order of the names, as its weight. Simple and
 * even, but nearly every key moves when a server comes or goes.
 */
#include "proxy/distribution/distribution.h"

static struct ring *modula_build(const struct ring_server *servers, unsigned count)
{
    unsigned slots = 0;
    struct ring *ring;

    for (unsigned i = 0; i < count; i++)
        slots += servers[i].weight;
    ring = ring_create(slots, 0);
    if (ring == NULL)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned w = 0; w < servers[i].weight; w++)
            ring->points[ring->count++] = (struct ring_point){0, servers[i].index};
    }
    return ring;
}

static uint32_t modula_find(const struct ring *ring, uint32_t hash)
{
    return hash % ring->count;
}

const struct distribution distribution_modula = {"modula", RING_SLOTS, modula_build, modula_find};

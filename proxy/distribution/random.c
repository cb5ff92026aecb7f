/*
 * Random: any server, all alike; neither keys nor weights count. For pools whose
 * servers are proxies or hold the same.
 */
#include "common/base/random.h"
#include "proxy/distribution/distribution.h"

static struct ring *random_build(const struct ring_server *servers, unsigned count)
{
    struct ring *ring = ring_create(count, 0);

    if (ring == NULL)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        ring->points[ring->count++] = (struct ring_point){0, servers[i].index};
    return ring;
}

static uint32_t random_find(const struct ring *ring, uint32_t hash)
{
    (void)hash;
    return random_below(ring->count);
}

const struct distribution distribution_random = {"random", RING_SERVERS, random_build, random_find};

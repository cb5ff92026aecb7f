/*
 * Maglev: a table of slots, which the servers fill by turns, each in an order of its own that
 * comes from its name; a key's hash modulo the size picks the slot. One look at the table for a
 * key, shares even to a slot, and when a server goes little but its own keys moves.
 *
 * D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4. Weights as proposed there: who weighs less takes fewer turns.
 */
#include <stdlib.h>

#include "common/hash/hash.h"
#include "proxy/distribution/distribution.h"

/* The paper's smaller table, a prime. It is the same for all pools: were it to follow the number
 * of servers, all keys would move when that crosses a bound. */
enum { SLOTS = 65537 };

static const uint32_t FREE = UINT32_MAX;

/* A server while the table is filled. */
struct turn {
    uint32_t slot;   /* the next that it would like */
    uint32_t skip;   /* from one to the next */
    uint64_t credit; /* of weight; a turn costs the greatest weight */
};

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (unsigned i = 8; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static struct turn turn_of(struct str name)
{
    uint8_t digest[16];

    hash_md5_digest(name, digest);
    return (struct turn){.slot = (uint32_t)(load_u64(digest) % SLOTS),
                         .skip = (uint32_t)(load_u64(digest + 8) % (SLOTS - 1)) + 1};
}

/* The server takes the first free slot of its order. */
static void take_slot(struct ring *ring, struct turn *turn, uint32_t index)
{
    while (ring->points[turn->slot].server != FREE)
        turn->slot = (turn->slot + turn->skip) % SLOTS;
    ring->points[turn->slot] = (struct ring_point){0, index};
    ring->count++;
}

static void fill(struct ring *ring, struct turn *turns, const struct ring_server *servers,
                 unsigned count)
{
    uint32_t greatest = 0;

    for (unsigned i = 0; i < count; i++) {
        turns[i] = turn_of(servers[i].name);
        greatest = servers[i].weight > greatest ? servers[i].weight : greatest;
    }
    for (unsigned slot = 0; slot < SLOTS; slot++)
        ring->points[slot].server = FREE;
    for (unsigned i = 0; ring->count < SLOTS; i = (i + 1) % count) {
        turns[i].credit += servers[i].weight;
        if (turns[i].credit < greatest)
            continue;
        turns[i].credit -= greatest;
        take_slot(ring, &turns[i], servers[i].index);
    }
}

static struct ring *maglev_build(const struct ring_server *servers, unsigned count)
{
    struct turn *turns = calloc(count, sizeof(*turns));
    struct ring *ring = turns ? ring_create(SLOTS, 0) : NULL;

    if (ring != NULL)
        fill(ring, turns, servers, count);
    free(turns);
    return ring;
}

static uint32_t maglev_find(const struct ring *ring, uint32_t hash)
{
    (void)ring;
    return hash % SLOTS;
}

const struct distribution distribution_maglev = {"maglev", RING_SLOTS, maglev_build, maglev_find};

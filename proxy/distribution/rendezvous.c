/*
 * Rendezvous: for each key every server draws a number from its name and the key's hash, and
 * the best draw has the key. Nothing but a gone server's own keys moves, and they spread over
 * all others by weight. A look-up goes over all servers: for pools of a few dozen.
 *
 * D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM
 * Transactions on Networking 6(1), 1998. Weights by the logarithmic method of C. Schindelhauer,
 * G. Schomaker, "Weighted distributed hash tables", SPAA 2005: the draw is exponential with the
 * weight as its rate, and the least wins.
 */
#include <endian.h>
#include <math.h>
#include <string.h>

#include "common/hash/hash.h"
#include "proxy/distribution/distribution.h"

/* In ring->more: all weights are alike, and a seed and weight for each of the ring's servers. */
struct rendezvous {
    bool is_even;
    struct {
        uint64_t seed;
        double weight;
    } rows[];
};

/* The finalizer of A. Appleby's MurmurHash3, 64 bits: a bijection that leaves no pattern. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

static struct ring *rendezvous_build(const struct ring_server *servers, unsigned count)
{
    struct rendezvous *own;
    struct ring *ring = ring_create(count, sizeof(*own) + count * sizeof(own->rows[0]));

    if (ring == NULL)
        return NULL;
    own = ring->more;
    own->is_even = true;
    for (unsigned i = 0; i < count; i++) {
        uint8_t digest[16];

        hash_md5_digest(servers[i].name, digest);
        memcpy(&own->rows[i].seed, digest, sizeof(own->rows[i].seed));
        own->rows[i].seed = le64toh(own->rows[i].seed);
        own->rows[i].weight = servers[i].weight;
        own->is_even = own->is_even && servers[i].weight == servers[0].weight;
        ring->points[ring->count++] = (struct ring_point){0, servers[i].index};
    }
    return ring;
}

/* The draw is -ln(u) / weight with u uniform in 0..1; alike weights need no logarithm, for the
 * greatest u has the least draw. */
static uint32_t rendezvous_find(const struct ring *ring, uint32_t hash)
{
    const struct rendezvous *own = ring->more;
    uint64_t greatest = 0;
    double least = HUGE_VAL;
    uint32_t found = 0;

    for (uint32_t i = 0; i < ring->count; i++) {
        uint64_t u = mix(own->rows[i].seed ^ hash);
        double draw;

        if (own->is_even) {
            found = u > greatest ? i : found;
            greatest = u > greatest ? u : greatest;
            continue;
        }
        draw = -log(((double)(u >> 11) + 0.5) * 0x1p-53) / own->rows[i].weight;
        found = draw < least ? i : found;
        least = draw < least ? draw : least;
    }
    return found;
}

const struct distribution distribution_rendezvous = {"rendezvous", RING_SERVERS, rendezvous_build,
                                                     rendezvous_find};

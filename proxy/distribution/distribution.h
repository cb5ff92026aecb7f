/*
 * How keys are spread over the servers of a pool: a distribution builds a ring
 * from names and weights, and picks a server for a key's hash. Weights and hashes
 * only: no sockets.
 *
 * A ring never changes; when servers come or go another one takes its place.
 */
#ifndef PROXY_DISTRIBUTION_DISTRIBUTION_H
#define PROXY_DISTRIBUTION_DISTRIBUTION_H

#include <stdint.h>

#include "common/bytes/str.h"

/* A place that keys can fall on. What `value` is, if anything, the distribution knows. */
struct ring_point {
    uint32_t value;
    uint32_t server;
};

struct distribution;

enum { RING_PARTS = 256 };

struct ring {
    const struct distribution *distribution;
    unsigned count;
    uint32_t starts[RING_PARTS]; /* ketama: the first point in each 256th of the circle */
    void *more;                  /* what else the distribution keeps, behind the points */
    struct ring_point points[];
};

/* A server that takes part; the caller hands them over in the order of their names. */
struct ring_server {
    struct str name;
    uint32_t weight; /* at least 1 */
    uint32_t index;  /* what ring_pick returns for it */
};

/* What its places are, for who explains where a key goes. */
enum ring_kind {
    RING_CIRCLE, /* points with values in ascending order */
    RING_SLOTS,  /* a table */
    RING_SERVERS /* one for each server */
};

struct distribution {
    const char *name;
    enum ring_kind kind;
    /* NULL when memory ran out. `count` is at least 1. */
    struct ring *(*build)(const struct ring_server *servers, unsigned count);
    /* The index of the point that the hash falls on. The ring has at least one. */
    uint32_t (*find)(const struct ring *ring, uint32_t hash);
};

extern const struct distribution distribution_ketama, distribution_modula, distribution_random,
    distribution_maglev, distribution_rendezvous;

/* Ketama with exactly RING_POINTS_FIXED points for each unit of weight, however many servers
 * there are. Not in the table: a pool's ring_points turns ketama into it. */
enum { RING_POINTS_FIXED = 160 };
extern const struct distribution distribution_ketama_fixed;

/* A longer name, with a number behind it, nutcracker's ketama would cut short. */
enum { RING_NAME_MAX = 264 };

/* A ring with more would take too long to build, and too much memory. */
enum { RING_POINTS_MAX = 10000000 };

/* All of them, ended by NULL. */
extern const struct distribution *const distributions[];

/* Returns NULL when none has this name. */
const struct distribution *distribution_find(struct str name);

/* Builds the ring, to be freed with free(); NULL when memory ran out. */
struct ring *ring_build(const struct distribution *distribution, const struct ring_server *servers,
                        unsigned count);

/* The index of the server that a key with this hash belongs to. A ring without a point,
 * where all weights round to nothing, gives its first server. */
static inline uint32_t ring_pick(const struct ring *ring, uint32_t hash)
{
    if (ring->count == 0)
        return 0;
    return ring->points[ring->distribution->find(ring, hash)].server;
}

/* How many points the server has. */
unsigned ring_points_of(const struct ring *ring, uint32_t server);

/* For distributions: a ring with room for `count` points, none in use yet, and for
 * `more_len` bytes at ring->more. */
struct ring *ring_create(unsigned count, size_t more_len);

/* The order of servers in a pool: shorter names first, then by their bytes. */
int distribution_compare_names(struct str a, struct str b);

/*
 * What of a key is hashed when the pool has a hash tag: the bytes between the first tag[0]
 * and the first tag[1] behind it if there are any, else the whole key.
 */
struct str hash_tag_cut(struct str key, const char tag[2]);

#endif

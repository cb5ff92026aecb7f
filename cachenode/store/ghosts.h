/*
 * What is remembered of items that were evicted: 16 bits each, half of them to tell its hash from
 * others and half its score (score.h). An item that comes back while it is remembered goes on
 * from there; and how many of those that come are such tells what a new item is worth.
 * The idea is that of ghost lists (N. Megiddo and D. S. Modha, "ARC", 2003).
 *
 * There are a few cells to each bucket of the index, and they belong to its stripe: calls are
 * made with that locked. When a bucket is split, what was remembered of the half that leaves
 * is lost.
 */
#ifndef CACHENODE_STORE_GHOSTS_H
#define CACHENODE_STORE_GHOSTS_H

#include <stdbool.h>
#include <stdint.h>

enum { GHOSTS_PER_BUCKET = 4, GHOST_WAYS = 2 };

struct ghosts {
    uint16_t *cells; /* reserved addresses; 0: empty */
    uint64_t bucket_max;
};

enum ghost { GHOST_UNKNOWN, GHOST_ABSENT, GHOST_FOUND };

/* For an index that may come to so many buckets. False: not enough memory. */
bool ghosts_init(struct ghosts *ghosts, uint64_t bucket_max);
void ghosts_free(struct ghosts *ghosts);

/* Remembers an item of the bucket; of those it shares its cells with, the one of the least
 * worth is forgotten. */
void ghosts_add(struct ghosts *ghosts, uint32_t bucket, uint32_t hash, uint8_t score,
                uint8_t clock);

/* Whether an item with this hash is remembered, and then its score. GHOST_UNKNOWN: it is not,
 * but so little was evicted yet that this says nothing. */
enum ghost ghosts_find(const struct ghosts *ghosts, uint32_t bucket, uint32_t hash, uint8_t clock,
                       uint8_t *score);

static inline uint64_t ghosts_bytes(uint64_t bucket_count)
{
    return bucket_count * GHOSTS_PER_BUCKET * sizeof(uint16_t);
}

#endif

/*
 * The index: items by the hash of their key, in buckets of one cache line each: twelve
 * tags of 8 bits and twelve ids, so that a miss costs one line and a hit two. What does
 * not fit goes to spares of half a line.
 *
 * It grows by linear hashing (W. Litwin, "Linear hashing: a new tool for file and
 * table addressing", 1980), one bucket at a time and in place: nobody is paused. A
 * bucket and the one that it is split into belong to the same stripe; all calls but
 * the prefetches are made with the stripe of the hash locked.
 */
#ifndef CACHENODE_STORE_HASH_TABLE_H
#define CACHENODE_STORE_HASH_TABLE_H

#include "cachenode/store/slab.h"

enum { BUCKET_SLOTS = 12, SPARE_SLOTS = 5, STRIPE_COUNT = 1024 };

struct bucket {
    uint8_t tags[BUCKET_SLOTS]; /* 0: free */
    item_id ids[BUCKET_SLOTS];
    uint32_t overflow; /* index of a further bucket in `spares`; 0: none */
};

struct spare {
    uint8_t tags[8]; /* the first SPARE_SLOTS */
    item_id ids[SPARE_SLOTS];
    uint32_t overflow;
};

_Static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");
_Static_assert(sizeof(struct spare) == 32, "a spare is half of one");

struct hash_table {
    const struct slab *slab;
    struct bucket *buckets; /* reserved addresses */
    struct spare *spares;
    uint64_t bucket_max, spare_max;
    uint32_t bucket_count; /* in use, atomic; between two powers of two while it grows */
    uint64_t item_count;   /* atomic */
    struct lock spare_lock;
    uint32_t spare_used, spare_free; /* spares ever used; chain of free ones */
    struct lock stripes[STRIPE_COUNT];
};

/* 2^power entries at first; with `is_fixed` their number never grows. The table may come to
 * index `item_max` items. */
bool hash_table_init(struct hash_table *table, const struct slab *slab, unsigned power,
                     bool is_fixed, uint64_t item_max);
void hash_table_free(struct hash_table *table);

static inline struct lock *hash_table_stripe(struct hash_table *table, uint32_t hash)
{
    return &table->stripes[hash % STRIPE_COUNT];
}

/* The number of the bucket that a hash belongs to at present. */
uint32_t hash_table_bucket(const struct hash_table *table, uint32_t hash);

/* NULL: not there. */
struct item *hash_table_find(const struct hash_table *table, struct str key, uint32_t hash);

/* Whether this very item is there. */
bool hash_table_has(const struct hash_table *table, const struct item *item, uint32_t hash);

/* Adds an item whose key is not there; false: memory ran out. */
bool hash_table_add(struct hash_table *table, struct item *item, uint32_t hash);

/* Puts `with` in the place of `item`, which is there and has the same key. */
void hash_table_replace(struct hash_table *table, const struct item *item, struct item *with,
                        uint32_t hash);

/* Removes an item that is there. */
void hash_table_remove(struct hash_table *table, const struct item *item, uint32_t hash);

/* Makes an empty table fit for so many items. */
void hash_table_expect(struct hash_table *table, uint64_t item_count);

/* Whether it is time to grow; then splits one bucket, locking its stripe itself. */
bool hash_table_is_crowded(const struct hash_table *table);
void hash_table_grow(struct hash_table *table, uint32_t (*hash_of)(struct str key));

/* Bytes that buckets and spares take up. */
uint64_t hash_table_bytes(struct hash_table *table);

/* The first of a bucket's items for which `is_wanted`; call with its stripe locked. */
struct item *hash_table_search(const struct hash_table *table, uint32_t bucket,
                               bool (*is_wanted)(const struct item *item, void *arg), void *arg);

const struct bucket *hash_table_prefetch_bucket(const struct hash_table *table, uint32_t hash);
void hash_table_prefetch_item(const struct hash_table *table, const struct bucket *bucket,
                              uint32_t hash);

#endif

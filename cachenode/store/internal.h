/*
 * The store's insides, shared by the files of this folder alone.
 */
#ifndef CACHENODE_STORE_INTERNAL_H
#define CACHENODE_STORE_INTERNAL_H

#include "cachenode/store/hash_table.h"
#include "cachenode/store/lru.h"
#include "cachenode/store/store.h"

enum { FLUSHES_MAX = 1024 };

struct store {
    struct store_options options;
    struct slab slab;
    struct hash_table table;
    struct lru lrus[SLAB_CLASS_MAX]; /* by class; that of the largest has the chunked items too */
    uint64_t start_us;               /* monotonic */
    uint32_t now;                    /* atomic */
    uint64_t last_cas;               /* atomic */
    uint64_t flushed_cas;            /* atomic; items up to this one are flushed */
    struct lock lock;                /* guards what follows */
    uint32_t flushes[FLUSHES_MAX];   /* seconds at which all older items go */
    unsigned flush_count;
    struct list users;
    /* upkeep's own */
    uint32_t crawled; /* bucket that the crawler looks at next */
    unsigned balanced;
    uint64_t juggles;
};

/* The list that the item belongs to. */
static inline struct lru *lru_of(struct store *store, const struct item *item)
{
    return &store->lrus[item->is_chunked ? store->slab.class_count : item_class(item)];
}

/* Whether a look-up must not find it. */
bool item_is_expired(const struct store *store, const struct item *item);
bool item_is_flushed(const struct store *store, const struct item *item);

/* Out of index and lists, letting the hold of being linked go. With its stripe locked; the
 * second also with its list's lock held. Whoever held it last frees it. */
void item_unlink(struct store_user *user, struct item *item, uint32_t hash);
void item_unlink_listed(struct store_user *user, struct item *item, uint32_t hash);

/* Frees an item that nobody holds, and its chunks. */
void item_free(struct store_user *user, struct item *item);

/* A chunk of the class; evicts for it if that is allowed. NULL: there is none. */
void *evict_take(struct store_user *user, unsigned class_id);

#endif

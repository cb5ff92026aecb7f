/*
 * The segmented LRU: four lists per slab class. New items enter HOT; what was used
 * twice flows to WARM, the rest to COLD, from whose tail memory is taken. A hit only
 * marks its item; lists are put in order by upkeep and by who needs memory.
 *
 * All calls are made with the class's `lock` held.
 */
#ifndef CACHENODE_STORE_LRU_H
#define CACHENODE_STORE_LRU_H

#include "cachenode/store/slab.h"

struct lru_list {
    item_id head, tail;
    uint64_t count, bytes; /* bytes: of nominal sizes */
};

/* What happened to a class's items; memcached's names. */
struct lru_counters {
    uint64_t evicted, evicted_nonzero, evicted_time, outofmemory, reclaimed;
    uint64_t expired_unfetched, evicted_unfetched, evicted_active;
    uint64_t crawler_reclaimed, crawler_items_checked, tail_reflocked;
    uint64_t moves_to_cold, moves_to_warm, moves_within_lru, direct_reclaims;
};

struct lru {
    struct lock lock;
    struct lru_list lists[SEGMENT_COUNT];
    struct lru_counters counters;
};

/* Puts the item, which is in no list, at the head of the segment. */
void lru_link(const struct slab *slab, struct lru *lru, struct item *item, enum segment segment);

/* Takes it out of its list. */
void lru_unlink(const struct slab *slab, struct lru *lru, struct item *item);

/* Moves it to the head of a segment. */
void lru_move(const struct slab *slab, struct lru *lru, struct item *item, enum segment segment);

static inline struct item *lru_tail(const struct slab *slab, const struct lru *lru,
                                    enum segment segment)
{
    item_id tail = lru->lists[segment].tail;

    return tail == 0 ? NULL : slab_at(slab, tail);
}

#endif

/*
 * Making room: choose, unlink, count. And the same walk from the tails without need,
 * which keeps the segments' shares.
 */
#include "cachenode/store/internal.h"

enum { LOOKS_MAX = 50, BALANCE_STEPS = 200 };

/* What became of a look at the tail of a list. */
enum look { LOOK_EMPTY, LOOK_BUSY, LOOK_MOVED, LOOK_FREED };

static void count_eviction(struct store *store, struct lru *lru, const struct item *item)
{
    struct lru_counters *counters = &lru->counters;

    counters->evicted++;
    counters->evicted_time = store_now(store) - item_used_at(item);
    if (item->expires_at != 0)
        counters->evicted_nonzero++;
    if (!item_is(item, ITEM_FETCHED))
        counters->evicted_unfetched++;
    if (item_is(item, ITEM_ACTIVE))
        counters->evicted_active++;
}

static void move_active(struct store *store, struct lru *lru, struct item *item,
                        enum segment segment)
{
    __atomic_store_n(&item->used, item->used & ~(uint32_t)ITEM_ACTIVE, __ATOMIC_RELAXED);
    lru_move(&store->slab, lru, item, SEGMENT_WARM);
    if (segment == SEGMENT_WARM)
        lru->counters.moves_within_lru++;
    else
        lru->counters.moves_to_warm++;
}

/*
 * Looks at the tail of a segment: frees it when it is over; moves it to WARM when it was
 * used; else moves it to COLD or, from COLD with `must_free`, evicts it. Comes from the
 * list to the item, so it only tries the stripe, and puts a busy item to the head.
 */
static enum look look_at_tail(struct store_user *user, struct lru *lru, enum segment segment,
                              bool must_free)
{
    struct store *store = user->store;
    struct item *item = lru_tail(&store->slab, lru, segment);
    struct lock *stripe;
    enum look look = LOOK_MOVED;
    uint32_t hash;

    if (item == NULL)
        return LOOK_EMPTY;
    hash = store_hash(item_key(item));
    stripe = hash_table_stripe(&store->table, hash);
    if (!lock_try(stripe)) {
        lru->counters.tail_reflocked++;
        lru_move(&store->slab, lru, item, segment);
        return LOOK_BUSY;
    }
    if (item_is_expired(store, item) || item_is_flushed(store, item)) {
        lru->counters.reclaimed++;
        if (!item_is(item, ITEM_FETCHED))
            lru->counters.expired_unfetched++;
        item_unlink_listed(user, item, hash);
        look = LOOK_FREED;
    } else if (item_is(item, ITEM_ACTIVE) && segment != SEGMENT_TEMP) {
        move_active(store, lru, item, segment);
    } else if (!must_free) {
        lru_move(&store->slab, lru, item, SEGMENT_COLD);
        lru->counters.moves_to_cold++;
    } else if (__atomic_load_n(&item->refs, __ATOMIC_ACQUIRE) > 1) {
        lru->counters.tail_reflocked++;
        lru_move(&store->slab, lru, item, segment);
        look = LOOK_BUSY;
    } else {
        count_eviction(store, lru, item);
        item_unlink_listed(user, item, hash);
        look = LOOK_FREED;
    }
    lock_give(stripe);
    return look;
}

/* Frees one item of the list; false when there is nothing that may go. */
static bool evict_one(struct store_user *user, struct lru *lru)
{
    bool evictions = user->store->options.evictions;
    bool has_freed = false;

    lock_take(&lru->lock);
    for (unsigned looks = 0; looks < LOOKS_MAX && !has_freed; looks++) {
        enum look look = LOOK_EMPTY;

        /* With -M only what is over goes; elsewhere COLD is filled up first if need be. */
        if (evictions || lru->lists[SEGMENT_COLD].count != 0)
            look = look_at_tail(user, lru, SEGMENT_COLD, evictions);
        if (look == LOOK_EMPTY)
            look = look_at_tail(user, lru, SEGMENT_HOT, false);
        if (look == LOOK_EMPTY)
            look = look_at_tail(user, lru, SEGMENT_WARM, false);
        if (look == LOOK_EMPTY)
            break;
        has_freed = look == LOOK_FREED;
    }
    if (has_freed)
        lru->counters.direct_reclaims++;
    else
        lru->counters.outofmemory++;
    lock_give(&lru->lock);
    return has_freed;
}

void *evict_take(struct store_user *user, unsigned class_id)
{
    struct store *store = user->store;

    for (unsigned tries = 0; tries < 10; tries++) {
        void *chunk = slab_take(&store->slab, &user->magazines[class_id], class_id);

        if (chunk != NULL)
            return chunk;
        if (!evict_one(user, &store->lrus[class_id]))
            return NULL;
    }
    return NULL;
}

static bool is_over_share(const struct lru *lru, enum segment segment, unsigned pct)
{
    uint64_t bytes = 0;

    for (int i = 0; i < SEGMENT_COUNT; i++)
        bytes += lru->lists[i].bytes;
    return lru->lists[segment].bytes * 100 > bytes * pct;
}

bool store_balance(struct store_user *user)
{
    struct store *store = user->store;
    unsigned steps = 0;

    for (unsigned class_id = 1; class_id <= store->slab.class_count; class_id++) {
        struct lru *lru = &store->lrus[class_id];
        unsigned before = steps;

        lock_take(&lru->lock);
        while (steps - before < BALANCE_STEPS &&
               is_over_share(lru, SEGMENT_HOT, store->options.hot_pct) &&
               look_at_tail(user, lru, SEGMENT_HOT, false) != LOOK_BUSY)
            steps++;
        while (steps - before < BALANCE_STEPS &&
               is_over_share(lru, SEGMENT_WARM, store->options.warm_pct) &&
               look_at_tail(user, lru, SEGMENT_WARM, false) != LOOK_BUSY)
            steps++;
        lock_give(&lru->lock);
    }
    __atomic_fetch_add(&store->juggles, 1, __ATOMIC_RELAXED);
    return steps >= BALANCE_STEPS;
}

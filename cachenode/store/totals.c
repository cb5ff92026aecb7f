/*
 * What `stats` tells of the store: sums over its users, classes and lists.
 */
#include "cachenode/store/internal.h"

/* Sums what all users counted in one class. */
static void sum_users(struct store *store, unsigned class_id, struct store_class_metrics *sum)
{
    memset(sum, 0, sizeof(*sum));
    lock_take(&store->lock);
    LIST_EACH (&store->users, each, after) {
        const struct store_user *user = container_of(each, struct store_user, link);

        metric_sum(&sum->get_hits, &user->classes[class_id].get_hits,
                   sizeof(*sum) / sizeof(uint64_t));
    }
    lock_give(&store->lock);
}

static void add_class(struct store_totals *totals, struct lru *lru)
{
    const struct lru_counters *counters = &lru->counters;

    lock_take(&lru->lock);
    for (int i = 0; i < SEGMENT_COUNT; i++) {
        totals->bytes += lru->lists[i].bytes;
        totals->items += lru->lists[i].count;
    }
    totals->evictions += counters->evicted;
    totals->reclaimed += counters->reclaimed;
    totals->expired_unfetched += counters->expired_unfetched;
    totals->evicted_unfetched += counters->evicted_unfetched;
    totals->evicted_active += counters->evicted_active;
    totals->crawler_reclaimed += counters->crawler_reclaimed;
    totals->crawler_items_checked += counters->crawler_items_checked;
    totals->tail_reflocked += counters->tail_reflocked;
    totals->moves_to_cold += counters->moves_to_cold;
    totals->moves_to_warm += counters->moves_to_warm;
    totals->moves_within_lru += counters->moves_within_lru;
    totals->direct_reclaims += counters->direct_reclaims;
    lock_give(&lru->lock);
}

void store_totals(struct store *store, struct store_totals *totals)
{
    uint32_t buckets = __atomic_load_n(&store->table.bucket_count, __ATOMIC_RELAXED);

    *totals = (struct store_totals){
        .memory_limit = store->options.memory_bytes,
        .hash_power = 31 - (unsigned)__builtin_clz(buckets) + 3,
        .hash_bytes = (uint64_t)buckets * sizeof(struct bucket),
        .hash_is_expanding = (buckets & (buckets - 1)) != 0,
        .juggles = __atomic_load_n(&store->juggles, __ATOMIC_RELAXED),
        .class_count = store->slab.class_count,
    };
    for (unsigned i = 1; i <= store->slab.class_count; i++)
        add_class(totals, &store->lrus[i]);
    lock_take(&store->lock);
    LIST_EACH (&store->users, each, after)
        metric_sum(&totals->metrics.get_expired,
                   &container_of(each, struct store_user, link)->metrics.get_expired,
                   sizeof(totals->metrics) / sizeof(uint64_t));
    lock_give(&store->lock);
    lock_take(&store->slab.arena_lock);
    totals->malloced = (uint64_t)store->slab.page_count * SLAB_PAGE_SIZE;
    lock_give(&store->slab.arena_lock);
}

static uint64_t tail_age(const struct store *store, const struct lru *lru, enum segment segment)
{
    const struct item *tail = lru_tail(&store->slab, lru, segment);

    return tail == NULL ? 0 : store_now(store) - item_used_at(tail);
}

static void describe_slabs(struct store *store, unsigned class_id, struct store_class *class)
{
    struct slab_class *slabs = &store->slab.classes[class_id];

    lock_take(&slabs->lock);
    class->chunk_size = slabs->chunk_size;
    class->chunks_per_page = slabs->chunks_per_page;
    class->pages = slabs->page_count;
    class->total_chunks = (uint64_t)slabs->page_count * slabs->chunks_per_page;
    class->free_chunks = (uint64_t)slabs->free_count + slabs->fresh_count;
    lock_give(&slabs->lock);
    class->used_chunks = class->total_chunks - class->free_chunks;
}

void store_class(struct store *store, unsigned class_id, struct store_class *class)
{
    struct lru *lru = &store->lrus[class_id];

    *class = (struct store_class){0};
    describe_slabs(store, class_id, class);
    sum_users(store, class_id, &class->metrics);
    lock_take(&lru->lock);
    class->counters = lru->counters;
    class->number_hot = lru->lists[SEGMENT_HOT].count;
    class->number_warm = lru->lists[SEGMENT_WARM].count;
    class->number_cold = lru->lists[SEGMENT_COLD].count;
    class->number_temp = lru->lists[SEGMENT_TEMP].count;
    for (int i = 0; i < SEGMENT_COUNT; i++)
        class->mem_requested += lru->lists[i].bytes;
    class->age_hot = tail_age(store, lru, SEGMENT_HOT);
    class->age_warm = tail_age(store, lru, SEGMENT_WARM);
    class->age_cold = tail_age(store, lru, SEGMENT_COLD);
    lock_give(&lru->lock);
    class->number =
        class->number_hot + class->number_warm + class->number_cold + class->number_temp;
}

void store_reset(struct store *store)
{
    for (unsigned i = 1; i <= store->slab.class_count; i++) {
        struct lru *lru = &store->lrus[i];

        lock_take(&lru->lock);
        lru->counters = (struct lru_counters){0};
        lock_give(&lru->lock);
    }
    lock_take(&store->lock);
    LIST_EACH (&store->users, each, after) {
        struct store_user *user = container_of(each, struct store_user, link);

        metric_zero(&user->metrics.get_expired, sizeof(user->metrics) / sizeof(uint64_t));
        metric_zero(&user->classes[0].get_hits, sizeof(user->classes) / (sizeof(uint64_t)));
    }
    lock_give(&store->lock);
}

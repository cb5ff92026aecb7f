/*
 * What `stats` tells of the store: sums over its users and classes.
 */
#include "cachenode/store/internal.h"

enum { SAMPLE_MAX = 64 };

#define NUMBERS(type) (sizeof(type) / (sizeof(uint64_t)))

/* Sums what all users counted in one class. */
static void sum_users(struct store *store, unsigned class_id, struct store_class_metrics *metrics,
                      struct store_class_gauges *gauges)
{
    memset(metrics, 0, sizeof(*metrics));
    lock_take(&store->lock);
    *gauges = store->departed[class_id];
    LIST_EACH (&store->users, each, after) {
        const struct store_user *user = container_of(each, struct store_user, link);

        metric_sum(&metrics->cmd_set, &user->classes[class_id].cmd_set, NUMBERS(*metrics));
        metric_sum(&gauges->items[0], &user->gauges[class_id].items[0], NUMBERS(*gauges));
    }
    lock_give(&store->lock);
}

static void add_class(struct store_totals *totals, struct store *store, unsigned class_id)
{
    struct store_class_metrics metrics;
    struct store_class_gauges gauges;

    sum_users(store, class_id, &metrics, &gauges);
    totals->bytes += gauges.bytes;
    for (int i = 0; i < SEGMENT_COUNT; i++)
        totals->items += gauges.items[i];
    totals->evictions += metrics.evicted;
    totals->reclaimed += metrics.reclaimed;
    totals->expired_unfetched += metrics.expired_unfetched;
    totals->evicted_unfetched += metrics.evicted_unfetched;
    totals->evicted_active += metrics.evicted_active;
    totals->crawler_reclaimed += metrics.crawler_reclaimed;
    totals->crawler_items_checked += metrics.crawler_items_checked;
    totals->tail_reflocked += metrics.tail_reflocked;
    totals->moves_to_cold += metrics.moves_to_cold;
    totals->moves_to_warm += metrics.moves_to_warm;
    totals->moves_within_lru += metrics.moves_within_lru;
    totals->direct_reclaims += metrics.direct_reclaims;
}

unsigned store_class_count(const struct store *store)
{
    return store->slab.class_count;
}

void store_totals(struct store *store, struct store_totals *totals)
{
    uint32_t buckets = __atomic_load_n(&store->table.bucket_count, __ATOMIC_RELAXED);

    *totals = (struct store_totals){
        .hash_power = 31 - (unsigned)__builtin_clz(buckets) + 3,
        .crawler_starts = __atomic_load_n(&store->crawl_starts, __ATOMIC_RELAXED),
        .crawler_running = __atomic_load_n(&store->crawl_is_running, __ATOMIC_RELAXED),
        .hash_bytes = store_index_bytes(store),
        .hash_is_expanding = (buckets & (buckets - 1)) != 0,
        .juggles = __atomic_load_n(&store->juggles, __ATOMIC_RELAXED),
        .is_moving = __atomic_load_n(&store->mover.page, __ATOMIC_RELAXED) != 0,
        .chunk_max = store->slab.chunk_max,
        .class_count = store->slab.class_count,
    };
    for (unsigned i = 1; i <= store->slab.class_count; i++)
        add_class(totals, store, i);
    lock_take(&store->lock);
    LIST_EACH (&store->users, each, after)
        metric_sum(&totals->metrics.get_expired,
                   &container_of(each, struct store_user, link)->metrics.get_expired,
                   NUMBERS(totals->metrics));
    lock_give(&store->lock);
    lock_take(&store->slab.arena_lock);
    totals->malloced = (uint64_t)store->slab.page_count << PAGE_SHIFT;
    totals->pool_pages = store->slab.pooled;
    totals->memory_limit = (uint64_t)store->slab.page_limit << PAGE_SHIFT;
    lock_give(&store->slab.arena_lock);
}

/* The longest that items of each segment are unused, as far as a sample tells. */
static void describe_ages(struct store *store, unsigned class_id, struct store_class *class)
{
    struct item *chunks[SAMPLE_MAX];
    uint64_t ages_s[SEGMENT_COUNT] = {0}, random = class->number;
    unsigned count = slab_sample(&store->slab, class_id, &random, chunks, SAMPLE_MAX);

    for (unsigned i = 0; i < count; i++) {
        uint32_t used = item_peek(chunks[i]), age_s = item_idle_s(used, store_now(store));

        if ((used & ITEM_LINKED) && age_s > ages_s[used_segment(used)])
            ages_s[used_segment(used)] = age_s;
    }
    class->age_hot = ages_s[SEGMENT_HOT];
    class->age_warm = ages_s[SEGMENT_WARM];
    class->age_cold = ages_s[SEGMENT_COLD];
}

static void describe_slabs(struct store *store, unsigned class_id, struct store_class *class)
{
    struct slab_class *slabs = &store->slab.classes[class_id];

    lock_take(&slabs->lock);
    class->chunk_size = slabs->chunk_size;
    class->chunks_per_page = slabs->chunks_per_page;
    class->pages = slabs->page_count;
    class->total_chunks = (uint64_t)slabs->page_count * slabs->chunks_per_page;
    class->used_chunks = slabs->used;
    lock_give(&slabs->lock);
    /* A page on its way out is not the class's any more, what is left in it still is. */
    if (class->used_chunks > class->total_chunks)
        class->used_chunks = class->total_chunks;
    class->free_chunks = class->total_chunks - class->used_chunks;
}

void store_class(struct store *store, unsigned class_id, struct store_class *class)
{
    struct store_class_gauges gauges;

    *class = (struct store_class){0};
    describe_slabs(store, class_id, class);
    sum_users(store, class_id, &class->metrics, &gauges);
    class->number_hot = gauges.items[SEGMENT_HOT];
    class->number_warm = gauges.items[SEGMENT_WARM];
    class->number_cold = gauges.items[SEGMENT_COLD];
    class->number_temp = gauges.items[SEGMENT_TEMP];
    class->get_hits = class->metrics.hits_to_hot + class->metrics.hits_to_warm +
                      class->metrics.hits_to_cold + class->metrics.hits_to_temp;
    class->mem_requested = gauges.bytes;
    class->number =
        class->number_hot + class->number_warm + class->number_cold + class->number_temp;
    class->evicted_time = __atomic_load_n(&store->demands[class_id].evicted_time, __ATOMIC_RELAXED);
    describe_ages(store, class_id, class);
}

void store_reset(struct store *store)
{
    lock_take(&store->lock);
    LIST_EACH (&store->users, each, after) {
        struct store_user *user = container_of(each, struct store_user, link);

        metric_zero(&user->metrics.get_expired, NUMBERS(user->metrics));
        metric_zero(&user->classes[0].cmd_set, NUMBERS(user->classes));
    }
    lock_give(&store->lock);
}

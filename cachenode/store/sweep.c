/*
 * Upkeep of the index: frees items that are over, bucket by bucket, and makes the
 * index grow. Both work in small steps under one stripe's lock at a time.
 */
#include <inttypes.h>

#include "cachenode/store/internal.h"
#include "common/base/clock.h"

enum { CRAWL_BUCKETS = 2000, GROW_BUCKETS = 500, FLUSH_BUCKETS = 16384 };

static bool is_over(const struct item *item, void *store)
{
    return item_is_over(store, item);
}

/* Returns how many items it freed. */
static unsigned crawl_bucket(struct store_user *user, uint32_t bucket)
{
    struct store *store = user->store;
    struct lock *stripe = hash_table_stripe(&store->table, bucket);
    unsigned freed = 0;
    struct item *item;

    lock_take(stripe);
    while ((item = hash_table_search(&store->table, bucket, is_over, store)) != NULL) {
        struct store_class_metrics *metrics = &user->classes[item_class(store, item)];

        metric_add(&metrics->crawler_reclaimed, 1);
        if (!item_is(item, ITEM_FETCHED))
            metric_add(&metrics->expired_unfetched, 1);
        item_unlink(user, item, store_hash(item_key(item)));
        freed++;
    }
    lock_give(stripe);
    return freed;
}

/* --- the crawler --- */

static const uint32_t horizons_s[CRAWL_HORIZONS] = {5, 15, 30, 60};

enum { CRAWL_ITEMS = 1000, WORTH_IT_PCT = 1, CRAWL_PAUSE_US_PER_ITEM = 5 };

/* Notes how long a bucket's items will live. */
static bool note_life(const struct item *item, void *arg)
{
    struct store_user *user = arg;
    struct store *store = user->store;
    uint32_t expires_at = __atomic_load_n(&item->expires_at, __ATOMIC_RELAXED), horizon = 0;

    store->crawl_checked++;
    metric_add(&user->classes[item_class(store, item)].crawler_items_checked, 1);
    if (expires_at == 0)
        return false;
    while (horizon < CRAWL_HORIZONS && expires_at > store_now(store) + horizons_s[horizon])
        horizon++;
    store->crawl_soon[horizon]++;
    return false;
}

static void crawl_and_note(struct store_user *user, uint32_t bucket)
{
    struct store *store = user->store;
    struct lock *stripe = hash_table_stripe(&store->table, bucket);

    store->crawl_freed += crawl_bucket(user, bucket);
    lock_take(stripe);
    hash_table_search(&store->table, bucket, note_life, user);
    lock_give(stripe);
}

/*
 * The next run is when a percent of what expires is over, within a minute; but the runs
 * together take up no more than a fiftieth of a processor.
 */
static void crawl_end(struct store_user *user)
{
    struct store *store = user->store;
    uint64_t all = 0, soon = 0, pause_us = store->crawl_checked * CRAWL_PAUSE_US_PER_ITEM;
    uint64_t now_us = clock_read_us();
    uint32_t horizon = 0;

    for (unsigned i = 0; i <= CRAWL_HORIZONS; i++)
        all += store->crawl_soon[i];
    while (all != 0 && horizon < CRAWL_HORIZONS - 1) {
        soon += store->crawl_soon[horizon];
        if (soon * 100 > all * WORTH_IT_PCT)
            break;
        horizon++;
    }
    memset(store->crawl_soon, 0, sizeof(store->crawl_soon));
    if (pause_us < (uint64_t)horizons_s[horizon] * 1000000)
        pause_us = (uint64_t)horizons_s[horizon] * 1000000;
    store->crawl_due_us = now_us + pause_us;
    watch_note_text(&user->log, WATCH_EVENT_LRU_CRAWLER,
                    "crawler=all low_mark=%" PRIu64 " next_reclaims=%" PRIu64 " next_run=%" PRIu64
                    " elapsed=%" PRIu64 " examined=%" PRIu64 " reclaimed=%" PRIu64,
                    all * WORTH_IT_PCT / 100, soon, pause_us / 1000000,
                    (now_us - store->crawl_began_us) / 1000000, store->crawl_checked,
                    store->crawl_freed);
    store->crawl_checked = 0;
    store->crawl_freed = 0;
    store->crawled = 0;
    __atomic_store_n(&store->crawl_is_running, false, __ATOMIC_RELAXED);
}

/* Whether it is time for a run, or one is under way. */
static bool crawl_is_due(struct store *store)
{
    if (store->crawl_is_running)
        return clock_read_us() >= store->crawl_due_us;
    if (!__atomic_exchange_n(&store->crawl_is_wanted, false, __ATOMIC_RELAXED) &&
        clock_read_us() < store->crawl_due_us)
        return false;
    __atomic_store_n(&store->crawl_is_running, true, __ATOMIC_RELAXED);
    store->crawl_began_us = clock_read_us();
    __atomic_fetch_add(&store->crawl_starts, 1, __ATOMIC_RELAXED);
    return true;
}

bool store_crawl(struct store_user *user)
{
    struct store *store = user->store;
    uint64_t items_max = (uint64_t)tuning_of(&store->tuning.crawl_items_max);
    uint64_t until = store->crawl_checked + CRAWL_ITEMS;

    if (!tuning_of(&store->tuning.crawls))
        return false;
    if (!crawl_is_due(store))
        return store->crawl_is_running;
    for (unsigned i = 0; i < CRAWL_BUCKETS && store->crawl_checked < until; i++) {
        if (store->crawled >= store->table.bucket_count ||
            (items_max != 0 && store->crawl_checked >= items_max * store->slab.class_count)) {
            crawl_end(user);
            return false;
        }
        crawl_and_note(user, store->crawled++);
    }
    store->crawl_due_us = clock_read_us() + tuning_of(&store->tuning.crawl_sleep_us);
    return true;
}

void store_crawl_now(struct store *store)
{
    __atomic_store_n(&store->crawl_is_wanted, true, __ATOMIC_RELAXED);
}

struct visit {
    struct store *store;
    void (*visit)(void *arg, struct item *item);
    void *arg;
};

static bool visit_item(const struct item *item, void *arg)
{
    const struct visit *visit = arg;

    if (!item_is_over(visit->store, item))
        visit->visit(visit->arg, (struct item *)(uintptr_t)item);
    return false;
}

/* A bucket and those that were split off it since the walk began, all in one stripe. */
static void visit_family(const struct hash_table *table, uint32_t bucket,
                         const struct store_walk *walk, struct visit *visit)
{
    uint32_t count = __atomic_load_n(&table->bucket_count, __ATOMIC_ACQUIRE);
    uint64_t step = 1;

    hash_table_search(table, bucket, visit_item, visit);
    while (step <= bucket)
        step *= 2;
    for (; bucket + step < count; step *= 2) {
        if (bucket + step >= walk->bucket_count)
            visit_family(table, (uint32_t)(bucket + step), walk, visit);
    }
}

bool store_visit(struct store_user *user, struct store_walk *walk, unsigned count,
                 void (*visit)(void *arg, struct item *item), void *arg)
{
    struct hash_table *table = &user->store->table;
    struct visit shown = {user->store, visit, arg};

    if (walk->bucket_count == 0)
        walk->bucket_count = __atomic_load_n(&table->bucket_count, __ATOMIC_ACQUIRE);
    for (; count != 0 && walk->bucket < walk->bucket_count; count--, walk->bucket++) {
        struct lock *stripe = hash_table_stripe(table, walk->bucket);

        lock_take(stripe);
        visit_family(table, walk->bucket, walk, &shown);
        lock_give(stripe);
    }
    return walk->bucket < walk->bucket_count;
}

/* What a chunk holds, if that is a live item of the class; false: that was enough. */
static bool visit_chunk(struct store_user *user, struct item *chunk, unsigned class_id,
                        bool (*visit)(void *arg, struct item *item), void *arg)
{
    struct store *store = user->store;
    struct lock *stripe;
    bool goes_on = true;

    if (item_of_chunk(store, chunk) != chunk)
        return true;
    stripe = item_lock_wait(store, chunk);
    if (stripe == NULL)
        return true;
    if (item_class(store, chunk) == class_id && !item_is_over(store, chunk))
        goes_on = visit(arg, chunk);
    lock_give(stripe);
    return goes_on;
}

static bool visit_page(struct store_user *user, uint32_t page, unsigned page_class,
                       unsigned class_id, bool (*visit)(void *arg, struct item *item), void *arg)
{
    struct slab *slab = &user->store->slab;
    struct item *first;
    uint32_t count = slab_page_chunks(slab, page, page_class, &first);
    uint32_t chunk_size = slab->classes[page_class].chunk_size;

    for (uint32_t i = 0; i < count; i++) {
        struct item *chunk = (void *)((char *)first + (size_t)i * chunk_size);

        if (!visit_chunk(user, chunk, class_id, visit, arg))
            return false;
    }
    return true;
}

void store_visit_class(struct store_user *user, unsigned class_id,
                       bool (*visit)(void *arg, struct item *item), void *arg)
{
    struct slab *slab = &user->store->slab;
    uint32_t end = slab_page_end(slab);

    for (uint32_t page = 1; page < end; page++) {
        unsigned page_class = __atomic_load_n(&slab->pages[page].class_id, __ATOMIC_RELAXED);

        /* What is in pieces counts as of the largest class, wherever its key is. */
        if (page_class == 0 || (page_class != class_id && class_id != slab->class_count))
            continue;
        if (!visit_page(user, page, page_class, class_id, visit, arg))
            return;
    }
}

void store_sweep_flushed(struct store_user *user)
{
    uint32_t count = __atomic_load_n(&user->store->table.bucket_count, __ATOMIC_RELAXED);

    for (uint32_t bucket = 0; bucket < count && bucket < FLUSH_BUCKETS; bucket++)
        crawl_bucket(user, bucket);
}

uint64_t store_index_bytes(struct store *store)
{
    uint32_t count = __atomic_load_n(&store->table.bucket_count, __ATOMIC_RELAXED);

    return hash_table_bytes(&store->table) + ghosts_bytes(count);
}

bool store_grow(struct store_user *user)
{
    struct hash_table *table = &user->store->table;

    if (!hash_table_is_crowded(table))
        return false;
    for (unsigned i = 0; i < GROW_BUCKETS && hash_table_is_crowded(table); i++)
        hash_table_grow(table, store_hash);
    slab_charge(&user->store->slab, store_index_bytes(user->store));
    return hash_table_is_crowded(table);
}

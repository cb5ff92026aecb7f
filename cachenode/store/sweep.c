/*
 * Upkeep of the index: frees items that are over, bucket by bucket, and makes the
 * index grow. Both work in small steps under one stripe's lock at a time.
 */
#include "cachenode/store/internal.h"

enum { CRAWL_BUCKETS = 2000, GROW_BUCKETS = 500, FLUSH_BUCKETS = 16384 };

static bool is_over(const struct item *item, void *store)
{
    return item_is_over(store, item);
}

static void crawl_bucket(struct store_user *user, uint32_t bucket)
{
    struct store *store = user->store;
    struct lock *stripe = hash_table_stripe(&store->table, bucket);
    struct item *item;

    lock_take(stripe);
    while ((item = hash_table_search(&store->table, bucket, is_over, store)) != NULL) {
        struct store_class_metrics *metrics = &user->classes[item_class(store, item)];

        metric_add(&metrics->crawler_reclaimed, 1);
        if (!item_is(item, ITEM_FETCHED))
            metric_add(&metrics->expired_unfetched, 1);
        item_unlink(user, item, store_hash(item_key(item)));
    }
    lock_give(stripe);
}

bool store_crawl(struct store_user *user)
{
    struct store *store = user->store;

    for (unsigned i = 0; i < CRAWL_BUCKETS; i++) {
        if (store->crawled >= store->table.bucket_count) {
            store->crawled = 0;
            return false;
        }
        crawl_bucket(user, store->crawled++);
    }
    return true;
}

void store_sweep_flushed(struct store_user *user)
{
    uint32_t count = __atomic_load_n(&user->store->table.bucket_count, __ATOMIC_RELAXED);

    for (uint32_t bucket = 0; bucket < count && bucket < FLUSH_BUCKETS; bucket++)
        crawl_bucket(user, bucket);
}

bool store_grow(struct store_user *user)
{
    struct hash_table *table = &user->store->table;

    if (!hash_table_is_crowded(table))
        return false;
    for (unsigned i = 0; i < GROW_BUCKETS && hash_table_is_crowded(table); i++)
        hash_table_grow(table, store_hash);
    slab_charge(&user->store->slab, hash_table_bytes(table));
    return hash_table_is_crowded(table);
}

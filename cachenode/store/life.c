/*
 * The life of a store and of who uses it; its clock, its tuning, and flushes.
 */
#include <stdlib.h>

#include "cachenode/locks.h"
#include "cachenode/store/internal.h"
#include "common/base/clock.h"
#include "common/base/panic.h"
#include "common/base/random.h"

enum { RELATIVE_MAX_S = 60 * 60 * 24 * 30, LONG_AGO = 1 };

struct store *store_create(const struct store_options *options, const char **error)
{
    struct store *store = calloc(1, sizeof(*store));

    *error = "out of memory";
    if (store == NULL)
        return NULL;
    store->options = *options;
    store->tuning = options->tuning;
    score_init(&store->scores);
    lock_init(&store->mover.lock, LOCK_mover);
    store->start_us = clock_read_us();
    store->start_wall_s = clock_wall_s();
    store->now = STORE_FIRST_SECOND;
    list_init(&store->users);
    lock_init(&store->lock, LOCK_store);
    if (!slab_init(&store->slab, &options->slab, error) ||
        !hash_table_init(&store->table, &store->slab, options->hash_power, options->hash_is_fixed,
                         (uint64_t)store->slab.page_reserve *
                             store->slab.classes[1].chunks_per_page) ||
        !ghosts_init(&store->ghosts, store->table.bucket_max)) {
        store_free(store);
        return NULL;
    }
    return store;
}

void store_free(struct store *store)
{
    ASSERT(list_is_empty(&store->users));
    ghosts_free(&store->ghosts);
    hash_table_free(&store->table);
    slab_free(&store->slab);
    free(store);
}

static void item_keeper_hold(const struct keeper *keeper, void *owner)
{
    struct item *item = owner;

    (void)keeper;
    __atomic_fetch_add(&item->refs, 1, __ATOMIC_RELAXED);
}

static void item_keeper_release(const struct keeper *keeper, void *owner)
{
    store_release(container_of(keeper, struct store_user, keeper), owner);
}

struct store_user *store_user_create(struct store *store)
{
    struct store_user *user = calloc(1, sizeof(*user));

    if (user == NULL)
        return NULL;
    user->store = store;
    user->keeper = (struct keeper){item_keeper_hold, item_keeper_release};
    for (unsigned i = 1; i <= store->slab.class_count; i++)
        magazine_init(&store->slab, i, &user->magazines[i]);
    user->random = random_u64();
    user->returned = SHARE_FIRST;
    lock_take(&store->lock);
    list_append(&store->users, &user->link);
    lock_give(&store->lock);
    return user;
}

void store_user_free(struct store_user *user)
{
    struct store *store = user->store;

    for (unsigned i = 1; i <= store->slab.class_count; i++)
        magazine_empty(&store->slab, &user->magazines[i]);
    lock_take(&store->lock);
    metric_sum(&store->departed[0].items[0], &user->gauges[0].items[0],
               sizeof(store->departed) / (sizeof(uint64_t)));
    list_remove(&user->link);
    lock_give(&store->lock);
    free(user);
}

uint32_t store_now(const struct store *store)
{
    return __atomic_load_n(&store->now, __ATOMIC_RELAXED);
}

int64_t store_unix_time(const struct store *store, uint32_t at)
{
    return store->start_wall_s + at - STORE_FIRST_SECOND;
}

/* Called with the store's lock held. */
static void flush_all(struct store *store)
{
    __atomic_store_n(&store->is_flushing, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&store->flushed_cas, __atomic_add_fetch(&store->last_cas, 1, __ATOMIC_SEQ_CST),
                     __ATOMIC_SEQ_CST);
    __atomic_store_n(&store->is_flushing, 0, __ATOMIC_SEQ_CST);
}

void store_tick(struct store *store)
{
    uint32_t now = (uint32_t)((clock_read_us() - store->start_us) / 1000000) + STORE_FIRST_SECOND;
    bool is_due = false;

    __atomic_store_n(&store->now, now, __ATOMIC_RELAXED);
    lock_take(&store->lock);
    for (unsigned i = 0; i < store->flush_count;) {
        if (store->flushes[i] > now) {
            i++;
            continue;
        }
        is_due = true;
        store->flushes[i] = store->flushes[--store->flush_count];
    }
    if (is_due)
        flush_all(store);
    lock_give(&store->lock);
}

uint32_t store_expiry(const struct store *store, int64_t exptime)
{
    int64_t at;

    if (exptime == 0)
        return 0;
    if (exptime < 0)
        return LONG_AGO;
    if (exptime <= RELATIVE_MAX_S)
        return store_now(store) + (uint32_t)exptime;
    at = exptime - clock_wall_s() + store_now(store);
    if (at <= LONG_AGO)
        return LONG_AGO;
    return at > UINT32_MAX ? UINT32_MAX : (uint32_t)at;
}

void store_get_tuning(struct store *store, struct store_tuning *tuning)
{
    lock_take(&store->lock);
    *tuning = store->tuning;
    lock_give(&store->lock);
}

void store_set_tuning(struct store *store, const struct store_tuning *tuning)
{
    lock_take(&store->lock);
#define SET(field) __atomic_store_n(&store->tuning.field, tuning->field, __ATOMIC_RELAXED)
    SET(is_segmented);
    SET(hot_pct);
    SET(warm_pct);
    SET(has_temporary);
    SET(temporary_ttl_s);
    SET(automove);
    SET(crawls);
    SET(crawl_sleep_us);
    SET(crawl_items_max);
    SET(automove_window);
#undef SET
    store->tuning.automove_ratio = tuning->automove_ratio;
    store->tuning.hot_max_factor = tuning->hot_max_factor;
    store->tuning.warm_max_factor = tuning->warm_max_factor;
    lock_give(&store->lock);
}

void store_flush(struct store *store, uint32_t at)
{
    lock_take(&store->lock);
    if (at <= store_now(store)) {
        flush_all(store);
    } else {
        bool is_known = false;

        for (unsigned i = 0; i < store->flush_count; i++)
            is_known = is_known || store->flushes[i] == at;
        /* So many at once are a mistake or an attack; the last one is merged with an earlier. */
        if (!is_known && store->flush_count < FLUSHES_MAX)
            store->flushes[store->flush_count++] = at;
    }
    lock_give(&store->lock);
}

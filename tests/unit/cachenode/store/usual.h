/*
 * The store that most tests want; they change what they are about.
 */
#ifndef TESTS_UNIT_CACHENODE_STORE_USUAL_H
#define TESTS_UNIT_CACHENODE_STORE_USUAL_H

#include "cachenode/store/internal.h"
#include "tests/unit/unit.h"

static inline struct store_options usual_options(uint64_t memory_mb)
{
    return (struct store_options){.slab = {.memory_bytes = memory_mb << 20,
                                           .min_size = 48,
                                           .factor = 1.25,
                                           .chunk_max = CHUNK_LIMIT},
                                  .item_size_max = 1 << 20,
                                  .hash_power = 13,
                                  .evictions = true,
                                  .use_cas = true,
                                  .tuning = {.is_segmented = 1,
                                             .crawls = 1,
                                             .hot_pct = 20,
                                             .warm_pct = 40,
                                             .automove = STORE_AUTOMOVE_ON,
                                             .automove_window = 10,
                                             .automove_ratio = 0.8,
                                             .hot_max_factor = 0.2,
                                             .warm_max_factor = 2}};
}

static inline struct store *make_store(struct store_options options)
{
    const char *error = "";
    struct store *store = store_create(&options, &error);

    ck_assert_msg(store != NULL, "%s", error);
    return store;
}

/* Whether the store has the key; that is a use of it. */
static inline bool store_has(struct store_user *user, const char *name)
{
    struct str key = str_of(name);
    uint32_t hash = store_hash(key);

    if (store_get(user, key, hash, NULL) == NULL)
        return false;
    store_get_end(user, hash);
    return true;
}

#endif

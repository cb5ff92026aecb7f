/*
 * The store: items by key, in a bounded amount of memory. The only face of this
 * folder; all memory policy is behind it.
 *
 * Any thread that works on the store has a struct store_user of its own: its
 * magazines of free chunks, its counters. A key is hashed once, with store_hash,
 * and the hash travels with the request.
 *
 * Times are in seconds of store_now: since the store's start, plus 2 (so that 0
 * can mean never and 1 can mean long ago).
 */
#ifndef CACHENODE_STORE_STORE_H
#define CACHENODE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cachenode/store/item.h"
#include "cachenode/store/lru.h"
#include "cachenode/store/slab.h"
#include "common/base/list.h"
#include "common/bytes/block.h"
#include "common/bytes/str.h"
#include "common/metric/metric.h"

struct store;

struct store_options {
    uint64_t memory_bytes;   /* -m */
    uint32_t item_size_max;  /* -I */
    uint32_t slab_min_size;  /* -n */
    double growth_factor;    /* -f */
    unsigned hash_power;     /* log2 of the first number of index entries */
    bool evictions, use_cas; /* not -M, not -C */
    unsigned hot_pct, warm_pct;
    double hot_max_factor, warm_max_factor;
};

/* What one thread counts in the store. Names and meaning are memcached's. */
#define STORE_METRICS(X)                                                                           \
    X(get_expired, COUNTER, "lookups that found an expired item")                                  \
    X(get_flushed, COUNTER, "lookups that found a flushed item")                                   \
    X(total_items, COUNTER, "items stored since the start")                                        \
    X(store_too_large, COUNTER, "stores refused for their size")                                   \
    X(store_no_memory, COUNTER, "stores refused for lack of memory")                               \
    X(lru_bumps_dropped, COUNTER, "always 0: a hit marks, it queues nothing")

struct store_metrics {
    STORE_METRICS(METRIC_FIELD)
};

/* What one thread counts in one slab class. */
#define STORE_CLASS_METRICS(X)                                                                     \
    X(get_hits, COUNTER, "gets that found an item")                                                \
    X(cmd_set, COUNTER, "items stored")                                                            \
    X(delete_hits, COUNTER, "deletes that found an item")                                          \
    X(incr_hits, COUNTER, "increments that found an item")                                         \
    X(decr_hits, COUNTER, "decrements that found an item")                                         \
    X(cas_hits, COUNTER, "cas that stored")                                                        \
    X(cas_badval, COUNTER, "cas refused: changed in between")                                      \
    X(touch_hits, COUNTER, "touches that found an item")                                           \
    X(hits_to_hot, COUNTER, "hits in the HOT segment")                                             \
    X(hits_to_warm, COUNTER, "hits in the WARM segment")                                           \
    X(hits_to_cold, COUNTER, "hits in the COLD segment")                                           \
    X(hits_to_temp, COUNTER, "hits in the TEMP segment")

struct store_class_metrics {
    STORE_CLASS_METRICS(METRIC_FIELD)
};

enum { STORE_CLASS_MAX = 64 };

struct store_user {
    struct store *store;
    struct keeper keeper; /* keeps items for chains: the owner is the struct item */
    struct store_metrics metrics;
    struct store_class_metrics classes[STORE_CLASS_MAX];
    struct magazine magazines[STORE_CLASS_MAX];
    struct list link; /* among the store's users, whose numbers are summed */
};

/*
 * Makes a store. Returns NULL with *error set to a static text when the options cannot
 * work together or memory ran out.
 */
struct store *store_create(const struct store_options *options, const char **error);
void store_free(struct store *store);

struct store_user *store_user_create(struct store *store);
void store_user_free(struct store_user *user); /* gives its chunks back */

/* Seconds now, kept current by store_tick, which some thread calls at least each second. */
uint32_t store_now(const struct store *store);
void store_tick(struct store *store);

/* Turns the protocol's exptime into the store's time: 0 never; 1..2592000 relative; larger
 * absolute unix time; negative or past: a time that is over. */
uint32_t store_expiry(const struct store *store, int64_t exptime);

uint32_t store_hash(struct str key);

/* Have the cache lines of a look-up fetched ahead: first all buckets of a batch, then all
 * items. They read without locks and promise nothing. */
void store_prefetch_bucket(const struct store *store, uint32_t hash);
void store_prefetch_item(const struct store *store, uint32_t hash);

/*
 * Finds a live item and marks it used. Returns it with its stripe locked, for the caller
 * to copy from it at once and call store_get_end, or NULL with nothing locked. What takes
 * longer than a copy takes a hold with store_hold first; user->keeper does that for chains
 * (chain_append before store_get_end), releases included.
 * `expires_at`, if not NULL, becomes the item's new expiry (gat), after which an item
 * already over is still returned this once.
 */
struct item *store_get(struct store_user *user, struct str key, uint32_t hash,
                       const uint32_t *expires_at);
void store_get_end(struct store_user *user, uint32_t hash);

/* Takes a hold, unless the item has too many: false. */
bool store_hold(struct store_user *user, struct item *item);
void store_release(struct store_user *user, struct item *item); /* may free it; any thread */

enum store_room {
    STORE_ROOM,
    STORE_TOO_LARGE, /* over item_size_max */
    STORE_NO_MEMORY  /* nothing could be evicted, or evictions are off */
};

/*
 * Makes room for an item with a value of `value_len` bytes, to be filled in by the caller
 * and given to store_put or store_release. Not found by anyone yet.
 */
enum store_room store_reserve(struct store_user *user, struct str key, uint32_t flags,
                              uint32_t expires_at, uint32_t value_len, struct item **item);

enum store_mode {
    STORE_SET,
    STORE_ADD,
    STORE_REPLACE,
    STORE_APPEND, /* the value is added to the old one; flags and expiry stay the old ones */
    STORE_PREPEND,
    STORE_CAS
};

enum store_result {
    STORE_STORED,
    STORE_NOT_STORED,
    STORE_EXISTS, /* the CAS was another */
    STORE_NOT_FOUND,
    STORE_OUT_OF_MEMORY,
    STORE_NOT_A_NUMBER
};

/* Stores the item, or not, as `mode` says; lets go of it in any case. `cas` is for
 * STORE_CAS. */
enum store_result store_put(struct store_user *user, struct item *item, uint32_t hash,
                            enum store_mode mode, uint64_t cas);

/* STORE_STORED: it was there and is gone. */
enum store_result store_delete(struct store_user *user, struct str key, uint32_t hash);

/* Sets a new expiry. STORE_STORED or STORE_NOT_FOUND. */
enum store_result store_touch(struct store_user *user, struct str key, uint32_t hash,
                              uint32_t expires_at);

/* Adds to, or takes from, the decimal number that is the value, as memcached does: wraps
 * at 2^64, stops at 0, in place padded with spaces when it fits. The number is left in
 * *value. */
enum store_result store_add_number(struct store_user *user, struct str key, uint32_t hash,
                                   uint64_t delta, bool is_decrement, uint64_t *value);

/* Everything stored before the call (delay 0) or before store_now() reaches `at` is gone
 * then. Any number of them may be waiting. */
void store_flush(struct store *store, uint32_t at);

/* Frees what a flush has made invisible, at once in a small store; in a large one upkeep
 * frees the rest by and by. */
void store_sweep_flushed(struct store_user *user);

/* The CAS to tell a client; 0 when the store does without (-C). */
uint64_t store_item_cas(const struct store_user *user, const struct item *item);

/* Whether another hold may be taken, as a chain does that keeps the item. */
bool store_can_hold(const struct item *item);

/* Removes the item, if there is one, uncounted: a set that failed leaves no old value. */
void store_forget(struct store_user *user, struct str key, uint32_t hash);

/*
 * The value's bytes from `offset` on that lie in one piece: fills in *data and returns how
 * many; 0 at the end.
 */
size_t store_value_piece(const struct store_user *user, struct item *item, size_t offset,
                         char **data);

/* Bounded steps of upkeep, for the thread that does it. Each returns whether there is
 * more to do at once. */
bool store_balance(struct store_user *user); /* moves items between LRU segments */
bool store_crawl(struct store_user *user);   /* frees what has expired, a few buckets on */
bool store_grow(struct store_user *user);    /* splits some of the index's buckets */

/* Sums for `stats`. */
struct store_totals {
    uint64_t bytes, items, memory_limit, hash_power, hash_bytes, hash_is_expanding;
    struct store_metrics metrics;
    uint64_t evictions, reclaimed, expired_unfetched, evicted_unfetched, evicted_active;
    uint64_t crawler_reclaimed, crawler_items_checked, tail_reflocked;
    uint64_t moves_to_cold, moves_to_warm, moves_within_lru, direct_reclaims, juggles;
    uint64_t malloced;
    unsigned class_count; /* classes are 1..class_count */
};
void store_totals(struct store *store, struct store_totals *totals);

struct store_class {
    uint64_t chunk_size, chunks_per_page, pages, total_chunks, used_chunks, free_chunks;
    uint64_t number, number_hot, number_warm, number_cold, number_temp, mem_requested;
    uint64_t age_hot, age_warm, age_cold; /* seconds, of the lists' tails */
    uint64_t zero;                        /* of what memcached counts and a cachenode cannot have */
    struct lru_counters counters;
    struct store_class_metrics metrics;
};
void store_class(struct store *store, unsigned class_id, struct store_class *class);

/* Zeroes the counters that `stats reset` zeroes; not the gauges. */
void store_reset(struct store *store);

#endif

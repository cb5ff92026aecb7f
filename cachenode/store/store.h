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
#include "cachenode/store/slab.h"
#include "cachenode/watch/log.h"
#include "common/base/list.h"
#include "common/bytes/block.h"
#include "common/bytes/str.h"
#include "common/metric/metric.h"

struct store;
struct bucket;

/* How memory moves between pages of unlike size. */
enum store_automove {
    STORE_AUTOMOVE_OFF,   /* only where nothing could be stored otherwise */
    STORE_AUTOMOVE_ON,    /* from where the least useful bytes are to where they are missed */
    STORE_AUTOMOVE_EAGER, /* the same at the least difference */
};

/* What may be changed while the store is in use. */
struct store_tuning {
    uint32_t is_segmented; /* 0: all items are COLD, and the least recently used go */
    uint32_t hot_pct, warm_pct;
    uint32_t has_temporary; /* items with this ttl or less go to TEMP */
    uint32_t temporary_ttl_s;
    uint32_t crawls;          /* 0: nothing is freed before somebody comes across it */
    uint32_t crawl_sleep_us;  /* between two steps of the crawler */
    uint32_t crawl_items_max; /* that a run looks at, per class; 0: all */
    uint32_t automove;        /* enum store_automove */
    uint32_t automove_window; /* looks at a class that its worth is averaged over */
    double automove_ratio;    /* a page moves when it is worth less than this part elsewhere */
    double hot_max_factor, warm_max_factor;
};

struct store_options {
    struct slab_options slab; /* -m -n -f -L -e */
    uint32_t item_size_max;   /* -I */
    unsigned hash_power;      /* log2 of the first number of index entries */
    bool hash_is_fixed;       /* it stays at that */
    bool evictions, use_cas;  /* not -M, not -C */
    struct store_tuning tuning;
};

/* What one thread counts in the store. Names and meaning are memcached's. */
#define STORE_METRICS(X)                                                                           \
    X(get_expired, COUNTER, "lookups that found an expired item")                                  \
    X(get_flushed, COUNTER, "lookups that found a flushed item")                                   \
    X(total_items, COUNTER, "items stored since the start")                                        \
    X(store_too_large, COUNTER, "stores refused for their size")                                   \
    X(store_no_memory, COUNTER, "stores refused for lack of memory")                               \
    X(lru_bumps_dropped, COUNTER, "always 0: a hit marks, it queues nothing")                      \
    X(slabs_moved, COUNTER, "pages that went to another class")                                    \
    X(slab_reassign_rescues, COUNTER, "items moved out of a page")                                 \
    X(slab_reassign_chunk_rescues, COUNTER, "pieces of items moved out of a page")                 \
    X(slab_reassign_evictions_nomem, COUNTER, "items evicted from a page")                         \
    X(slab_reassign_inline_reclaim, COUNTER, "items that were over, freed from a page")            \
    X(slab_reassign_busy_items, COUNTER, "items to be tried again, for they were in use")          \
    X(slab_reassign_busy_deletes, COUNTER, "items in use that were unlinked to vacate a page")     \
    X(slab_reassign_busy_nomem, COUNTER, "items for which a page had to wait for memory")

struct store_metrics {
    STORE_METRICS(METRIC_FIELD)
};

/* What one thread counts in one slab class. */
#define STORE_CLASS_METRICS(X)                                                                     \
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
    X(hits_to_temp, COUNTER, "hits in the TEMP segment")                                           \
    X(evicted, COUNTER, "live items that gave their memory to others")                             \
    X(evicted_nonzero, COUNTER, "those of them with an expiry")                                    \
    X(evicted_unfetched, COUNTER, "those of them never read")                                      \
    X(evicted_active, COUNTER, "those of them used more than once of late")                        \
    X(outofmemory, COUNTER, "times that there was no memory")                                      \
    X(reclaimed, COUNTER, "items that were over when their memory was wanted")                     \
    X(expired_unfetched, COUNTER, "items that were over and never read")                           \
    X(crawler_reclaimed, COUNTER, "items that were over, found by the crawler")                    \
    X(crawler_items_checked, COUNTER, "items that the crawler looked at")                          \
    X(tail_reflocked, COUNTER, "items passed over because they were in use")                       \
    X(moves_to_cold, COUNTER, "items that went to the COLD segment")                               \
    X(moves_to_warm, COUNTER, "items that went to the WARM segment")                               \
    X(moves_within_lru, COUNTER, "items that stayed WARM because they were used")                  \
    X(direct_reclaims, COUNTER, "times that memory was taken from items to store another")

struct store_class_metrics {
    STORE_CLASS_METRICS(METRIC_FIELD)
};

/* What one thread added to a class, less what it took away: a sum over threads counts. */
struct store_class_gauges {
    uint64_t items[SEGMENT_COUNT], bytes; /* bytes: of nominal sizes */
};

struct store_user {
    struct store *store;
    struct keeper keeper; /* keeps items for chains: the owner is the struct item */
    struct store_metrics metrics;
    struct store_class_metrics classes[SLAB_CLASS_MAX];
    struct store_class_gauges gauges[SLAB_CLASS_MAX];
    struct magazine magazines[SLAB_CLASS_MAX];
    uint64_t random;
    uint32_t returned;    /* share (score.h) of new items that had been evicted */
    struct watch_log log; /* for those who watch; opened by whom the user belongs to, if at all */
    struct list link;     /* among the store's users, whose numbers are summed */
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

/* Seconds since 1970 of one of these seconds: always the same ones, for what is told to clients. */
int64_t store_unix_time(const struct store *store, uint32_t at);

/* Turns the protocol's exptime into the store's time: 0 never; 1..2592000 relative; larger
 * absolute unix time; negative or past: a time that is over. */
uint32_t store_expiry(const struct store *store, int64_t exptime);

uint32_t store_hash(struct str key);

/* Have the cache lines of a look-up fetched ahead: first all buckets of a batch, then all
 * items. They read without locks and promise nothing; a bucket is of use for this alone. */
const struct bucket *store_prefetch_bucket(const struct store *store, uint32_t hash);
void store_prefetch_item(const struct store *store, const struct bucket *bucket, uint32_t hash);

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

/*
 * The same without marking or counting anything, for who has more to do than to read: until
 * store_get_end he may call store_use, store_renew, store_add_to, store_empty, store_remove,
 * store_set_expiry and item_set.
 */
struct item *store_find(struct store_user *user, struct str key, uint32_t hash);

/* The same as a later part of a command that has looked already: not told to those who watch. */
struct item *store_find_again(struct store_user *user, struct str key, uint32_t hash);

/* Samplers may be looking. */
static inline void store_set_expiry(struct item *item, uint32_t expires_at)
{
    __atomic_store_n(&item->expires_at, expires_at, __ATOMIC_RELAXED);
}

/* Counts a use of an item that is found; a touch or a get. */
void store_use(struct store_user *user, struct item *item, bool is_touch);

/* Takes a hold, unless the item has too many: false. */
bool store_hold(struct store_user *user, struct item *item);
void store_release(struct store_user *user, struct item *item); /* may free it; any thread */

enum store_room {
    STORE_ROOM,
    STORE_TOO_LARGE, /* over item_size_max */
    STORE_NO_MEMORY  /* nothing could be evicted, or evictions are off */
};

/* What an item has besides key and value. */
struct item_traits {
    uint32_t flags, expires_at;
    uint64_t own_cas; /* the CAS to tell clients; 0: the next number */
    bool has_binary_key;
};

/*
 * Makes room for an item with a value of `value_len` bytes, to be filled in by the caller
 * and given to store_put or store_release. Not found by anyone yet.
 */
enum store_room store_reserve(struct store_user *user, struct str key,
                              const struct item_traits *traits, uint32_t value_len,
                              struct item **item);

enum store_mode {
    STORE_SET,
    STORE_ADD,
    STORE_REPLACE,
    STORE_APPEND, /* the value is added to the old one; flags and expiry stay the old ones */
    STORE_PREPEND
};

/* On which terms an item is put. */
struct store_terms {
    enum store_mode mode;
    bool compares; /* the item must be there and have this CAS; of no meaning to STORE_ADD */
    uint64_t cas;
    bool takes_older; /* a lower CAS will do: the item is then stale, and keeps its expiry */
    bool vivifies;    /* STORE_APPEND, STORE_PREPEND: if there is no item, this one is put */
};

/* Tells those who watch of a store that came to nothing for lack of room. */
void store_note_refused(struct store_user *user, struct str key, const struct store_terms *terms,
                        const struct item_traits *traits, uint32_t value_len, enum store_room room);

/* What became of it, for who wants to know. */
struct store_outcome {
    uint64_t cas; /* 0: not stored */
    uint32_t value_len;
};

enum store_result {
    STORE_STORED,
    STORE_NOT_STORED,
    STORE_EXISTS, /* the CAS was another */
    STORE_NOT_FOUND,
    STORE_OUT_OF_MEMORY,
    STORE_NOT_A_NUMBER
};

/* Stores the item, or not; lets go of it in any case. */
enum store_result store_put(struct store_user *user, struct item *item, uint32_t hash,
                            const struct store_terms *terms, struct store_outcome *outcome);

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

/*
 * The same to an item that is found and stays so; *item may be another one afterwards. The
 * new CAS is `own_cas`, unless that is 0.
 */
enum store_result store_add_to(struct store_user *user, struct item **item, uint32_t hash,
                               uint64_t delta, bool is_decrement, uint64_t own_cas,
                               uint64_t *value);

/* Gives an item that is found a new CAS: `own_cas`, or if that is 0 the next number. False
 * when there was no memory for that. */
bool store_renew(struct store_user *user, struct item **item, uint32_t hash, uint64_t own_cas);

/* Puts an empty one without client flags in the place of an item that is found. The CAS
 * stays, or is `own_cas`, unless that is 0. */
bool store_empty(struct store_user *user, struct item **item, uint32_t hash, uint64_t own_cas);

/* Removes an item that is found, counted as deleted, by delete or md. */
void store_remove(struct store_user *user, struct item *item, uint32_t hash, enum watch_command by);

/* Everything stored before the call (delay 0) or before store_now() reaches `at` is gone
 * then. Any number of them may be waiting. */
void store_flush(struct store *store, uint32_t at);

/* Frees what a flush has made invisible, at once in a small store; in a large one upkeep
 * frees the rest by and by. */
void store_sweep_flushed(struct store_user *user);

/* The CAS to tell a client; 0 when the store does without (-C). */
uint64_t store_item_cas(const struct store_user *user, const struct item *item);

/* The slab class of its chunk. */
unsigned store_item_class(const struct store_user *user, const struct item *item);

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

/* Fills in a value that is all there. */
void store_fill_value(const struct store_user *user, struct item *item, const char *value);

/* Bounded steps of upkeep, for the thread that does it. Each returns whether there is
 * more to do at once. */
bool store_balance(struct store_user *user);    /* moves items between segments */
bool store_crawl(struct store_user *user);      /* frees what has expired, a few buckets on */
void store_crawl_now(struct store *store);      /* has the crawler begin, if it is not at it */
bool store_grow(struct store_user *user);       /* splits some of the index's buckets */
bool store_move_pages(struct store_user *user); /* moves a page between classes if need be */

/* A walk over all items; it begins with zeroes. */
struct store_walk {
    uint32_t bucket, bucket_count;
};

/*
 * Shows the live items of the walk's next buckets, each with its stripe locked; false when
 * all were shown. An item that is there all the while is shown once, also while the index
 * grows.
 */
bool store_visit(struct store_user *user, struct store_walk *walk, unsigned count,
                 void (*visit)(void *arg, struct item *item), void *arg);

/* Shows the live items of a class, each with its stripe locked, as long as `visit` says to go
 * on. What moves or is stored meanwhile may be missed. */
void store_visit_class(struct store_user *user, unsigned class_id,
                       bool (*visit)(void *arg, struct item *item), void *arg);

/* How many slab classes there are; they are from 1 on. */
unsigned store_class_count(const struct store *store);

/* Changing the store's settings. */
void store_get_tuning(struct store *store, struct store_tuning *tuning);
void store_set_tuning(struct store *store, const struct store_tuning *tuning);
bool store_set_memory(struct store *store, uint64_t memory_bytes); /* false: cannot be */

enum store_reassign {
    STORE_REASSIGN_OK, /* has begun */
    STORE_REASSIGN_BUSY,
    STORE_REASSIGN_BAD_CLASS,
    STORE_REASSIGN_NO_SPARE,
    STORE_REASSIGN_SAME
};

/* Begins to move a page. `from` -1: of any class; 0, `from` or `to`: the pool. */
enum store_reassign store_reassign(struct store_user *user, int64_t from, int64_t to);

/* Sums for `stats`. */
struct store_totals {
    uint64_t bytes, items, memory_limit, hash_power, hash_bytes, hash_is_expanding;
    struct store_metrics metrics;
    uint64_t evictions, reclaimed, expired_unfetched, evicted_unfetched, evicted_active;
    uint64_t crawler_reclaimed, crawler_items_checked, tail_reflocked;
    uint64_t crawler_starts, crawler_running;
    uint64_t moves_to_cold, moves_to_warm, moves_within_lru, direct_reclaims, juggles;
    uint64_t malloced, pool_pages, chunk_max;
    bool is_moving;
    unsigned class_count; /* classes are 1..class_count */
};
void store_totals(struct store *store, struct store_totals *totals);

struct store_class {
    uint64_t chunk_size, chunks_per_page, pages, total_chunks, used_chunks, free_chunks;
    uint64_t number, number_hot, number_warm, number_cold, number_temp, mem_requested;
    uint64_t age_hot, age_warm, age_cold; /* seconds since the use of the longest unused */
    uint64_t evicted_time;                /* the same, of the last one evicted */
    uint64_t get_hits;                    /* of all segments */
    uint64_t zero;                        /* of what memcached counts and a cachenode cannot have */
    struct store_class_metrics metrics;
};
void store_class(struct store *store, unsigned class_id, struct store_class *class);

/* Zeroes the counters that `stats reset` zeroes; not the gauges. */
void store_reset(struct store *store);

#endif

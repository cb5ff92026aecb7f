/*
 * The store's insides, shared by the files of this folder alone.
 */
#ifndef CACHENODE_STORE_INTERNAL_H
#define CACHENODE_STORE_INTERNAL_H

#include "cachenode/store/ghosts.h"
#include "cachenode/store/hash_table.h"
#include "cachenode/store/score.h"
#include "cachenode/store/store.h"

enum { FLUSHES_MAX = 1024, STORE_FIRST_SECOND = 2 };

/* What is known of a class when memory is short; all atomic. */
struct demand {
    int32_t margin;      /* worth (score.h) of what was evicted last */
    int32_t worth;       /* of the least useful bytes (move.c); 0: unknown */
    uint32_t is_pressed; /* it evicted since somebody looked */
    uint32_t evicted_time;
};

/* The page that is being vacated. */
struct mover {
    struct lock lock; /* waited for only by who could not store anything otherwise */
    uint32_t page;    /* 0: none */
    unsigned from, to;
    uint64_t since_us;
};

/* Until when an item lives, as the crawler sees it: five seconds ahead, a minute ... */
enum { CRAWL_HORIZONS = 4 };

struct store {
    struct store_options options;
    struct store_tuning tuning; /* its numbers of 32 bits are atomic; the rest under `lock` */
    struct slab slab;
    struct hash_table table;
    struct ghosts ghosts;
    struct score_table scores;
    struct demand demands[SLAB_CLASS_MAX];
    struct mover mover;
    uint64_t start_us;             /* monotonic */
    int64_t start_wall_s;          /* the same moment, since 1970 */
    uint32_t now;                  /* atomic */
    uint32_t clock;                /* atomic; of the scores, 8 bits */
    uint32_t donor;                /* atomic; class whose bytes are the least useful; 0: unknown */
    uint64_t evicted_bytes;        /* atomic */
    uint64_t last_cas;             /* atomic */
    uint64_t flushed_cas;          /* atomic; items up to this one are flushed */
    uint32_t is_flushing;          /* atomic; that is about to change */
    struct lock lock;              /* guards what follows */
    uint32_t flushes[FLUSHES_MAX]; /* seconds at which all older items go */
    unsigned flush_count;
    struct list users;
    struct store_class_gauges departed[SLAB_CLASS_MAX]; /* of users that are gone */
    /* upkeep's own */
    uint32_t crawled; /* bucket that the crawler looks at next */
    uint64_t crawl_due_us;
    uint64_t crawl_began_us, crawl_freed;    /* in this run */
    uint64_t crawl_checked;                  /* items in this run */
    uint32_t crawl_soon[CRAWL_HORIZONS + 1]; /* of these, how many are over by when */
    uint64_t crawl_starts;                   /* atomic */
    bool crawl_is_running, crawl_is_wanted;  /* atomic */
    uint64_t juggles, moved_bytes, balanced_cas;
    unsigned balances_skipped;
};

static inline uint32_t tuning_of(const uint32_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static inline uint8_t store_clock(const struct store *store)
{
    return (uint8_t)__atomic_load_n(&store->clock, __ATOMIC_RELAXED);
}

/* The class that an item is counted in: that of the largest has the chunked ones. */
static inline unsigned item_class(const struct store *store, const struct item *item)
{
    return item->is_chunked ? store->slab.class_count : slab_class_of(&store->slab, item);
}

/* Whether a look-up must not find it. */
bool item_is_expired(const struct store *store, const struct item *item);
bool item_is_flushed(const struct store *store, const struct item *item);

static inline bool item_is_over(const struct store *store, const struct item *item)
{
    return item_is_expired(store, item) || item_is_flushed(store, item);
}

/* Counts an item that comes (+1) or goes (-1), and changes its segment. With its stripe
 * locked. */
void item_count(struct store_user *user, const struct item *item, int change);
void item_flow(struct store_user *user, struct item *item, enum segment segment);

/* Tell those who watch such things (note.c), for who has seen by watch_wants that there are any.
 * They stay out of the code that calls them. A look-up is told before it is made, with the stripe
 * locked. */
void note_look_up(struct store_user *user, struct str key, uint32_t hash);
void note_store(struct store_user *user, const struct item *item, enum store_result result,
                const struct store_terms *terms);
void note_eviction(struct store_user *user, const struct item *item);
void note_delete(struct store_user *user, const struct item *item, enum watch_command by);

/* Out of the index, letting the hold of being linked go. With its stripe locked. Whoever
 * held it last frees it. */
void item_unlink(struct store_user *user, struct item *item, uint32_t hash);

/*
 * With the stripe locked: makes `item` the one under its key, in the place of `old` if there is
 * one. The caller's hold becomes that of being linked; false: he keeps it.
 */
bool item_link(struct store_user *user, struct item *item, uint32_t hash, struct item *old);

/*
 * The CAS of what takes the place of `old`, which was found alive. Had a flush come in between,
 * the new one would survive it although it was made from the old; it is then given a CAS with
 * which it is flushed, too.
 */
uint64_t item_cas_after(struct store *store, const struct item *old);

/* Everything that a new version of an item takes over from it; and the value's bytes. */
struct item_traits item_traits_of(const struct store_user *user, const struct item *item);
void item_copy_value(struct store_user *user, struct item *to, size_t offset, struct item *from);

/* Notes a use, for who decides what is evicted. */
void item_mark_use(struct store_user *user, struct item *item);

/* Bytes that the index takes, with what is remembered of evicted items. */
uint64_t store_index_bytes(struct store *store);

/* Takes the stripe that keys with this hash have. */
static inline struct lock *store_lock_stripe(struct store *store, uint32_t hash)
{
    struct lock *stripe = hash_table_stripe(&store->table, hash);

    lock_take(stripe);
    return stripe;
}

/* Frees an item that nobody holds, and its pieces. */
void item_free(struct store_user *user, struct item *item);

/* The ids of a chunked value's pieces, which need not be aligned. */
unsigned item_piece_count(const struct slab *slab, const struct item *item);
item_id item_piece(struct item *item, unsigned index);
void item_set_piece(struct item *item, unsigned index, item_id id);

/*
 * Comes from a chunk to its item: if it holds a linked one, tries the stripe of its key.
 * NULL: there is none, or it is busy. Otherwise the stripe, locked.
 */
struct lock *item_lock(struct store *store, const struct item *item, uint32_t *hash);

/* The same for who holds no lock: waits for the stripe. */
struct lock *item_lock_wait(struct store *store, const struct item *item);

/* The score of what may be no item any more. */
uint8_t item_peek_score(const struct item *item);

/* The linked item that a chunk is, or is a piece of; a mere peek. NULL: neither. */
struct item *item_of_chunk(const struct store *store, struct item *chunk);

/* A chunk of the class; evicts for it, and moves pages, if that is allowed. NULL: there is
 * none. */
void *evict_take(struct store_user *user, unsigned class_id);

/* An evicted item's worth is remembered, and the one that comes under a key begins with what is
 * remembered of it. With the stripe locked. */
void evict_remember(struct store *store, const struct item *item, uint32_t hash);
void evict_recall(struct store_user *user, struct item *item, uint32_t hash);

/* Sets the scores' clock to where it was when so much had been evicted. */
void evict_continue_clock(struct store *store, uint64_t evicted_bytes);

/* Takes memory from a few items of the class. False: from none. */
bool evict_some(struct store_user *user, unsigned class_id);

/* What the least useful part of a class is worth, as far as a sample tells, false: it is
 * empty; and what the class's bytes are worth when its items are worth that. */
bool evict_worth(struct store_user *user, unsigned class_id, int *worth);
int move_worth_of_bytes(const struct store *store, unsigned class_id, int worth);

/* Moves a page to the class from where it is less useful; with `is_forced`, from anywhere
 * at all, and waits for its turn. False: none was moved. */
bool move_page_to(struct store_user *user, unsigned class_id, bool is_forced);

#endif

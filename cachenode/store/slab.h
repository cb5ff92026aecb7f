/*
 * Memory in chunks of a few sizes: pages, each given to one slab class and cut into its
 * chunks. A page that becomes empty goes to the pool, from which any class may take it.
 * Each thread keeps a few free chunks of each class in a magazine of its own, so that
 * storing seldom takes the class's lock.
 */
#ifndef CACHENODE_STORE_SLAB_H
#define CACHENODE_STORE_SLAB_H

#include <stddef.h>

#include "cachenode/settings.h"
#include "cachenode/store/item.h"
#include "common/base/lock.h"

enum {
    PAGE_SHIFT = 17,
    PAGE_SIZE = 1 << PAGE_SHIFT,
    SLAB_CLASS_MAX = 128, /* ids are below */
    CHUNK_LIMIT = PAGE_SIZE / 4,
    MAGAZINE_MAX = 16
};

struct slab_options {
    uint64_t memory_bytes;
    uint32_t min_size; /* least bytes of key, value and flags */
    double factor;     /* from one chunk size to the next */
    uint32_t chunk_max;
    struct chunk_sizes sizes; /* explicit chunk sizes */
    bool is_fixed;            /* the limit will not be raised */
    bool is_preallocated;     /* have all memory now, in huge pages if there are any */
    const char *path;         /* map this file, as large as the limit; NULL: memory of our own */
};

/* All but `class_id` and `is_leaving` are guarded by the lock of its class. */
struct page {
    item_id free;        /* chain of its free chunks through their first bytes */
    uint32_t next, prev; /* in its class's list of pages with room, or the pool; 0: none */
    uint32_t place;      /* in its class's `pages` */
    uint16_t used;       /* chunks given out, to magazines, too */
    uint16_t carved;     /* chunks that were ever given out; the others follow them */
    uint8_t class_id;    /* atomic; 0: no class has it */
    bool is_leaving;     /* atomic: being vacated, nothing is taken from it */
    uint8_t shunned;     /* times that it is passed over, for it could not be vacated */
};

struct slab_class {
    struct lock lock;
    uint32_t chunk_size, chunks_per_page;
    uint32_t *pages; /* numbers of its pages that do not leave */
    uint32_t page_count, page_capacity;
    uint32_t first_open, last_open; /* pages with room */
    uint64_t used;                  /* chunks given out */
};

struct slab {
    char *base;           /* reserved addresses; page 0 is never used, which makes id 0 nobody's */
    struct page *pages;   /* by number */
    unsigned class_count; /* classes are 1..class_count; the last holds pieces, too */
    uint32_t chunk_max;
    struct lock arena_lock; /* guards what follows but the classes */
    uint32_t page_limit, page_reserve;
    uint32_t charged;      /* pages' worth of memory that is used elsewhere */
    uint32_t page_count;   /* pages that take up memory */
    uint32_t page_carved;  /* page numbers ever used */
    uint32_t pool, pooled; /* free pages that take up memory */
    uint32_t retired;      /* free pages that do not */
    bool is_fixed;
    struct slab_class classes[SLAB_CLASS_MAX];
    uint8_t class_by_units[CHUNK_LIMIT / ITEM_UNIT + 1]; /* by size in ITEM_UNITs, rounded up */
};

/* Its owner alone puts chunks in; who vacates a page may take the page's out. */
struct magazine {
    uint32_t count, size;         /* slots up to the count may be empty */
    item_id chunks[MAGAZINE_MAX]; /* atomic; 0: taken */
};

/* Lays out the classes; false, with *error set, when the numbers cannot work together. */
bool slab_init(struct slab *slab, const struct slab_options *options, const char **error);
void slab_free(struct slab *slab);

/* The smallest class whose chunks hold `size` bytes; 0: none does. */
static inline unsigned slab_class_for(const struct slab *slab, size_t size)
{
    if (slab->chunk_max > CHUNK_LIMIT)
        __builtin_unreachable(); /* slab_init sees to it; gcc does not know */
    return size > slab->chunk_max ? 0 : slab->class_by_units[(size + ITEM_UNIT - 1) / ITEM_UNIT];
}

/* A chunk of the class, from the magazine if it has one; NULL: all pages are given out and
 * the class has nothing free. */
void *slab_take(struct slab *slab, struct magazine *magazine, unsigned class_id);

/* Gives a chunk back; `magazine` NULL: straight to its page. */
void slab_give(struct slab *slab, struct magazine *magazine, void *chunk);

void magazine_init(const struct slab *slab, unsigned class_id, struct magazine *magazine);
void magazine_empty(struct slab *slab, struct magazine *magazine);

/* Gives back the page's chunks; for any thread. */
void magazine_purge(struct slab *slab, struct magazine *magazine, uint32_t page);

/* Chunks of the class that are in use, chosen at random, or all if there are no more than
 * `max`. They may be free or others' by the time they are looked at. */
unsigned slab_sample(struct slab *slab, unsigned class_id, uint64_t *random, struct item **chunks,
                     unsigned max);

/* The chunks of a page that were ever given out, from *first on, if the class has the page;
 * 0: it has not. Numbers of pages are below slab_page_end. */
uint32_t slab_page_chunks(struct slab *slab, uint32_t number, unsigned class_id,
                          struct item **first);
uint32_t slab_page_end(struct slab *slab);

/*
 * Moving pages. Begins to vacate a page of the class, the emptiest of a few; 0: it has
 * none (or, with `keeps_one`, one alone). Nothing is taken from it from then on.
 */
uint32_t slab_page_leave(struct slab *slab, unsigned class_id, bool keeps_one, uint64_t *random);

/* Hands a page that nothing of is in use any more to the class; 0: to the pool. False:
 * something still is. */
bool slab_page_arrive(struct slab *slab, uint32_t page, unsigned class_id);

/* Makes an image's page what it was, all of its carved chunks in use; class 0: in the pool.
 * Pages come in order. Then what is not in use is freed. */
bool slab_restore_page(struct slab *slab, uint32_t number, unsigned class_id, uint16_t carved);
void slab_restore_free(struct slab *slab, struct item *chunk);

/* Gives up vacating a page. */
void slab_page_stay(struct slab *slab, uint32_t page);

/* Gives the class a page that no class has; or, if it has none, one beyond the limit. False:
 * there is none. */
bool slab_grow(struct slab *slab, unsigned class_id);
bool slab_grant(struct slab *slab, unsigned class_id);

/* Sets the limit; false: it cannot be. Pages above it are to be vacated. */
bool slab_set_limit(struct slab *slab, uint64_t memory_bytes);
bool slab_is_over_limit(struct slab *slab);

/* The index takes so much of the limit. */
void slab_charge(struct slab *slab, uint64_t bytes);

static inline void *slab_at(const struct slab *slab, item_id id)
{
    return slab->base + (uint64_t)id * ITEM_UNIT;
}

static inline item_id slab_id(const struct slab *slab, const void *chunk)
{
    return (item_id)((uint64_t)((const char *)chunk - slab->base) / ITEM_UNIT);
}

static inline struct page *slab_page_of(const struct slab *slab, const void *chunk)
{
    return &slab->pages[(uint64_t)((const char *)chunk - slab->base) >> PAGE_SHIFT];
}

/* The class that a chunk is of. */
static inline unsigned slab_class_of(const struct slab *slab, const void *chunk)
{
    return __atomic_load_n(&slab_page_of(slab, chunk)->class_id, __ATOMIC_RELAXED);
}

#endif

/*
 * Memory in chunks of a few sizes: pages of 1 MB, each given to one slab class and
 * cut into its chunks. Each thread keeps a few free chunks of each class in a
 * magazine of its own, so that storing seldom takes the class's lock.
 */
#ifndef CACHENODE_STORE_SLAB_H
#define CACHENODE_STORE_SLAB_H

#include "cachenode/store/item.h"
#include "common/base/lock.h"

enum { SLAB_PAGE_SIZE = 1 << 20, SLAB_CLASS_MAX = 64, MAGAZINE_MAX = 16 };

struct slab_class {
    struct lock lock;
    uint32_t chunk_size, chunks_per_page;
    item_id free;        /* chain of free chunks through their first bytes */
    uint32_t free_count; /* in that chain */
    char *fresh;         /* chunks of the newest page that were never used */
    uint32_t fresh_count;
    uint32_t page_count;
};

struct slab {
    char *base; /* reserved addresses; pages are taken from the front */
    struct lock arena_lock;
    uint32_t page_count, page_limit, page_reserve;
    unsigned class_count; /* classes are 1..class_count */
    struct slab_class classes[SLAB_CLASS_MAX];
};

struct magazine {
    uint32_t count, size;
    item_id chunks[MAGAZINE_MAX];
};

/* Lays out the classes; false, with *error set, when the numbers cannot work together. */
bool slab_init(struct slab *slab, uint64_t memory_bytes, uint32_t min_size, double factor,
               const char **error);
void slab_free(struct slab *slab);

/* The smallest class whose chunks hold `size` bytes; 0: none does. */
unsigned slab_class_for(const struct slab *slab, size_t size);

/* A chunk of the class, from the magazine if it has one; NULL: all pages are given out and
 * the class has nothing free. A class's first page is granted beyond the limit. */
void *slab_take(struct slab *slab, struct magazine *magazine, unsigned class_id);

/* Gives a chunk back; `magazine` NULL: straight to the class. */
void slab_give(struct slab *slab, struct magazine *magazine, unsigned class_id, void *chunk);

void magazine_init(const struct slab *slab, unsigned class_id, struct magazine *magazine);

static inline void *slab_at(const struct slab *slab, item_id id)
{
    return slab->base + (uint64_t)id * ITEM_UNIT;
}

static inline item_id slab_id(const struct slab *slab, const void *chunk)
{
    return (item_id)((uint64_t)((const char *)chunk - slab->base) / ITEM_UNIT);
}

#endif

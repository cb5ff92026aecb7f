/*
 * An item: a header of 32 bytes, the key, client flags if they are not zero, and
 * the value, in one chunk. Instead of a value too large for that stand the ids of
 * the chunks that hold it.
 *
 * A linked item's key and value never change while anybody else holds it. `cas`,
 * `expires_at` and `used` change under the lock of the key's stripe; links and segment
 * under that of the class's lists; refs atomically.
 */
#ifndef CACHENODE_STORE_ITEM_H
#define CACHENODE_STORE_ITEM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/bytes/str.h"

enum segment { SEGMENT_HOT, SEGMENT_WARM, SEGMENT_COLD, SEGMENT_TEMP, SEGMENT_COUNT };

/* Items and chunks are named by their offset in the arena in units of ITEM_UNIT; 0: none. */
typedef uint32_t item_id;

enum { ITEM_UNIT = 8, ITEM_REFS_MAX = 60000, CHUNK_MAX = 512 * 1024 };

struct item {
    uint64_t cas;        /* number of the store that made it: unique, increasing */
    item_id next, prev;  /* in its segment's list */
    uint32_t expires_at; /* 0: never */
    uint32_t used;       /* second of the last use, shifted by two, and enum item_use */
    uint32_t value_len : 30, has_flags : 1, is_chunked : 1; /* never change */
    uint16_t refs; /* one for being linked, one per holder */
    uint8_t key_len;
    uint8_t place; /* slab class of its chunk, and segment in the upper two bits */
    char data[];
};

_Static_assert(sizeof(struct item) == 32, "each byte of it is paid a million times");

enum item_use { ITEM_FETCHED = 1, ITEM_ACTIVE = 2 };

static inline uint32_t item_used_at(const struct item *item)
{
    return __atomic_load_n(&item->used, __ATOMIC_RELAXED) >> 2;
}

static inline bool item_is(const struct item *item, enum item_use use)
{
    return (__atomic_load_n(&item->used, __ATOMIC_RELAXED) & use) != 0;
}

/* Notes a use now: the first makes it fetched, a second active. */
static inline void item_mark_used(struct item *item, uint32_t now)
{
    uint32_t uses = item_is(item, ITEM_FETCHED) ? ITEM_FETCHED | ITEM_ACTIVE : ITEM_FETCHED;

    __atomic_store_n(&item->used, now << 2 | uses, __ATOMIC_RELAXED);
}

static inline struct str item_key(const struct item *item)
{
    return (struct str){item->data, item->key_len};
}

static inline uint32_t item_flags(const struct item *item)
{
    uint32_t flags = 0;

    if (item->has_flags)
        memcpy(&flags, item->data + item->key_len, sizeof(flags));
    return flags;
}

/* The value of an item that is not chunked. */
static inline char *item_value(struct item *item)
{
    return item->data + item->key_len + (item->has_flags ? sizeof(uint32_t) : 0);
}

static inline unsigned item_class(const struct item *item)
{
    return __atomic_load_n(&item->place, __ATOMIC_RELAXED) & 63;
}

static inline enum segment item_segment(const struct item *item)
{
    return (enum segment)(__atomic_load_n(&item->place, __ATOMIC_RELAXED) >> 6);
}

/* What memcached would say an item of this shape takes; limits and statistics are in it. */
static inline uint64_t item_nominal_size(size_t key_len, bool has_flags, uint64_t value_len)
{
    return 48 + 8 + key_len + 1 + (has_flags ? 4 : 0) + value_len + 2;
}

static inline uint64_t item_size(const struct item *item)
{
    return item_nominal_size(item->key_len, item->has_flags, item->value_len);
}

#endif

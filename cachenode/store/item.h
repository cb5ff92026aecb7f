/*
 * An item: a header of 24 bytes, the key, client flags if they are not zero, a CAS if a
 * client chose it, and the value, in one chunk. Instead of a value too large for that stand the ids
 * of the pieces that hold it: chunks that begin with a struct piece.
 *
 * A linked item's key and value never change while anybody else holds it. `cas`,
 * `expires_at`, `used` and `score` change under the lock of the key's stripe; refs
 * atomically. What a sampler peeks at without the lock is written atomically, too.
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

enum { ITEM_UNIT = 8, ITEM_REFS_MAX = 60000, ITEM_KEY_MAX = 255 };

struct item {
    uint64_t cas;        /* number of the store that made it: unique, increasing */
    uint32_t expires_at; /* 0: never */
    uint32_t used;       /* enum item_use, segment, second of the last use */
    uint32_t value_len : 30, has_flags : 1, is_chunked : 1; /* never change */
    uint16_t refs; /* one for being linked, one per holder */
    uint8_t key_len;
    uint8_t score; /* score.h */
    char data[];
};

_Static_assert(sizeof(struct item) == 24, "each byte of it is paid a million times");

enum item_use {
    ITEM_FETCHED = 1,
    ITEM_ACTIVE = 2,
    ITEM_STALE = 4,       /* invalidated, and still served, by the meta commands */
    ITEM_TOKEN_SENT = 8,  /* somebody was told to renew it */
    ITEM_LINKED = 16,     /* it is in the index */
    ITEM_BINARY_KEY = 32, /* its key came in base64 */
    ITEM_OWN_CAS = 64,    /* a client chose its CAS */
    ITEM_SEGMENT_SHIFT = 7,
    ITEM_SECOND_SHIFT = 9
};

/* What `used` says of a chunk that is a piece of a value; it is never said of an item. */
enum { ITEM_PIECE = ITEM_ACTIVE };

struct piece {
    uint64_t unused;
    item_id owner;
    uint32_t used; /* ITEM_PIECE */
    char data[];
};

_Static_assert(offsetof(struct piece, used) == offsetof(struct item, used), "one may be peeked at");

static inline uint32_t item_peek(const struct item *item)
{
    return __atomic_load_n(&item->used, __ATOMIC_RELAXED);
}

static inline void item_set_used(struct item *item, uint32_t used)
{
    __atomic_store_n(&item->used, used, __ATOMIC_RELAXED);
}

/* Seconds since the last use, if that is within the last 97 days. */
static inline uint32_t item_idle_s(uint32_t used, uint32_t now)
{
    return (now - (used >> ITEM_SECOND_SHIFT)) & (UINT32_MAX >> ITEM_SECOND_SHIFT);
}

static inline bool item_is(const struct item *item, enum item_use use)
{
    return (item_peek(item) & (uint32_t)use) != 0;
}

static inline void item_set(struct item *item, enum item_use use, bool is_so)
{
    uint32_t used = item_peek(item);

    item_set_used(item, is_so ? used | (uint32_t)use : used & ~(uint32_t)use);
}

static inline enum segment used_segment(uint32_t used)
{
    return (enum segment)(used >> ITEM_SEGMENT_SHIFT & 3);
}

static inline enum segment item_segment(const struct item *item)
{
    return used_segment(item_peek(item));
}

/* Notes a use now: the first makes it fetched, a second active. */
static inline void item_mark_used(struct item *item, uint32_t now)
{
    uint32_t used = item_peek(item) & (((uint32_t)1 << ITEM_SECOND_SHIFT) - 1);

    used |= (used & ITEM_FETCHED) << 1 | ITEM_FETCHED;
    item_set_used(item, now << ITEM_SECOND_SHIFT | used);
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
    return item->data + item->key_len + (item->has_flags ? sizeof(uint32_t) : 0) +
           (item_is(item, ITEM_OWN_CAS) ? sizeof(uint64_t) : 0);
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

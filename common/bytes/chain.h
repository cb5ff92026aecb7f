/*
 * Bytes on their way out: a queue of slices, and a tail. Small bytes are copied
 * to the tail, into the chain's own blocks, side by side, so that many replies
 * leave as one piece; large ones are not copied: their slice borrows them from
 * somebody (a block of received data, a cached item) and keeps that owner alive
 * until it is written, moved on, or cleared. CHAIN_COPY_MAX is the threshold,
 * here alone.
 *
 * Sizes are in bytes. A chain belongs to one thread; an all-zero one is empty
 * and owns no memory.
 */
#ifndef COMMON_BYTES_CHAIN_H
#define COMMON_BYTES_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/bytes/block.h"
#include "common/bytes/str.h"

struct slice {
    struct str bytes;
    const struct keeper *keeper; /* NULL: the bytes live for ever */
    void *owner;
};

struct chain {
    struct slice *slices; /* ring of `capacity` slots, a power of two; NULL: there was none yet */
    unsigned capacity, first, count;
    unsigned tail_at;    /* where in `block` the tail begins: the copies behind the last slice */
    size_t len;          /* bytes in all slices and the tail */
    char *room;          /* where the tail ends, and the next copied byte goes */
    size_t room_len;     /* bytes that may be copied there */
    struct block *block; /* the newest block for copies, held until the chain is empty */
};

enum { CHAIN_COPY_MAX = 2048 }; /* longer bytes are worth a slice */

/*
 * Appends `bytes`, which `owner` keeps alive: copies up to CHAIN_COPY_MAX bytes,
 * else holds the owner (one hold of its own; the caller keeps his). `keeper`
 * NULL: the bytes live for ever. Returns false when memory ran out; the chain is
 * then as before.
 */
bool chain_append(struct chain *chain, struct str bytes, const struct keeper *keeper, void *owner);

/* Appends a copy in memory that is no larger than it: for small bytes that wait, by
 * themselves in a chain. Returns false when memory ran out. */
bool chain_stow(struct chain *chain, struct str bytes);

/*
 * Room for `len` contiguous bytes (at most BLOCK_SIZE) to be written in place;
 * chain_commit then appends the first `len` of them. NULL: memory ran out.
 */
char *chain_reserve_slow(struct chain *chain, size_t len);

static inline char *chain_reserve(struct chain *chain, size_t len)
{
    return len <= chain->room_len ? chain->room : chain_reserve_slow(chain, len);
}

static inline void chain_commit(struct chain *chain, size_t len)
{
    chain->room += len;
    chain->room_len -= len;
    chain->len += len;
}

/* Appends a copy of `bytes`, of any length. Returns false when memory ran out;
 * the chain is then as before. */
bool chain_copy_slow(struct chain *chain, struct str bytes);

static inline bool chain_copy(struct chain *chain, struct str bytes)
{
    if (bytes.len > chain->room_len)
        return chain_copy_slow(chain, bytes);
    if (bytes.len != 0) {
        memcpy(chain->room, bytes.data, bytes.len);
        chain_commit(chain, bytes.len);
    }
    return true;
}

/* Moves all of `from` to the end of `to`, copying what is small.
 * Returns false when memory ran out; both may then have lost nothing, and `from` keeps
 * what was not moved. */
bool chain_move(struct chain *from, struct chain *to);

/* Copies all of it to `out`, which has room for `len` bytes. */
void chain_read(const struct chain *chain, char *out);

/* Moves up to `len` bytes from the front to `out`; returns how many. */
size_t chain_take(struct chain *chain, char *out, size_t len);

/* Cuts the chain back to its first `len` bytes. */
void chain_truncate(struct chain *chain, size_t len);

/*
 * Writes as much as the socket `fd` takes now.
 * Returns the bytes written, 0 when the socket is full, -1 with errno set when
 * the connection is lost. What is wholly written is released.
 */
ssize_t chain_write(struct chain *chain, int fd);

/* Releases all that is left and all memory. */
void chain_clear_slow(struct chain *chain);

static inline void chain_clear(struct chain *chain)
{
    if (chain->block != NULL || chain->slices != NULL)
        chain_clear_slow(chain);
}

/* Frees the memory that this thread keeps for chains to come, blocks included. */
void chain_trim(void);

#endif

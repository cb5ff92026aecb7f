/*
 * Memory that bytes of sockets live in, counted by who holds it. Blocks of the
 * standard size are recycled by the thread that lets them go last; a block and
 * all its holders belong to one thread.
 */
#ifndef COMMON_BYTES_BLOCK_H
#define COMMON_BYTES_BLOCK_H

#include <stddef.h>

#include "common/bytes/str.h"

/* How to keep one kind of owner alive. The keeper is passed along, so that it
 * can stand in the struct that the owner belongs to. */
struct keeper {
    void (*hold)(const struct keeper *keeper, void *owner);
    void (*release)(const struct keeper *keeper, void *owner);
};

enum { BLOCK_SIZE = 16384 - 32 }; /* bytes of data in a standard block */

struct block {
    unsigned holds;
    size_t size; /* bytes that fit in data */
    char data[];
};

/* Makes a block of at least `size` bytes with one hold, the caller's.
 * Returns NULL when memory ran out. */
struct block *block_create(size_t size);

/* Makes a block that has just the bytes, for what waits for long. NULL: memory ran out. */
struct block *block_copy(struct str bytes);

static inline void block_hold(struct block *block)
{
    block->holds++;
}

void block_release(struct block *block);

/* Bytes in all blocks of this thread that are in use. */
size_t block_bytes(void);

/* Lets slices keep a block: the owner is the struct block. */
extern const struct keeper block_keeper;

/* Returns this thread's spare blocks to the system. */
void block_trim(void);

#endif

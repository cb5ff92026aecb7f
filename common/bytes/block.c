#include <stdlib.h>

#include "common/base/freelist.h"
#include "common/base/panic.h"
#include "common/bytes/block.h"

/* Spare blocks wait here for the next turn of the loop; 64 are 1 MB a thread. */
static _Thread_local struct freelist spare = {
    .size = sizeof(struct block) + BLOCK_SIZE,
    .ceiling = 64,
};

static _Thread_local size_t live_bytes;

size_t block_bytes(void)
{
    return live_bytes;
}

struct block *block_create(size_t size)
{
    struct block *block;

    if (size <= BLOCK_SIZE) {
        size = BLOCK_SIZE;
        block = freelist_take(&spare);
    } else {
        if (size > SIZE_MAX / 2)
            return NULL;
        block = malloc(sizeof(*block) + size);
    }
    if (block == NULL)
        return NULL;
    block->holds = 1;
    block->size = size;
    live_bytes += size;
    return block;
}

struct block *block_copy(struct str bytes)
{
    struct block *block;

    if (bytes.len == BLOCK_SIZE)
        block = block_create(BLOCK_SIZE);
    else
        block = malloc(sizeof(*block) + bytes.len);
    if (block == NULL)
        return NULL;
    block->holds = 1;
    if (bytes.len != BLOCK_SIZE)
        live_bytes += bytes.len;
    block->size = bytes.len;
    memcpy(block->data, bytes.data, bytes.len);
    return block;
}

void block_release(struct block *block)
{
    ASSERT(block->holds > 0);
    if (--block->holds != 0)
        return;
    live_bytes -= block->size;
    if (block->size == BLOCK_SIZE)
        freelist_give(&spare, block);
    else
        free(block);
}

static void keeper_hold(const struct keeper *keeper, void *owner)
{
    (void)keeper;
    block_hold(owner);
}

static void keeper_release(const struct keeper *keeper, void *owner)
{
    (void)keeper;
    block_release(owner);
}

const struct keeper block_keeper = {keeper_hold, keeper_release};

void block_trim(void)
{
    freelist_trim(&spare, 0);
}

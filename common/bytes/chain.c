#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/freelist.h"
#include "common/base/panic.h"
#include "common/bytes/chain.h"

enum { SLICES_MIN = 4, SLICES_PER_WRITE = 64 };

/* A chain that is filled and written each turn finds its slots here. */
static _Thread_local struct freelist spare_slices = {
    .size = SLICES_MIN * sizeof(struct slice),
    .ceiling = 256,
};

static struct slice *slice_at(const struct chain *chain, unsigned i)
{
    return &chain->slices[(chain->first + i) & (chain->capacity - 1)];
}

static struct str bytes_at(const struct chain *chain, unsigned i)
{
    struct str bytes = slice_at(chain, i)->bytes;

    if (chain->room != NULL && i == chain->count - 1)
        bytes.len = (size_t)(chain->room - bytes.data);
    return bytes;
}

static void slices_free(struct chain *chain)
{
    if (chain->capacity == SLICES_MIN)
        freelist_give(&spare_slices, chain->slices);
    else
        free(chain->slices);
}

/* Sees to a free slot behind the last slice. */
static bool slices_grow(struct chain *chain)
{
    unsigned capacity = chain->capacity * 2;
    struct slice *slices;

    if (chain->count < chain->capacity)
        return true;
    if (chain->capacity == 0) {
        chain->slices = freelist_take(&spare_slices);
        chain->capacity = chain->slices != NULL ? SLICES_MIN : 0;
        return chain->slices != NULL;
    }
    slices = malloc(capacity * sizeof(*slices));
    if (slices == NULL)
        return false;
    for (unsigned i = 0; i < chain->count; i++)
        slices[i] = *slice_at(chain, i);
    slices_free(chain);
    chain->slices = slices;
    chain->capacity = capacity;
    chain->first = 0;
    return true;
}

static void slice_release(const struct slice *slice)
{
    if (slice->keeper != NULL)
        slice->keeper->release(slice->keeper, slice->owner);
}

/* Puts the chain back to owning nothing; all slices are gone already. */
static void become_empty(struct chain *chain)
{
    if (chain->block != NULL)
        block_release(chain->block);
    if (chain->slices != NULL)
        slices_free(chain);
    *chain = (struct chain){0};
}

/* The last slice cannot grow any more; what is left of the block serves the next one. */
static void room_close(struct chain *chain)
{
    if (chain->room != NULL) {
        slice_at(chain, chain->count - 1)->bytes = bytes_at(chain, chain->count - 1);
        chain->block_used = (unsigned)(chain->room - chain->block->data);
    }
    chain->room = NULL;
    chain->room_len = 0;
}

char *chain_reserve_slow(struct chain *chain, size_t len)
{
    ASSERT(len <= BLOCK_SIZE);
    if (!slices_grow(chain))
        return NULL;
    room_close(chain);
    if (chain->block == NULL || chain->block->size - chain->block_used < len) {
        struct block *block = block_create(BLOCK_SIZE);

        if (block == NULL)
            return NULL;
        if (chain->block != NULL)
            block_release(chain->block);
        chain->block = block;
        chain->block_used = 0;
    }
    chain->room = chain->block->data + chain->block_used;
    chain->room_len = chain->block->size - chain->block_used;
    *slice_at(chain, chain->count++) =
        (struct slice){{chain->room, 0}, &block_keeper, chain->block};
    block_hold(chain->block);
    return chain->room;
}

bool chain_copy_slow(struct chain *chain, struct str bytes)
{
    size_t len_before = chain->len;

    while (bytes.len != 0) {
        size_t part = bytes.len;
        char *to;

        if (part > chain->room_len && chain->room_len != 0)
            part = chain->room_len;
        if (part > BLOCK_SIZE)
            part = BLOCK_SIZE;
        to = chain_reserve(chain, part);
        if (to == NULL) {
            chain_truncate(chain, len_before);
            return false;
        }
        memcpy(to, bytes.data, part);
        chain_commit(chain, part);
        bytes = str_skip(bytes, part);
    }
    return true;
}

bool chain_append(struct chain *chain, struct str bytes, const struct keeper *keeper, void *owner)
{
    if (bytes.len <= CHAIN_COPY_MAX)
        return chain_copy(chain, bytes);
    if (!slices_grow(chain))
        return false;
    room_close(chain);
    if (keeper != NULL)
        keeper->hold(keeper, owner);
    *slice_at(chain, chain->count++) = (struct slice){bytes, keeper, owner};
    chain->len += bytes.len;
    return true;
}

bool chain_stow(struct chain *chain, struct str bytes)
{
    struct block *block;

    if (!slices_grow(chain))
        return false;
    block = block_copy(bytes);
    if (block == NULL)
        return false;
    room_close(chain);
    *slice_at(chain, chain->count++) =
        (struct slice){{block->data, bytes.len}, &block_keeper, block};
    chain->len += bytes.len;
    return true;
}

/* Drops the first `len` bytes, which have gone where they should. */
static void drop_front(struct chain *chain, size_t len)
{
    chain->len -= len;
    while (chain->count != 0) {
        struct slice *slice = slice_at(chain, 0);
        struct str bytes = bytes_at(chain, 0);

        if (bytes.len > len) {
            slice->bytes = str_skip(bytes, len);
            return;
        }
        len -= bytes.len;
        slice_release(slice);
        chain->first = (chain->first + 1) & (chain->capacity - 1);
        chain->count--;
    }
    become_empty(chain);
}

bool chain_move(struct chain *from, struct chain *to)
{
    if (to->count == 0) {
        struct chain empty = *to;

        *to = *from;
        *from = empty;
        chain_clear(from);
        return true;
    }
    while (from->count != 0) {
        struct slice *slice = slice_at(from, 0);
        struct str bytes = bytes_at(from, 0);

        if (!chain_append(to, bytes, slice->keeper, slice->owner))
            return false;
        drop_front(from, bytes.len);
    }
    become_empty(from);
    return true;
}

void chain_read(const struct chain *chain, char *out)
{
    for (unsigned i = 0; i < chain->count; i++) {
        struct str bytes = bytes_at(chain, i);

        memcpy(out, bytes.data, bytes.len);
        out += bytes.len;
    }
}

size_t chain_take(struct chain *chain, char *out, size_t len)
{
    size_t taken = 0;

    while (taken < len && chain->len != 0) {
        struct str bytes = slice_at(chain, 0)->bytes;
        size_t part = bytes.len < len - taken ? bytes.len : len - taken;

        memcpy(out + taken, bytes.data, part);
        taken += part;
        if (part == chain->len)
            chain_clear(chain);
        else
            drop_front(chain, part);
    }
    return taken;
}

void chain_truncate(struct chain *chain, size_t len)
{
    ASSERT(len <= chain->len);
    room_close(chain);
    while (chain->len > len) {
        struct slice *last = slice_at(chain, chain->count - 1);
        size_t over = chain->len - len;

        if (last->bytes.len > over) {
            last->bytes.len -= over;
            chain->len = len;
            return;
        }
        chain->len -= last->bytes.len;
        slice_release(last);
        chain->count--;
    }
    if (chain->count == 0)
        become_empty(chain);
}

static ssize_t write_some(const struct chain *chain, int fd)
{
    struct iovec parts[SLICES_PER_WRITE];
    struct msghdr message = {.msg_iov = parts};

    if (chain->count == 1)
        return send(fd, slice_at(chain, 0)->bytes.data, chain->len, MSG_NOSIGNAL);
    for (unsigned i = 0; i < chain->count && message.msg_iovlen < SLICES_PER_WRITE; i++) {
        struct str bytes = bytes_at(chain, i);

        if (bytes.len == 0)
            continue;
        parts[message.msg_iovlen++] = (struct iovec){(char *)(uintptr_t)bytes.data, bytes.len};
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t chain_write(struct chain *chain, int fd)
{
    size_t before = chain->len;

    while (chain->len != 0) {
        bool is_cut = chain->count > SLICES_PER_WRITE;
        ssize_t sent = write_some(chain, fd);
        size_t left = chain->len;

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (sent < 0)
            return -1;
        if ((size_t)sent == left) {
            chain_clear(chain);
            break;
        }
        drop_front(chain, (size_t)sent);
        /* Less than it was given, and the socket is full: the next call would only say so. */
        if ((size_t)sent < left && !is_cut)
            break;
    }
    if (chain->len == 0 && chain->count != 0)
        chain_clear(chain);
    return (ssize_t)(before - chain->len);
}

void chain_clear(struct chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        slice_release(slice_at(chain, i));
    become_empty(chain);
}

void chain_trim(void)
{
    freelist_trim(&spare_slices, 0);
    block_trim();
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/freelist.h"
#include "common/base/panic.h"
#include "common/base/uncancelled.h"
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

static struct str tail_of(const struct chain *chain)
{
    const char *begin = chain->block != NULL ? chain->block->data + chain->tail_at : chain->room;

    return (struct str){begin, (size_t)(chain->room - begin)};
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

/* There is a free slot: takes over one hold of the owner. */
static void slices_push(struct chain *chain, struct str bytes, const struct keeper *keeper,
                        void *owner)
{
    *slice_at(chain, chain->count++) = (struct slice){bytes, keeper, owner};
}

/* Makes the tail a slice, that something else can follow it. */
static bool tail_close(struct chain *chain)
{
    struct str tail = tail_of(chain);

    if (tail.len == 0)
        return true;
    if (!slices_grow(chain))
        return false;
    block_hold(chain->block);
    slices_push(chain, tail, &block_keeper, chain->block);
    chain->tail_at += (unsigned)tail.len;
    return true;
}

/* Begins the tail anew, with all the room there can be. */
static bool tail_renew(struct chain *chain)
{
    struct block *block;

    if (!tail_close(chain))
        return false;
    block = block_create(BLOCK_SIZE);
    if (block == NULL)
        return false;
    if (chain->block != NULL)
        block_release(chain->block);
    chain->block = block;
    chain->tail_at = 0;
    chain->room = block->data;
    chain->room_len = block->size;
    return true;
}

__attribute__((noinline)) char *chain_reserve_slow(struct chain *chain, size_t len)
{
    ASSERT(len <= BLOCK_SIZE);
    return tail_renew(chain) ? chain->room : NULL;
}

static void fill(struct chain *chain, const char *data, size_t len)
{
    memcpy(chain->room, data, len);
    chain_commit(chain, len);
}

__attribute__((noinline)) bool chain_copy_slow(struct chain *chain, struct str bytes)
{
    size_t len_before = chain->len;

    while (bytes.len > chain->room_len) {
        size_t part = chain->room_len;

        if (part != 0)
            fill(chain, bytes.data, part);
        bytes = str_skip(bytes, part);
        if (!tail_renew(chain)) {
            chain_truncate(chain, len_before);
            return false;
        }
    }
    fill(chain, bytes.data, bytes.len);
    return true;
}

bool chain_append(struct chain *chain, struct str bytes, const struct keeper *keeper, void *owner)
{
    if (bytes.len <= CHAIN_COPY_MAX)
        return chain_copy(chain, bytes);
    if (!tail_close(chain) || !slices_grow(chain))
        return false;
    if (keeper != NULL)
        keeper->hold(keeper, owner);
    slices_push(chain, bytes, keeper, owner);
    chain->len += bytes.len;
    return true;
}

bool chain_stow(struct chain *chain, struct str bytes)
{
    struct block *block;

    if (!tail_close(chain) || !slices_grow(chain))
        return false;
    block = block_copy(bytes);
    if (block == NULL)
        return false;
    slices_push(chain, (struct str){block->data, bytes.len}, &block_keeper, block);
    chain->len += bytes.len;
    return true;
}

/* Drops the first `len` bytes, which have gone where they should. */
static void drop_front(struct chain *chain, size_t len)
{
    chain->len -= len;
    while (chain->count != 0) {
        struct slice *slice = slice_at(chain, 0);

        if (slice->bytes.len > len) {
            slice->bytes = str_skip(slice->bytes, len);
            return;
        }
        len -= slice->bytes.len;
        slice_release(slice);
        chain->first = (chain->first + 1) & (chain->capacity - 1);
        chain->count--;
    }
    chain->tail_at += (unsigned)len;
    if (chain->len == 0)
        become_empty(chain);
}

bool chain_move(struct chain *from, struct chain *to)
{
    struct str tail;

    if (to->len == 0) {
        struct chain empty = *to;

        *to = *from;
        *from = empty;
        chain_clear(from);
        return true;
    }
    while (from->count != 0) {
        struct slice *slice = slice_at(from, 0);

        if (!chain_append(to, slice->bytes, slice->keeper, slice->owner))
            return false;
        drop_front(from, slice->bytes.len);
    }
    tail = tail_of(from);
    if (tail.len != 0 && !chain_append(to, tail, &block_keeper, from->block))
        return false;
    become_empty(from);
    return true;
}

void chain_read(const struct chain *chain, char *out)
{
    struct str tail = tail_of(chain);

    for (unsigned i = 0; i < chain->count; i++) {
        struct str bytes = slice_at(chain, i)->bytes;

        memcpy(out, bytes.data, bytes.len);
        out += bytes.len;
    }
    if (tail.len != 0)
        memcpy(out, tail.data, tail.len);
}

size_t chain_take(struct chain *chain, char *out, size_t len)
{
    size_t taken = 0;

    while (taken < len && chain->len != 0) {
        struct str bytes = chain->count != 0 ? slice_at(chain, 0)->bytes : tail_of(chain);
        size_t part = bytes.len < len - taken ? bytes.len : len - taken;

        memcpy(out + taken, bytes.data, part);
        taken += part;
        drop_front(chain, part);
    }
    return taken;
}

void chain_truncate(struct chain *chain, size_t len)
{
    size_t over = chain->len - len, from_tail = tail_of(chain).len;

    ASSERT(len <= chain->len);
    if (from_tail > over)
        from_tail = over;
    chain->len = len;
    if (from_tail != 0) {
        chain->room -= from_tail;
        chain->room_len += from_tail;
        over -= from_tail;
    }
    while (over != 0) {
        struct slice *last = slice_at(chain, chain->count - 1);

        if (last->bytes.len > over) {
            last->bytes.len -= over;
            return;
        }
        over -= last->bytes.len;
        slice_release(last);
        chain->count--;
    }
    if (len == 0)
        become_empty(chain);
}

static ssize_t write_slices(const struct chain *chain, int fd)
{
    struct iovec parts[SLICES_PER_WRITE];
    struct msghdr message = {.msg_iov = parts};
    struct str bytes = tail_of(chain);

    for (unsigned i = 0; i < chain->count && message.msg_iovlen < SLICES_PER_WRITE; i++) {
        struct str each = slice_at(chain, i)->bytes;

        parts[message.msg_iovlen++] = (struct iovec){(char *)(uintptr_t)each.data, each.len};
    }
    if (bytes.len != 0 && message.msg_iovlen < SLICES_PER_WRITE)
        parts[message.msg_iovlen++] = (struct iovec){(char *)(uintptr_t)bytes.data, bytes.len};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static ssize_t write_some(const struct chain *chain, int fd)
{
    if (chain->count == 0)
        return uncancelled_send(fd, tail_of(chain).data, chain->len);
    return write_slices(chain, fd);
}

ssize_t chain_write(struct chain *chain, int fd)
{
    size_t before = chain->len;

    while (chain->len != 0) {
        bool is_cut = chain->count >= SLICES_PER_WRITE;
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
        if (!is_cut)
            break;
    }
    return (ssize_t)(before - chain->len);
}

void chain_clear_slow(struct chain *chain)
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

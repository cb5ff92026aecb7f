/*
 * From top to bottom: input, output, ends, and what the owner may ask for.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/panic.h"
#include "common/base/uncancelled.h"
#include "common/net/conn.h"

/* The first block for input of which more is awaited; doubled as the bytes really come, so
 * that an announcement alone takes no memory. */
enum { KEPT_FIRST_MAX = 1 << 20 };

static void conn_event(evutil_socket_t fd, short what, void *arg);
static void conn_die(struct conn *conn);

/* Has the event wait for just what is of use now. */
static void arm(struct conn *conn)
{
    short what = 0;

    if (conn->connecting || conn->write_full)
        what |= EV_WRITE;
    if (!conn->connecting && !conn->paused && !conn->eof && !conn->closing)
        what |= EV_READ;
    if (what == conn->armed || conn->dying)
        return;
    if (conn->armed != 0)
        event_del(&conn->event);
    conn->armed = (uint8_t)what;
    if (what == 0)
        return;
    event_assign(&conn->event, conn->loop->base, conn_fd(conn), (short)(what | EV_PERSIST),
                 conn_event, conn);
    event_add(&conn->event, NULL);
}

/* --- input --- */

static void kept_drop(struct conn *conn)
{
    if (conn->kept != NULL)
        block_release(conn->kept);
    conn->kept = NULL;
    conn->kept_first = conn->kept_len = 0;
}

/* Keeps `rest`, which was not used, in a block of `size` bytes, or less if that is a promise
 * of which little has come. */
static bool keep(struct conn *conn, struct str rest, size_t size)
{
    struct block *block;

    if (size > KEPT_FIRST_MAX && rest.len * 2 < size)
        size = rest.len * 2 > KEPT_FIRST_MAX ? rest.len * 2 : KEPT_FIRST_MAX;
    block = block_create(size);
    if (block == NULL) {
        conn_fail(conn, ENOMEM);
        return false;
    }
    memcpy(block->data, rest.data, rest.len);
    kept_drop(conn);
    conn->kept = block;
    conn->kept_len = (uint32_t)rest.len;
    return true;
}

/* Shows `in` to the owner, or puts it where he wants it, as long as he goes on; returns the
 * rest. */
static struct str feed(struct conn *conn, struct str in)
{
    while (!conn->dying) {
        size_t used;

        if (conn->dest_len != 0) {
            size_t part = in.len < conn->dest_len ? in.len : conn->dest_len;

            memcpy(conn->dest, in.data, part);
            in = str_skip(in, part);
            conn->dest += part;
            conn->dest_len -= (uint32_t)part;
            if (conn->dest_len != 0)
                return in;
            conn->ops->received(conn);
            continue;
        }
        if (in.len == 0 || conn->paused || conn->closing || conn->yielding)
            return in;
        conn->want = 0;
        used = conn->ops->input(conn, in);
        ASSERT(used <= in.len);
        in = str_skip(in, used);
        if (conn->dest_len == 0)
            return in;
    }
    return in;
}

/* Feeds what is kept, and keeps the rest. */
static void feed_kept(struct conn *conn)
{
    struct block *block = conn->kept;
    struct str in = {block->data + conn->kept_first, conn->kept_len};
    struct str rest;

    block_hold(block);
    rest = feed(conn, in);
    if (rest.len == 0 || conn->dying) {
        kept_drop(conn);
    } else {
        conn->kept_first = (uint32_t)(rest.data - block->data);
        conn->kept_len = (uint32_t)rest.len;
    }
    block_release(block);
}

/* Feeds `in`, which lies in the loop's block, and keeps the rest. */
static void feed_fresh(struct conn *conn, struct str in)
{
    struct str rest = feed(conn, in);

    if (rest.len != 0 && !conn->dying)
        keep(conn, rest, conn->want > rest.len ? conn->want : rest.len);
}

/* The loop's block, taken anew if slices still hold the last one. */
static struct block *fresh_block(struct loop *loop)
{
    if (loop->input->holds > 1) {
        struct block *block = block_create(loop->input_size);

        if (block == NULL)
            return NULL;
        block_release(loop->input);
        loop->input = block;
    }
    return loop->input;
}

static void conn_read_failed(struct conn *conn, ssize_t result)
{
    if (result < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            conn_fail(conn, errno);
        return;
    }
    conn->eof = true;
    if (conn->ops->eof != NULL) {
        arm(conn);
        conn->ops->eof(conn);
    } else {
        conn->end = CONN_END_EOF;
        conn_die(conn);
    }
}

/* The stream's next bytes go to the owner's memory, what follows them to the loop's block. */
static void read_to_dest(struct conn *conn, struct block *block)
{
    size_t dest_len = conn->dest_len;
    struct iovec parts[2] = {{conn->dest, dest_len}, {block->data, block->size}};
    ssize_t len = readv(conn_fd(conn), parts, 2);
    size_t beyond;

    if (len <= 0) {
        conn_read_failed(conn, len);
        return;
    }
    conn->loop->bytes_read += (uint64_t)len;
    if ((size_t)len < dest_len) {
        conn->dest += len;
        conn->dest_len -= (uint32_t)len;
        return;
    }
    beyond = (size_t)len - dest_len;
    conn->dest_len = 0;
    conn->ops->received(conn);
    if (!conn->dying)
        feed_fresh(conn, (struct str){block->data, beyond});
}

/* A large whole is awaited: its bytes go where the first of them are. */
static void read_to_kept(struct conn *conn)
{
    struct block *block = conn->kept;
    size_t end = (size_t)conn->kept_first + conn->kept_len;
    ssize_t len;

    if (end == block->size) {
        struct str rest = {block->data + conn->kept_first, conn->kept_len};

        if (!keep(conn, rest, conn->want > rest.len ? conn->want : rest.len * 2))
            return;
        block = conn->kept;
        end = conn->kept_len;
    }
    len = uncancelled_recv(conn_fd(conn), block->data + end, block->size - end);
    if (len <= 0) {
        conn_read_failed(conn, len);
        return;
    }
    conn->loop->bytes_read += (uint64_t)len;
    conn->kept_len += (uint32_t)len;
    if (conn->kept_len >= conn->want)
        feed_kept(conn);
}

static void read_to_loop(struct conn *conn, struct block *block)
{
    size_t head = conn->kept_len;
    ssize_t len;

    if (head != 0)
        memcpy(block->data, conn->kept->data + conn->kept_first, head);
    len = uncancelled_recv(conn_fd(conn), block->data + head, block->size - head);
    if (len <= 0) {
        conn_read_failed(conn, len);
        return;
    }
    conn->loop->bytes_read += (uint64_t)len;
    kept_drop(conn);
    feed_fresh(conn, (struct str){block->data, head + (size_t)len});
}

static void conn_read(struct conn *conn)
{
    struct block *block;

    /* The rest of the last input comes first; it is already on its way. */
    if (conn->yielding)
        return;
    if (conn->kept != NULL && conn->dest_len == 0 &&
        (conn->want > conn->loop->input_size / 2 || conn->kept_len > conn->loop->input_size / 2)) {
        read_to_kept(conn);
        return;
    }
    block = fresh_block(conn->loop);
    if (block == NULL)
        conn_fail(conn, ENOMEM);
    else if (conn->dest_len != 0)
        read_to_dest(conn, block);
    else
        read_to_loop(conn, block);
}

void conn_show_again(struct conn *conn)
{
    list_remove(&conn->turn_link);
    conn->yielding = false;
    if (conn->kept != NULL)
        feed_kept(conn);
}

/* --- output --- */

void conn_flush(struct conn *conn)
{
    ssize_t sent;

    list_remove(&conn->turn_link);
    conn->flushing = false;
    if (conn->yielding)
        list_append(&conn->loop->yields, &conn->turn_link);
    if (conn->connecting)
        return;
    sent = chain_write(&conn->out, conn_fd(conn));
    if (sent < 0) {
        conn_fail(conn, errno);
        return;
    }
    conn->loop->bytes_written += (uint64_t)sent;
    if (conn->out.len != 0) {
        conn->write_full = true;
        arm(conn);
        return;
    }
    if (conn->closing) {
        conn_die(conn);
        return;
    }
    if (conn->write_full || conn->paused) {
        conn->write_full = false;
        arm(conn);
        if (conn->ops->drained != NULL)
            conn->ops->drained(conn);
    }
}

/* libevent reports a refused connect as writable; only SO_ERROR tells. */
static void conn_connected(struct conn *conn)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(conn_fd(conn), SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        conn_fail(conn, error);
        return;
    }
    conn->connecting = false;
    arm(conn);
    conn_flush_later(conn);
    if (conn->ops->connected != NULL)
        conn->ops->connected(conn);
}

static void conn_event(evutil_socket_t fd, short what, void *arg)
{
    struct conn *conn = arg;

    (void)fd;
    if (conn->dying)
        return;
    if (conn->connecting) {
        conn_connected(conn);
        return;
    }
    if (what & EV_WRITE)
        conn_flush_later(conn);
    if (what & EV_READ)
        conn_read(conn);
    /* Who has filled a block is written to at once, that the next one fills it while it is in
     * the processor's cache. */
    if (conn->flushing && !conn->dying && conn->out.len >= BLOCK_SIZE)
        conn_flush(conn);
}

/* --- ends --- */

static void conn_die(struct conn *conn)
{
    if (conn->dying)
        return;
    conn->dying = true;
    list_remove(&conn->turn_link);
    list_append(&conn->loop->dying, &conn->turn_link);
}

void conn_end(struct conn *conn)
{
    int fd = conn->end == CONN_END_RELEASED ? -1 : conn_fd(conn);

    list_remove(&conn->turn_link);
    if (conn->armed != 0)
        event_del(&conn->event);
    chain_clear(&conn->out);
    kept_drop(conn);
    conn->ops->closed(conn);
    if (fd >= 0)
        close(fd);
}

void conn_close(struct conn *conn)
{
    conn_die(conn);
}

void conn_close_flushed(struct conn *conn)
{
    conn->closing = true;
    arm(conn);
    conn_flush_later(conn);
}

void conn_release(struct conn *conn)
{
    if (conn->dying)
        return;
    conn->end = CONN_END_RELEASED;
    conn_die(conn);
}

void conn_fail(struct conn *conn, int error)
{
    if (conn->dying)
        return;
    conn->end = CONN_END_ERROR;
    conn->error = error;
    conn_die(conn);
}

/* --- what the owner asks for --- */

static void conn_init(struct conn *conn, struct loop *loop, int fd, const struct conn_ops *ops)
{
    *conn = (struct conn){.loop = loop, .ops = ops, .event.ev_fd = fd};
    list_init(&conn->turn_link);
}

void conn_open(struct conn *conn, struct loop *loop, int fd, const struct conn_ops *ops)
{
    conn_init(conn, loop, fd, ops);
    arm(conn);
}

void conn_connect(struct conn *conn, struct loop *loop, const struct addr *addr,
                  const struct conn_ops *ops)
{
    static const int on = 1;
    int fd = socket(addr->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    conn_init(conn, loop, fd, ops);
    conn->connecting = true;
    if (fd < 0) {
        conn_fail(conn, errno);
        return;
    }
    if (addr->family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&addr->sockaddr, addr->len) != 0 &&
        errno != EINPROGRESS) {
        conn_fail(conn, errno);
        return;
    }
    arm(conn);
}

void conn_want(struct conn *conn, size_t len)
{
    ASSERT(len <= UINT32_MAX);
    conn->want = (uint32_t)len;
}

void conn_receive(struct conn *conn, char *dest, size_t len)
{
    ASSERT(len <= UINT32_MAX);
    conn->dest = dest;
    conn->dest_len = (uint32_t)len;
}

void conn_yield(struct conn *conn)
{
    if (conn->yielding || conn->dying)
        return;
    conn->yielding = true;
    if (!conn->flushing)
        list_append(&conn->loop->yields, &conn->turn_link);
}

struct block *conn_input_block(struct conn *conn)
{
    return conn->kept != NULL ? conn->kept : conn->loop->input;
}

void conn_pause(struct conn *conn)
{
    conn->paused = true;
    arm(conn);
}

void conn_resume(struct conn *conn)
{
    if (!conn->paused)
        return;
    conn->paused = false;
    arm(conn);
    if (conn->kept != NULL)
        conn_yield(conn);
}

/*
 * A stream connection on a loop, from connect or accept to close: the only code
 * that reads or writes stream sockets.
 *
 * Input is read into the loop's block and shown to the owner, who says how much
 * he has used; only an unfinished rest is kept, so an idle connection owns no
 * buffer. Output gathers in `out` and is written once, at the end of the turn.
 *
 * The owner embeds the conn and finds himself with container_of. His calls come
 * one at a time; `closed` is the last, at the end of a turn, never from within a
 * call of his own.
 */
#ifndef COMMON_NET_CONN_H
#define COMMON_NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/bytes/chain.h"
#include "common/net/addr.h"
#include "common/net/loop.h"

struct conn;

enum conn_end {
    CONN_END_LOCAL,   /* conn_close */
    CONN_END_EOF,     /* the peer closed */
    CONN_END_ERROR,   /* conn.error, an errno, says why */
    CONN_END_RELEASED /* conn_release */
};

struct conn_ops {
    /*
     * Bytes came: `in` is all that has not been used. Returns how much is used
     * now; the rest is shown again, with more behind it, when more has come. The
     * bytes lie in conn_input_block(conn), to be held for slices.
     */
    size_t (*input)(struct conn *conn, struct str in);
    /* The conn_receive under way is complete. NULL if it is never used. */
    void (*received)(struct conn *conn);
    /* A conn_connect succeeded. NULL if it is of no interest. */
    void (*connected)(struct conn *conn);
    /* All output is written after a time when the socket was full or the conn paused. May be
     * NULL. */
    void (*drained)(struct conn *conn);
    /*
     * The peer has sent its last byte, and all input was shown. NULL: the conn is closed.
     * Otherwise the owner answers what is under way, then calls conn_close_flushed.
     */
    void (*eof)(struct conn *conn);
    /* The connection is gone, its socket closed when this returns, or, if it was released, the
     * owner's now; he frees what embeds the conn. */
    void (*closed)(struct conn *conn);
};

/* Idle ones are many: each byte of it counts. */
struct conn {
    struct loop *loop;
    const struct conn_ops *ops;
    struct chain out;
    struct block *kept; /* unused input; NULL: none */
    char *dest;         /* where conn_receive puts the next dest_len bytes */
    uint32_t kept_first, kept_len;
    uint32_t want; /* whole bytes that the owner waits for; a hint for `kept` */
    uint32_t dest_len;
    struct event event;
    struct list turn_link; /* in the loop's dying, else its flushes, else its yields, as the flags
                              say; a list of its own: in none */
    int error;             /* errno of CONN_END_ERROR */
    uint8_t end;           /* enum conn_end, valid in `closed` */
    uint8_t armed;         /* EV_READ, EV_WRITE: what the event waits for */
    bool connecting : 1, dying : 1, paused : 1, eof : 1, flushing : 1, closing : 1, write_full : 1,
        yielding : 1;
};

static inline int conn_fd(const struct conn *conn)
{
    return conn->event.ev_fd;
}

/* Takes over the connected non-blocking socket `fd`. */
void conn_open(struct conn *conn, struct loop *loop, int fd, const struct conn_ops *ops);

/*
 * Starts connecting to `addr`. Output may be queued at once. What fails, also at
 * once, comes as `closed` with CONN_END_ERROR at the end of the turn.
 */
void conn_connect(struct conn *conn, struct loop *loop, const struct addr *addr,
                  const struct conn_ops *ops);

/* Has `out` written at the end of this turn. Call it after adding to `out`. */
static inline void conn_flush_later(struct conn *conn)
{
    if (conn->flushing || conn->dying)
        return;
    conn->flushing = true;
    list_remove(&conn->turn_link);
    list_append(&conn->loop->flushes, &conn->turn_link);
}

/* Says that `len` bytes from the front of the input make a whole: room is made at once. */
void conn_want(struct conn *conn, size_t len);

/*
 * Takes the next `len` bytes of the stream straight into `dest`, then calls `received`,
 * from which it may be called again for a further piece. The bytes begin behind what the
 * input call under way says it has used; what of them is there already is copied.
 */
void conn_receive(struct conn *conn, char *dest, size_t len);

/* Shows the rest of the input again after the other ready connections had their turn. */
void conn_yield(struct conn *conn);

/* The block that the `in` of the input call under way lies in; for block_keeper. */
struct block *conn_input_block(struct conn *conn);

/* Stops and resumes reading, for backpressure. Input kept is shown again on resume. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/* Closes at the end of this turn; what is still in `out` is dropped. */
void conn_close(struct conn *conn);

/* Closes once all of `out` is written; nothing more is read. */
void conn_close_flushed(struct conn *conn);

/* At the end of this turn `closed` is called, with the socket `fd` still open and from then on
 * the owner's. What is in `out`, and input not used, is dropped. */
void conn_release(struct conn *conn);

/* Closes as broken: `error` is an errno. */
void conn_fail(struct conn *conn, int error);

/* For the loop alone: shows what is left after a yield; writes what is in `out`; ends a dying
 * connection. */
void conn_show_again(struct conn *conn);
void conn_flush(struct conn *conn);
void conn_end(struct conn *conn);

#endif

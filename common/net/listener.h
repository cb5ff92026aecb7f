/*
 * Sockets that others come to: bind, and of streams listen and accept in batches; out of
 * descriptors, it pauses and tries again by itself.
 */
#ifndef COMMON_NET_LISTENER_H
#define COMMON_NET_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/net/addr.h"
#include "common/net/loop.h"

struct listen_options {
    int backlog;
    /* Who may listen there, too; a unix socket has its place alone. */
    enum { LISTEN_ALONE, LISTEN_BEFORE_OTHERS, LISTEN_BESIDE_OTHERS } sharing;
    bool has_unix_mode;
    mode_t unix_mode; /* of a unix socket's file, never wider while it is made */
};

struct listener {
    struct loop *loop;
    struct event event;
    struct loop_timer retry;
    int fd;
    bool paused;
    char unix_path[108]; /* to remove at close; empty: TCP */
    /* Takes over the accepted non-blocking socket. */
    void (*accepted)(struct listener *listener, int fd);
    /* Whether one more may be accepted; asked again a little later if not. NULL: always. */
    bool (*may_accept)(struct listener *listener);
    /* The system has no more descriptors or memory; we try again by and by. May be NULL. */
    void (*starved)(struct listener *listener);
};

/*
 * Opens a non-blocking socket of the type, SOCK_STREAM or SOCK_DGRAM, bound to `addr`; the file of
 * a unix socket is replaced, whether or not somebody listens on it.
 * Returns it, or -1 with errno set and *step the call that failed.
 */
int listener_bind(const struct addr *addr, int type, const struct listen_options *options,
                  const char **step);

/* The same of a stream, listening. */
int listener_socket(const struct addr *addr, const struct listen_options *options,
                    const char **step);

/* Accepts on `fd`, which it takes over, in `loop`. */
void listener_open(struct listener *listener, struct loop *loop, int fd,
                   void (*accepted)(struct listener *listener, int fd));

/* Stops and resumes accepting: connections then wait in the backlog. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* Accepts who is waiting already, so that nobody is turned away who was let in, then closes. */
void listener_finish(struct listener *listener);

/* Closes the socket and removes its file. Safe to call twice. */
void listener_close(struct listener *listener);

#endif

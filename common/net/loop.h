/*
 * A thread's event loop over libevent: sockets, timers, work put off to the end
 * of the turn, and messages from other threads.
 *
 * A turn is: wait for events, call whom they concern, run what was put off, flush
 * the connections that have output. All of a loop's objects belong to its thread,
 * but for loop_post and loop_stop, which any thread may call.
 */
#ifndef COMMON_NET_LOOP_H
#define COMMON_NET_LOOP_H

#include <stdbool.h>
#include <pthread.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/list.h"
#include "common/bytes/block.h"

struct loop {
    struct event_base *base;
    void *owner;         /* for who has a loop and wants to know whose it is */
    struct list tasks;   /* struct loop_task, to run at the end of this turn */
    struct list yields;  /* conns whose rest of input is to be shown, likewise */
    struct list flushes; /* conns with output, to be written at the end of this turn */
    struct list dying;   /* conns to be closed at the end of this turn */
    uint64_t bytes_read; /* by its conns; the owner feeds his metrics from these, and zeroes them */
    uint64_t bytes_written;
    struct block *input; /* what sockets are read into; taken anew when slices keep it */
    size_t input_size;
    struct event wake; /* readable: another thread has posted or wants a stop */
    int wake_fd;
    pthread_mutex_t posts_lock;
    struct list posts; /* struct loop_post, oldest first */
    bool has_fellows;  /* other threads do the same work; the owner says so */
    /* Monotonic microseconds: see let_others_run. */
    uint64_t turned_us, trial_us, behind_us, pause_us;
    bool stopping;
};

/* Makes a loop; false, with errno set, when the system has no more to give. */
bool loop_open(struct loop *loop);

/* Turns until loop_stop. */
void loop_run(struct loop *loop);

/* Ends loop_run after the turn under way. From any thread; not from a signal handler. */
void loop_stop(struct loop *loop);

/* Frees what loop_open took. Posts that never ran are left to their senders. */
void loop_close(struct loop *loop);

/* Work put off to the end of the turn, after all ready sockets had theirs. It may put
 * itself off again: it then runs in the next turn, which will not wait. */
struct loop_task {
    struct list link; /* list_init it before the first use */
    void (*run)(struct loop_task *task);
};
void loop_defer(struct loop *loop, struct loop_task *task); /* once, however often it is called */
void loop_forget(struct loop_task *task);

/* A message to a loop from any thread: `run` is called in the loop's thread, once per
 * post. The sender keeps the struct alive until then. */
struct loop_post {
    struct list link;
    void (*run)(struct loop_post *post);
};
void loop_post(struct loop *loop, struct loop_post *post);

/* Takes a message back that has not run yet, if it was posted; in the loop's thread alone. */
void loop_unpost(struct loop *loop, struct loop_post *post);

/* A timer; `ring` is called once, in the loop's thread, after it is due. */
struct loop_timer {
    struct event event;
    void (*ring)(struct loop_timer *timer);
};
void loop_timer_init(struct loop *loop, struct loop_timer *timer,
                     void (*ring)(struct loop_timer *timer));
void loop_timer_set(struct loop_timer *timer, uint64_t delay_us);
void loop_timer_clear(struct loop_timer *timer);

#endif

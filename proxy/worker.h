/*
 * A data thread: a loop with all pools, their listeners and clients. Several of them share
 * nothing but the configuration, which never changes, and the ports.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <pthread.h>

#include "common/base/lock.h"
#include "common/net/listener.h"
#include "proxy/client/client.h"
#include "proxy/sockets.h"

/* A pool and who comes to it. */
struct door {
    struct config *config; /* held: the pool's is in it */
    struct pool pool;
    struct client_context context;
    struct listener listener;
    struct worker *worker;
};

struct worker {
    struct loop loop;
    unsigned number; /* from 0 */
    unsigned count;  /* of workers */
    struct connection_metrics connections;
    size_t memory_max;   /* its share */
    uint64_t client_max; /* for whom there are descriptors beside those for servers */
    struct freelist records;
    struct lock shape;   /* held by who changes `doors` or their servers, and by who counts them */
    struct door **doors; /* in the order of the pools' names */
    size_t door_count;
    struct door **leaving; /* pools that are gone, with clients who are not */
    size_t leaving_count;
    pthread_t thread;
    bool is_running;
    struct loop_post drain;
    struct loop_timer tidying;  /* gives memory back after a burst */
    struct loop_timer patience; /* while draining: looks whether all are gone */
    unsigned looks;
    struct loop *control;      /* told when the worker has drained, or taken something over */
    struct loop_post *drained; /* posted to `control` when the worker has drained */
    struct resolver *resolver;
};

enum { LOCK_WORKER_SHAPE = 1 }; /* rank */

/* What a worker is made from. */
struct worker_setup {
    unsigned number; /* from 0 */
    struct config *config;
    struct sockets *sockets;
    struct loop *control;
    struct resolver *resolver;
};

/* Makes pools and listeners; false with a message in the log. worker_close is due either way. */
bool worker_open(struct worker *worker, const struct worker_setup *setup);

/* Starts the thread. */
bool worker_start(struct worker *worker);

/* A new configuration for a worker that runs. */
struct worker_change {
    struct loop_post post;
    struct worker *worker;
    struct config *config;
    struct sockets *sockets;
    bool is_whole;                        /* set: all of it was taken over; else memory ran out */
    void (*done)(struct loop_post *post); /* then called in the control loop */
    void *context;                        /* the caller's */
};

/* Has the worker take over what differs: clients stay, servers that are still there keep their
 * connections, others go when all that they were asked is answered. */
void worker_change(struct worker_change *change);

/* Stops accepting, and posts `drained` to the control loop once all that is under way is
 * answered, or after five seconds. */
void worker_drain(struct worker *worker, struct loop_post *drained);

/* The worker's pool with this name; NULL: none. The shape is held, or it is the worker's thread. */
struct door *worker_find_door(const struct worker *worker, const char *name);

/* Ends the thread and frees all. */
void worker_close(struct worker *worker);

#endif

/*
 * The data thread: a loop with all pools, their listeners and clients.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <pthread.h>

#include "common/net/listener.h"
#include "proxy/client/client.h"

/* A pool and who comes to it. */
struct door {
    struct pool pool;
    struct client_context context;
    struct listener listener;
    struct worker *worker;
};

struct worker {
    struct loop loop;
    struct connection_metrics connections;
    struct freelist records;
    struct door *doors;
    size_t door_count;
    pthread_t thread;
    bool is_running;
    struct loop_post drain;
    struct loop_timer tidying;  /* gives memory back after a burst */
    struct loop_timer patience; /* while draining: looks whether all are gone */
    unsigned looks;
    struct loop *control; /* told to stop when the worker has drained */
    struct resolver *resolver;
};

/* Makes pools and listeners; false with a message in the log. worker_close is due either way. */
bool worker_open(struct worker *worker, const struct config *config, struct loop *control,
                 struct resolver *resolver);

/* Starts the thread. */
bool worker_start(struct worker *worker);

/* Stops accepting, and stops the control loop once all that is under way is answered, or
 * after five seconds. */
void worker_drain(struct worker *worker);

/* Ends the thread and frees all. */
void worker_close(struct worker *worker);

#endif

/*
 * A worker: a thread with a loop, the clients that were handed to it, and what it
 * counts. The main thread accepts and hands over.
 */
#ifndef CACHENODE_WORKER_H
#define CACHENODE_WORKER_H

#include <pthread.h>

#include "cachenode/client/client.h"

struct worker {
    struct loop loop;
    struct client_context context;
    uint32_t idle_timeout_s; /* 0: none */
    struct loop_timer idle_timer;
    struct list udps;
    pthread_t thread;
    bool is_running;
};

/*
 * Starts the thread; false when the system has no more to give. `gone` is told, in the
 * worker's thread, of each client that goes.
 */
bool worker_start(struct worker *worker, struct store *store, const struct stats_source *source,
                  void (*gone)(void *node));

/* Hands the connected socket `fd`, or one for UDP, to the worker. From the main thread. False:
 * memory ran out. */
bool worker_hand_over(struct worker *worker, int fd);
bool worker_hand_over_udp(struct worker *worker, int fd);

/* Ends the thread and closes its clients; waits for it. */
void worker_stop(struct worker *worker);

#endif

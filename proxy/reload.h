/*
 * A new configuration for a proxy that runs: read and checked whole, its sockets opened, and
 * only then handed to the workers. What fails before that leaves everything as it was.
 * All of it happens in the control thread.
 */
#ifndef PROXY_RELOAD_H
#define PROXY_RELOAD_H

#include "proxy/worker.h"

struct reload {
    const char *path;
    struct worker *workers;
    unsigned worker_count;
    struct config *config;    /* the present one, held */
    unsigned inherited_count; /* see sockets_present */
    struct config *next;      /* on its way into the workers; NULL: none is */
    struct sockets *sockets;
    struct worker_change *changes; /* one for each worker */
    unsigned open_count;           /* workers that have not taken over yet */
    bool again;                    /* was asked for meanwhile */
    uint64_t count, failed_count;  /* reloads that were taken over; that were refused */
};

/* Holds `config`, which the workers get. False: memory ran out. */
bool reload_open(struct reload *reload, const char *path, struct config *config,
                 struct worker *workers, unsigned worker_count, unsigned inherited_count);

/* Loads the file again; the outcome stands in the log. */
void reload_start(struct reload *reload);

/* After the workers have ended. */
void reload_close(struct reload *reload);

#endif

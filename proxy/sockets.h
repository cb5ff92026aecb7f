/*
 * The listening sockets of all pools, a set for each worker: opened before anything else is
 * begun or changed, so that what cannot be had is known while there is still a way back.
 */
#ifndef PROXY_SOCKETS_H
#define PROXY_SOCKETS_H

#include "proxy/config.h"

struct sockets {
    unsigned inherited_count; /* listening sockets of a service manager, from NOTIFY_FIRST_FD on */
    size_t pool_count;
    unsigned worker_count;
    int fds[]; /* of each pool, of each worker; -1: none, or taken */
};

/* What is there already. */
struct sockets_present {
    unsigned inherited_count;
    const struct config *config; /* what the workers listen by; NULL: they do not yet */
    /* The socket of the worker for the pool with this name. */
    int (*find)(const struct sockets_present *present, const char *pool, unsigned worker);
};

/*
 * Opens the sockets of `config` for so many workers. A pool that listens there already gets
 * none; one that takes over the address of a pool of another name gets a copy of its socket;
 * one whose address a service manager has bound gets copies of that.
 * Returns NULL, with the reason in the log, when one cannot be had.
 */
struct sockets *sockets_open(const struct config *config, unsigned worker_count,
                             const struct sockets_present *present);

/* Whether it is one of a service manager's, whose file, if any, is not ours to remove. */
bool sockets_is_inherited(const struct sockets *sockets, const struct pool_config *config);

/* Takes the socket out; -1: there is none. */
int sockets_take(struct sockets *sockets, size_t pool, unsigned worker);

/* Closes all that were not taken. */
void sockets_free(struct sockets *sockets);

#endif

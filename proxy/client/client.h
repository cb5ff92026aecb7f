/*
 * A client of a pool, from accept to close: input is cut into requests, replies leave
 * in their order.
 */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

#include "proxy/pool.h"

/* What the clients of a pool share. */
struct client_context {
    struct loop *loop;
    struct pool *pool;
    struct freelist *records;
    struct connection_metrics *connections;
    unsigned worker_count;    /* that share the pool's client_connections */
    const size_t *memory_max; /* bytes that the worker may have on their way */
    struct list clients;
    uint64_t next_number;
    bool is_draining; /* who asks once more is answered, and closed */
};

/* Takes over the accepted socket `fd`. */
void client_accept(struct client_context *context, int fd);

/* Has every client answered what is under way, then closed. Those who have yet to ask for
 * something are left alone, unless `all`: their first request is on its way, maybe. */
void client_drain_all(struct client_context *context, bool all);

/* Closes all clients at once, when the loop is over. */
void client_close_all(struct client_context *context);

#endif

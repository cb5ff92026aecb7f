/*
 * A client of the node, from accept to close: input is cut into requests, which are
 * run in batches; values go straight into their items.
 */
#ifndef CACHENODE_CLIENT_H
#define CACHENODE_CLIENT_H

#include "cachenode/session.h"
#include "common/net/conn.h"

/* What a worker's clients share. */
struct client_context {
    struct loop *loop;
    struct store_user *user;
    struct worker_metrics metrics;
    const struct stats_source *source;
    uint32_t reqs_per_event;
    struct list clients;
};

/* Takes over the connected socket `fd`. */
void client_accept(struct client_context *context, int fd);

/* Closes all clients at once. */
void client_close_all(struct client_context *context);

#endif

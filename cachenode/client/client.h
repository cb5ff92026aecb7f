/*
 * A client of the node, from accept to close: input is cut into requests, which are
 * run in batches; values go straight into their items.
 */
#ifndef CACHENODE_CLIENT_CLIENT_H
#define CACHENODE_CLIENT_CLIENT_H

#include "cachenode/session.h"
#include "cachenode/settings.h"
#include "common/base/lock.h"
#include "common/net/conn.h"

struct dialect;

/* What a worker's clients share. */
struct client_context {
    struct loop *loop;
    struct store_user *user;
    struct worker_metrics metrics;
    const struct stats_source *source;
    uint32_t reqs_per_event;
    const struct dialect *only_dialect; /* NULL: any */
    struct lock lock;                   /* others read the list, for statistics */
    struct list clients;
    /* A client is gone. */
    void (*gone)(void *node);
    void *node;
};

/* What others may know of a client. */
struct client_info {
    int fd;
    uint32_t idle_s;
};

/* The dialect that clients have to speak; NULL: either. */
const struct dialect *client_only_dialect(const struct settings *settings);

/* The first byte that a client sends tells what he speaks, where he has a choice. */
bool client_speaks_binary(const struct client_context *context, char first);

/* Takes over the connected socket `fd`. */
void client_accept(struct client_context *context, int fd);

/* Shows all clients to `visit`; from any thread. */
void client_visit_all(struct client_context *context,
                      void (*visit)(void *arg, const struct client_info *info), void *arg);

/* Closes those between two commands that said nothing for longer than `limit_s`. */
void client_close_idle(struct client_context *context, uint32_t limit_s);

/* Closes all clients at once. */
void client_close_all(struct client_context *context);

#endif

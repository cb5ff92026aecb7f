/*
 * One connection's place to a server: requests of many clients go out on it and are
 * answered in order. The connection itself comes and goes; it is made when a request
 * needs it.
 *
 * What a server says is trusted only as far as the grammar and the request that it
 * answers allow. Anything else closes the connection, and with it fail all requests
 * that were on it, so that no reply can ever reach the wrong request.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "common/net/conn.h"
#include "proxy/request.h"
#include "proxy/server.h"

struct upstream {
    struct server *server;
    struct upstream_link *link; /* the connection; NULL: none */
    struct list pending;        /* requests, oldest first */
    unsigned pending_count;
    size_t pending_len;
    struct chain waiting; /* what is to be sent once the connection is ready */
    struct loop_timer timer;
    bool timer_is_set;
    bool is_wanted;        /* to connect once there is an address */
    unsigned tries_left;   /* addresses to try if the one under way fails */
    unsigned owed;         /* replies due on a connection to an address that is none any more */
    struct loop_task lost; /* fails what is pending: there is no address */
};

void upstream_init(struct upstream *upstream, struct server *server);

/* Makes the connection unless it is there. */
void upstream_connect(struct upstream *upstream);

/* The server's addresses have changed, or it became clear that there are none. */
void upstream_follow(struct upstream *upstream);

/* The chain to write a request to; connects if need be. */
struct chain *upstream_out(struct upstream *upstream);

/* Expects the reply for `leaf`, whose leaf->sent_len bytes stand at the end of the chain. */
void upstream_expect(struct upstream *upstream, struct request *leaf);

/* Whether nothing is under way: upstream_close would cut nothing off. */
static inline bool upstream_is_idle(const struct upstream *upstream)
{
    return upstream->pending_count == 0;
}

/* Closes the connection and frees what is left, when the loop is over; pending requests
 * fail. */
void upstream_close(struct upstream *upstream);

#endif

/*
 * Looks up names of servers, in threads of its own: a name server that is slow, or silent for
 * seconds, holds up neither data nor statistics. There are few of them, started when needed,
 * so that a name that takes long does not keep all others waiting.
 */
#ifndef PROXY_RESOLVER_H
#define PROXY_RESOLVER_H

#include "common/net/addr.h"
#include "common/net/loop.h"

struct resolver;

enum { LOOKUP_ADDRS_MAX = 16 }; /* of a name; more are left out */

/* A question on its way; belongs to the resolver. */
struct lookup {
    struct list link; /* in the queue */
    struct loop_post post;
    struct resolver *resolver;
    struct loop *loop;
    /* Called in the loop's thread with the answer, after which the lookup is gone. */
    void (*done)(struct lookup *lookup, void *context);
    void *context;
    uint16_t port;
    uint8_t state;
    unsigned addr_count; /* 0: `error`, a static text, says why */
    const char *error;
    struct addr addrs[LOOKUP_ADDRS_MAX];
    char host[];
};

/* NULL when memory ran out. */
struct resolver *resolver_create(void);

/* Waits for no look-up: a thread that is in one frees what is left when it is over. */
void resolver_close(struct resolver *resolver);

/* Asks for the addresses of `host`. NULL when memory ran out or no thread can be had. */
struct lookup *resolver_ask(struct resolver *resolver, const char *host, uint16_t port,
                            struct loop *loop, void (*done)(struct lookup *lookup, void *context),
                            void *context);

/* Takes the question back, in the loop's thread: `done` is not called any more. */
void lookup_cancel(struct lookup *lookup);

#endif

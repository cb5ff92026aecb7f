/*
 * How a request becomes leaves on upstreams, and their replies become its reply. Each
 * plan queues the request with its owner and sees to it that it is answered, whatever
 * happens. They return false, and have done nothing, when memory ran out.
 */
#ifndef PROXY_PLAN_PLAN_H
#define PROXY_PLAN_PLAN_H

#include "proxy/pool.h"

/* What a plan is made from. */
struct plan_input {
    struct pool *pool;
    struct request_owner *owner;
    uint64_t owner_number; /* chooses the connection */
    const struct mc_request *request;
    struct str body; /* the value and its CR LF, in `block` */
    struct block *block;
};

/* A request of one key goes to its server as it is, and so does the reply come back. */
bool plan_single(const struct plan_input *input);

/*
 * A retrieval of several keys is split by server. Values are joined in the order of the
 * keys. Keys of a server that failed are misses; the request fails if all servers did.
 */
bool plan_multikey(const struct plan_input *input);

#endif

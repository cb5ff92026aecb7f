/*
 * What the servers of a pool speak: how a connection to one of them begins, and how its
 * replies are cut. What a server says is trusted only as far as the grammar and the request
 * that it answers allow.
 */
#ifndef PROXY_BACKEND_BACKEND_H
#define PROXY_BACKEND_BACKEND_H

#include "common/protocol/resp.h"
#include "proxy/config.h"
#include "proxy/request.h"

/* What is known so far of the reply that is on its way; zeroed before its first byte. */
struct reply {
    int status;     /* see leaf_ops.end */
    size_t len;     /* its bytes */
    size_t want;    /* REPLY_MORE: bytes that are known to be needed, or 0 */
    struct str key; /* of a value */
    struct resp_reply_scan scan;
};

enum reply_step {
    REPLY_MORE,
    REPLY_VALUE, /* one value of a retrieval of several keys */
    REPLY_WHOLE, /* all of it, or the last line behind the values */
    REPLY_WRONG  /* the server is not to be trusted, or in no state to serve */
};

struct backend {
    /* Cuts the reply to `leaf` off the front of `in`, which shows all bytes since its first. */
    enum reply_step (*take_reply)(const struct request *leaf, struct str in, struct reply *reply);
    /* Writes what a fresh connection says before all requests. *replies is how many will come,
     * none of which may be an error. False: memory ran out. */
    bool (*greet)(struct chain *out, const struct pool_config *config, unsigned *replies);
    struct str probe; /* a request that any server answers at once if it can serve */
};

extern const struct backend backend_memcache;
extern const struct backend backend_redis;

/* What the pool's servers speak. */
static inline const struct backend *backend_of(const struct pool_config *config)
{
    return config->redis ? &backend_redis : &backend_memcache;
}

#endif

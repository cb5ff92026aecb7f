/*
 * Which handler runs a request.
 */
#ifndef CACHENODE_COMMAND_H
#define CACHENODE_COMMAND_H

#include "cachenode/commands/commands.h"

/* Runs a request that carries no value; `hash` is that of its first key, if it has one. */
void command_run(struct session *session, const struct mc_request *request, uint32_t hash);

/* The hash of the request's first key; 0: it has none. */
static inline uint32_t command_hash(const struct mc_request *request)
{
    struct str keys = request->keys, key = keys;

    if (request->key_count == 0)
        return 0;
    if (request->key_count > 1)
        mc_key_next(&keys, &key);
    return store_hash(key);
}

#endif

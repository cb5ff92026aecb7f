/*
 * The handlers of the binary protocol: (session, request) -> store -> reply.
 */
#ifndef CACHENODE_COMMANDS_BINARY_H
#define CACHENODE_COMMANDS_BINARY_H

#include "cachenode/session.h"
#include "common/protocol/memcache_binary.h"

/* Whether the request's value goes into an item, by the two halves below. */
bool binary_stores(const struct mc_binary_request *request);

/* Takes room for the value; false when there is none, after answering. */
bool binary_store_begin(struct session *session, const struct mc_binary_request *request,
                        uint32_t hash, struct item **item);

/* Stores what was filled in. */
void binary_store_end(struct session *session, const struct mc_binary_request *request,
                      uint32_t hash, struct item *item);

/* Whether the client may ask for it yet. */
bool binary_is_allowed(const struct session *session, const struct mc_binary_request *request);

/* Runs any other request, of which `value` is all there. */
void binary_run(struct session *session, const struct mc_binary_request *request, uint32_t hash,
                struct str value);

/* Answers with a status and its text. */
void binary_reply_status(struct session *session, const struct mc_binary_request *request,
                         enum mc_binary_status status);

#endif

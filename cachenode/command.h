/*
 * Which handler runs a request.
 */
#ifndef CACHENODE_COMMAND_H
#define CACHENODE_COMMAND_H

#include "cachenode/commands/commands.h"

/* Runs a request that carries no value; `hash` is that of its first key, if it has one. */
void command_run(struct session *session, const struct mc_request *request, uint32_t hash);

#endif

/*
 * The handlers of commands, one per operation, whatever dialect a request came in:
 * (session, request) -> store -> reply.
 */
#ifndef CACHENODE_COMMANDS_COMMANDS_H
#define CACHENODE_COMMANDS_COMMANDS_H

#include "cachenode/session.h"
#include "common/protocol/memcache.h"

/* `hash` is that of the request's first key, if it has one. */
typedef void command_handler(struct session *session, const struct mc_request *request,
                             uint32_t hash);

command_handler command_get, command_gat;                          /* retrieve.c */
command_handler command_touch, command_delete, command_add_number; /* change.c */
command_handler command_flush_all, command_version, command_verbosity, command_stats, command_mn,
    command_quit; /* admin.c */

/*
 * Storage commands come in two halves, for their value may still be on its way. The
 * first takes room in the store: false when there is none, after answering; the value
 * is then to be swallowed. The second stores what was filled in, if its end is right.
 */
bool command_store_begin(struct session *session, const struct mc_request *request, uint32_t hash,
                         struct item **item);
void command_store_end(struct session *session, const struct mc_command *command, bool noreply,
                       uint64_t cas, uint32_t hash, struct item *item, bool ends_well);

#endif

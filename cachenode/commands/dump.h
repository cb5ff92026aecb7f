/*
 * The rest of a dump, which is written while its client reads it.
 */
#ifndef CACHENODE_COMMANDS_DUMP_H
#define CACHENODE_COMMANDS_DUMP_H

#include "cachenode/session.h"

/* Appends the next part of session->sequel and moves the walk on; false when that was all. */
bool dump_continue(struct session *session, struct store_walk *walk);

#endif

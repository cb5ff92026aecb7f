/*
 * The node: settings, store, workers, upkeep; started and stopped in order. The
 * main thread accepts and hands sockets to the workers in turn.
 */
#ifndef CACHENODE_NODE_H
#define CACHENODE_NODE_H

#include "cachenode/settings.h"

/* Runs a node until a signal ends it. Returns the status to exit with; what went wrong is
 * on stderr. */
int node_run(const struct settings *settings);

#endif

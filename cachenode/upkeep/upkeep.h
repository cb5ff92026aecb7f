/*
 * The thread that keeps the store in shape: one table of jobs, each done in bounded
 * steps, so that none makes another wait.
 */
#ifndef CACHENODE_UPKEEP_UPKEEP_H
#define CACHENODE_UPKEEP_UPKEEP_H

#include "cachenode/store/store.h"
#include "cachenode/watch/watch.h"

struct upkeep;

/* Starts the thread, which notes for the watch what it does, unless that is NULL. NULL when it
 * cannot be. */
struct upkeep *upkeep_start(struct store *store, struct watch *watch);

/* Ends it and waits until it is gone. */
void upkeep_stop(struct upkeep *upkeep);

#endif

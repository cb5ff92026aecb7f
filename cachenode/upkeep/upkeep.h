/*
 * The thread that keeps the store in shape: one table of jobs, each done in bounded
 * steps, so that none makes another wait.
 */
#ifndef CACHENODE_UPKEEP_UPKEEP_H
#define CACHENODE_UPKEEP_UPKEEP_H

#include "cachenode/store/store.h"

struct upkeep;

/* Starts the thread; NULL when it cannot be. */
struct upkeep *upkeep_start(struct store *store);

/* Ends it and waits until it is gone. */
void upkeep_stop(struct upkeep *upkeep);

#endif

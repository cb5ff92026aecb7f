/*
 * Warm restart: a node whose memory is a file (-e) leaves its image beside that when it
 * ends, and the next one with the same options continues from there.
 */
#ifndef CACHENODE_RESTART_H
#define CACHENODE_RESTART_H

#include "cachenode/store/store.h"

/*
 * Makes a store; if its memory is a file with an image that fits, the store continues. What
 * was wrong with an image is logged. NULL with *error set: as store_create.
 */
struct store *restart_open(const struct store_options *options, const char **error);

/* Frees the store, which has no users any more; leaves an image if its memory is a file. */
void restart_close(struct store *store, const char *path);

#endif

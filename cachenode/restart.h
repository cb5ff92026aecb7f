/*
 * Warm restart: a node whose memory is a file (-e) leaves its image beside that when it
 * ends, and the next one with the same options continues from there.
 */
#ifndef CACHENODE_RESTART_H
#define CACHENODE_RESTART_H

#include "cachenode/store/store.h"

struct restart {
    const char *path; /* of the memory file; NULL: there is none */
    int fd;           /* locks it against other nodes; -1: none */
};

/*
 * Makes a store; if its memory is a file with an image that fits, the store continues. What
 * was wrong with an image is logged. NULL with *error set: as store_create, or the file is
 * another process's.
 */
struct store *restart_open(struct restart *restart, const struct store_options *options,
                           const char **error);

/* Frees the store, which has no users any more; leaves an image if its memory is a file. */
void restart_close(struct restart *restart, struct store *store);

#endif

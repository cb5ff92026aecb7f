/*
 * The image of a store whose memory is a file: what is not in that file itself and cannot
 * be told from it. With both, a later store continues: items, expiries, CAS values,
 * waiting flushes. Links are offsets, so it does not matter where the file is mapped.
 *
 * Nobody else uses the store during these calls.
 */
#ifndef CACHENODE_STORE_IMAGE_H
#define CACHENODE_STORE_IMAGE_H

#include <stdio.h>

#include "cachenode/store/store.h"

/* Writes the image of a store without users; false: it could not be written. */
bool store_image_save(struct store *store, FILE *out);

/*
 * Continues in a store that is fresh but for its memory. False, with *why set: the image is
 * not one of such a store, or it or the memory is damaged; the store is of no use then.
 */
bool store_image_load(struct store *store, FILE *in, const char **why);

#endif

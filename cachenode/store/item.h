/*
 * An item: header, then key, then client flags if they are not zero, then value,
 * in one chunk; a large value lies in a chain of chunks behind a header item.
 *
 * A linked item's key and value never change while somebody else holds it. Bits of
 * `state` and `refs` change under the lock of the key's stripe (refs atomically), links
 * under that of the LRU segment.
 */
#ifndef CACHENODE_STORE_ITEM_H
#define CACHENODE_STORE_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes/str.h"

struct item; /* opaque outside cachenode/store; read it with these */

struct str item_key(const struct item *item);
uint32_t item_flags(const struct item *item);
uint32_t item_value_len(const struct item *item);
uint64_t item_cas(const struct item *item);

/* The value of an item that is in one piece, which all up to half a page are. */
bool item_is_chunked(const struct item *item);
char *item_value(const struct item *item);

/*
 * Walks the pieces of a value of any shape, for reading it or filling it in. Start with
 * *cursor = 0; each call gives the next piece; false at the end.
 */
bool item_next_piece(const struct item *item, uint64_t *cursor, char **data, size_t *len);

#endif

/*
 * Percent-encoding (RFC 3986, section 2): letters, digits and -._~ stand for themselves.
 */
#ifndef COMMON_BYTES_URI_H
#define COMMON_BYTES_URI_H

#include "common/bytes/str.h"

/* Writes the text of `bytes` at `out`, which has 3 * bytes.len bytes of room; returns its
 * length. */
size_t uri_encode(char *out, struct str bytes);

#endif

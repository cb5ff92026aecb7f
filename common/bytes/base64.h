/*
 * Base64 (RFC 4648, section 4): strict, with padding.
 */
#ifndef COMMON_BYTES_BASE64_H
#define COMMON_BYTES_BASE64_H

#include "common/bytes/str.h"

/* Characters that `len` bytes become. */
#define BASE64_LEN(len) (((size_t)(len) + 2) / 3 * 4)

/* Writes the text of `bytes` at `out`, which has BASE64_LEN(bytes.len) bytes of room; returns
 * its length. */
size_t base64_encode(char *out, struct str bytes);

/* Writes what `text` stands for at `out`, which has text.len / 4 * 3 bytes of room. Returns the
 * length; 0 if the text is empty or wrong in any way. */
size_t base64_decode(char *out, struct str text);

#endif

/*
 * Decimal text to integers and back, strictly: all of the text, digits only, no
 * overflow. On failure the value is left alone.
 */
#ifndef COMMON_BYTES_NUMBER_H
#define COMMON_BYTES_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes/str.h"

enum { NUMBER_TEXT_MAX = 20 }; /* digits of the largest uint64_t */

bool number_parse_u64(struct str text, uint64_t *value);
bool number_parse_u32(struct str text, uint32_t *value);

/* With an optional leading minus. */
bool number_parse_i64(struct str text, int64_t *value);

/* Writes `value` at `out`, which has room for NUMBER_TEXT_MAX bytes; no
 * terminator. Returns the length. */
size_t number_format(char *out, uint64_t value);

#endif

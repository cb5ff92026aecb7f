/*
 * Decimal text to integers and back, strictly: all of the text, digits only, no
 * overflow. On failure the value is left alone.
 */
#ifndef COMMON_BYTES_NUMBER_H
#define COMMON_BYTES_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes/str.h"

enum {
    NUMBER_TEXT_MAX = 20,   /* digits of the largest uint64_t */
    NUMBER_NEXT_DIGITS = 18 /* what fits an int64_t, whatever they are */
};

bool number_parse_u64(struct str text, uint64_t *value);
bool number_parse_u32(struct str text, uint32_t *value);

/*
 * Cuts the next word off the front of `rest`, as str_next_word does, if it is a number of at
 * most NUMBER_NEXT_DIGITS; else returns -1, and `rest` stays as it is: the quick way for most.
 */
int64_t number_next(struct str *rest);

/* With an optional leading minus. */
bool number_parse_i64(struct str text, int64_t *value);

extern const char number_pairs[]; /* 00 01 02 ... 99 */

char *number_put_long(char *out, uint64_t value);

/* Writes `value` at `out`, which has room for NUMBER_TEXT_MAX bytes; no terminator. Returns the
 * end of it. */
static inline char *number_put(char *out, uint64_t value)
{
    if (value >= 100)
        return number_put_long(out, value);
    if (value >= 10) {
        memcpy(out, number_pairs + value * 2, 2);
        return out + 2;
    }
    *out = (char)('0' + value);
    return out + 1;
}

/* The same, but returns the length. */
static inline size_t number_format(char *out, uint64_t value)
{
    return (size_t)(number_put(out, value) - out);
}

#endif

/*
 * A borrowed run of bytes: pointer and length, no terminator, no owner.
 */
#ifndef COMMON_BYTES_STR_H
#define COMMON_BYTES_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})

/* For printf's %.*s */
#define STR_ARG(s) (int)(s).len, (s).data

static inline struct str str_of(const char *text)
{
    return (struct str){text, strlen(text)};
}

/* Eight bytes a step: for as few as most words have, quicker than a call. */
static inline bool str_equal(struct str a, struct str b)
{
    uint64_t from_a, from_b;
    size_t i = 0;

    if (a.len != b.len)
        return false;
    for (; i + sizeof(from_a) <= a.len; i += sizeof(from_a)) {
        memcpy(&from_a, a.data + i, sizeof(from_a));
        memcpy(&from_b, b.data + i, sizeof(from_b));
        if (from_a != from_b)
            return false;
    }
    for (; i < a.len; i++) {
        if (a.data[i] != b.data[i])
            return false;
    }
    return true;
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0;
}

/* Drops the first `len` bytes; `len` is at most s.len. */
static inline struct str str_skip(struct str s, size_t len)
{
    return (struct str){s.data + len, s.len - len};
}

/* Bytes before the first space; `len` if there is none. */
size_t str_length_to_space(const char *p, size_t len);

/* Whether a byte of it is `a` or `b`. */
bool str_has_either(struct str s, char a, char b);

/* Cuts the next word off the front of `rest`; words are parted by spaces alone.
 * Returns an empty one when none is left. */
static inline struct str str_next_word(struct str *rest)
{
    const char *p = rest->data, *end = p + rest->len;
    size_t len;

    while (p < end && *p == ' ')
        p++;
    len = str_length_to_space(p, (size_t)(end - p));
    *rest = (struct str){p + len, (size_t)(end - p) - len};
    return (struct str){p, len};
}

#endif

/*
 * A borrowed run of bytes: pointer and length, no terminator, no owner.
 */
#ifndef COMMON_BYTES_STR_H
#define COMMON_BYTES_STR_H

#include <stdbool.h>
#include <stddef.h>
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

static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
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

/* Cuts the next word off the front of `rest`; words are parted by spaces alone.
 * Returns an empty one when none is left. */
static inline struct str str_next_word(struct str *rest)
{
    struct str word = *rest;

    while (word.len != 0 && word.data[0] == ' ')
        word = str_skip(word, 1);
    *rest = word;
    word.len = str_length_to_space(word.data, word.len);
    *rest = str_skip(*rest, word.len);
    return word;
}

#endif

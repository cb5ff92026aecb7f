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

/*
 * Short bytes are compared and copied in place, which is quicker than a call: some at a step,
 * the last step over bytes that were seen to already.
 */
static inline uint64_t str_word_at(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

static inline bool str_equal(struct str a, struct str b)
{
    const size_t step = sizeof(uint64_t);

    if (a.len != b.len)
        return false;
    if (a.len < step) {
        for (size_t i = 0; i < a.len; i++) {
            if (a.data[i] != b.data[i])
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < a.len - step; i += step) {
        if (str_word_at(a.data + i) != str_word_at(b.data + i))
            return false;
    }
    return str_word_at(a.data + a.len - step) == str_word_at(b.data + b.len - step);
}

enum { STR_COPY_SHORT = 64 };

/* Copies `bytes` to `out`, which is elsewhere; returns the end of the copy. */
static inline char *str_copy(char *out, struct str bytes)
{
    char *end = out + bytes.len;

    if (bytes.len > STR_COPY_SHORT) {
        memcpy(out, bytes.data, bytes.len);
    } else if (bytes.len >= 16) {
        for (size_t i = 0; i < bytes.len - 16; i += 16)
            memcpy(out + i, bytes.data + i, 16);
        memcpy(end - 16, bytes.data + bytes.len - 16, 16);
    } else if (bytes.len >= 8) {
        memcpy(out, bytes.data, 8);
        memcpy(end - 8, bytes.data + bytes.len - 8, 8);
    } else {
        for (size_t i = 0; i < bytes.len; i++)
            out[i] = bytes.data[i];
    }
    return end;
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

/* The first newline, or NULL; quicker than memchr where lines are short. */
const char *str_find_newline(struct str s);

/* Whether a byte of it is `a` or `b`. */
bool str_has_either(struct str s, char a, char b);

/* How many words it has; and whether none is longer than `word_max` bytes. */
size_t str_count_words(struct str s);
bool str_words_fit(struct str s, size_t word_max);

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

#include <endian.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/bytes/str.h"

static const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;

/* Marks the bytes that are `c`: the classic test for a zero byte (A. Mycroft, 1987); what is above
 * the first of them may be marked wrongly. */
static inline uint64_t mark(uint64_t bytes, char c)
{
    bytes ^= ones * (unsigned char)c;
    return (bytes - ones) & ~bytes & highs;
}

/* Bytes before the first that is `a` or `b`, eight a step, the last step over bytes that were
 * looked at already. */
__attribute__((noinline)) static size_t length_by_words(const char *p, size_t len, char a, char b)
{
    const size_t step = sizeof(uint64_t);
    size_t i = 0;

    while (len >= step && i < len) {
        uint64_t bytes, found;

        if (i > len - step)
            i = len - step;
        bytes = le64toh(str_word_at(p + i));
        found = mark(bytes, a) | mark(bytes, b);
        if (found != 0)
            return i + (size_t)__builtin_ctzll(found) / 8;
        i += step;
    }
    while (i < len && p[i] != a && p[i] != b)
        i++;
    return i;
}

#ifdef __SSE2__
enum { STEP = sizeof(__m128i) };

/* Which bytes of a step are `a` or `b`, a bit each. */
static inline unsigned matches(const char *p, char a, char b)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i as = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(a));
    __m128i bs = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(as, bs));
}

/* The same, sixteen and 32 bytes a step. */
static inline __attribute__((always_inline)) size_t length_to(const char *p, size_t len, char a,
                                                              char b)
{
    size_t i = 0;

    if (len < STEP)
        return length_by_words(p, len, a, b);
    for (; len - i >= 2 * STEP; i += 2 * STEP) {
        unsigned found = matches(p + i, a, b) | matches(p + i + STEP, a, b) << STEP;

        if (found != 0)
            return i + (size_t)__builtin_ctz(found);
    }
    while (i != len) {
        unsigned found;

        if (i > len - STEP)
            i = len - STEP;
        found = matches(p + i, a, b);
        if (found != 0)
            return i + (size_t)__builtin_ctz(found);
        i += STEP;
    }
    return len;
}
#else
static inline size_t length_to(const char *p, size_t len, char a, char b)
{
    return length_by_words(p, len, a, b);
}
#endif

size_t str_length_to_space(const char *p, size_t len)
{
    return length_to(p, len, ' ', ' ');
}

const char *str_find_newline(struct str s)
{
    enum { SHORT = 64 };
    size_t part = s.len < SHORT ? s.len : SHORT, len = length_to(s.data, part, '\n', '\n');

    return len < part ? s.data + len : memchr(s.data + part, '\n', s.len - part);
}

bool str_has_either(struct str s, char a, char b)
{
    return length_to(s.data, s.len, a, b) != s.len;
}

/* In parts whose count fits a byte: compilers then look at sixteen bytes a step, or more. */
size_t str_count_words(struct str s)
{
    enum { PART = 240 };
    size_t count = s.len != 0 && s.data[0] != ' ';

    for (size_t done = 1; done < s.len; done += PART) {
        const char *p = s.data + done;
        size_t len = s.len - done < PART ? s.len - done : PART;
        uint8_t begun = 0;

        for (size_t i = 0; i < len; i++)
            begun = (uint8_t)(begun + ((p[i - 1] == ' ') & (p[i] != ' ')));
        count += begun;
    }
    return count;
}

/* From one space to the last that is no further than a word may reach. */
bool str_words_fit(struct str s, size_t word_max)
{
    while (s.len > word_max) {
        const char *space = memrchr(s.data, ' ', word_max + 1);

        if (space == NULL)
            return false;
        s = str_skip(s, (size_t)(space - s.data) + 1);
    }
    return true;
}

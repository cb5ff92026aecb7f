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

/*
 * Bytes before the first that is `a` or `b`. Sixteen a step where the processor can, else eight,
 * the last step over bytes that were looked at already.
 */
static inline __attribute__((always_inline)) size_t length_to(const char *p, size_t len, char a,
                                                              char b)
{
    size_t i = 0;

#ifdef __SSE2__
    const __m128i as = _mm_set1_epi8(a), bs = _mm_set1_epi8(b);

    while (len >= sizeof(as)) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        unsigned found = (unsigned)_mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, as), _mm_cmpeq_epi8(bytes, bs)));

        if (found != 0)
            return i + (size_t)__builtin_ctz(found);
        i += sizeof(as);
        if (i == len)
            return len;
        if (i > len - sizeof(as))
            i = len - sizeof(as);
    }
#endif
    while (len >= sizeof(uint64_t)) {
        uint64_t bytes, found;

        memcpy(&bytes, p + i, sizeof(bytes));
        found = mark(le64toh(bytes), a) | mark(le64toh(bytes), b);
        if (found != 0)
            return i + (size_t)__builtin_ctzll(found) / 8;
        i += sizeof(bytes);
        if (i == len)
            return len;
        if (i > len - sizeof(bytes))
            i = len - sizeof(bytes);
    }
    while (i < len && p[i] != a && p[i] != b)
        i++;
    return i;
}

size_t str_length_to_space(const char *p, size_t len)
{
    return length_to(p, len, ' ', ' ');
}

bool str_has_either(struct str s, char a, char b)
{
    return length_to(s.data, s.len, a, b) != s.len;
}

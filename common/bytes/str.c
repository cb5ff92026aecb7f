#include <endian.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/bytes/str.h"

/*
 * Sixteen bytes a step where the processor can, else eight, the last step over bytes that
 * were looked at already. In a word: the classic test for a zero byte (A. Mycroft, 1987),
 * after the space has been made zero.
 */
size_t str_length_to_space(const char *p, size_t len)
{
    const uint64_t ones = 0x0101010101010101, highs = ones << 7;
    size_t i = 0;

#ifdef __SSE2__
    const __m128i spaces = _mm_set1_epi8(' ');

    while (len >= sizeof(spaces)) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, spaces));

        if (found != 0)
            return i + (size_t)__builtin_ctz(found);
        i += sizeof(spaces);
        if (i == len)
            return len;
        if (i > len - sizeof(spaces))
            i = len - sizeof(spaces);
    }
#endif
    while (len >= sizeof(uint64_t)) {
        uint64_t bytes, zeros;

        memcpy(&bytes, p + i, sizeof(bytes));
        bytes = le64toh(bytes) ^ ones * ' ';
        zeros = (bytes - ones) & ~bytes & highs;
        if (zeros != 0)
            return i + (size_t)__builtin_ctzll(zeros) / 8;
        i += sizeof(bytes);
        if (i == len)
            return len;
        if (i > len - sizeof(bytes))
            i = len - sizeof(bytes);
    }
    while (i < len && p[i] != ' ')
        i++;
    return i;
}

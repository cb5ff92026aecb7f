/* Bob Jenkins, lookup3.c, hashlittle, May 2006; initial value 13. Byte by byte: it gives the
 * same on every machine and alignment. */
#include "common/hash/hash.h"

static uint32_t rotate(uint32_t x, int bits)
{
    return x << bits | x >> (32 - bits);
}

static uint32_t load32(const unsigned char *p, size_t len)
{
    uint32_t value = 0;

    for (size_t i = 0; i < 4 && i < len; i++)
        value |= (uint32_t)p[i] << (8 * i);
    return value;
}

static void add_block(uint32_t v[3], const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < 3 && len > 4 * i; i++)
        v[i] += load32(p + 4 * i, len - 4 * i);
}

static void mix(uint32_t v[3])
{
    static const int shifts[6] = {4, 6, 8, 16, 19, 4};

    for (int i = 0; i < 6; i++) {
        uint32_t *a = &v[i % 3], *b = &v[(i + 1) % 3], *c = &v[(i + 2) % 3];

        *a -= *c;
        *a ^= rotate(*c, shifts[i]);
        *c += *b;
    }
}

static void mix_final(uint32_t v[3])
{
    static const int shifts[7] = {14, 11, 25, 16, 4, 14, 24};

    for (int i = 0; i < 7; i++) {
        uint32_t *c = &v[(i + 2) % 3], *b = &v[(i + 1) % 3];

        *c ^= *b;
        *c -= rotate(*b, shifts[i]);
    }
}

uint32_t hash_jenkins(struct str key)
{
    uint32_t start = 0xdeadbeef + (uint32_t)key.len + 13;
    uint32_t v[3] = {start, start, start};
    const unsigned char *p = (const unsigned char *)key.data;
    size_t len = key.len;

    if (len == 0)
        return v[2];
    for (; len > 12; len -= 12, p += 12) {
        add_block(v, p, 12);
        mix(v);
    }
    add_block(v, p, len);
    mix_final(v);
    return v[2];
}

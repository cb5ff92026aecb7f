/* Austin Appleby, MurmurHash2, with libmemcached's seed. */
#include "common/hash/hash.h"

uint32_t hash_murmur(struct str key)
{
    static const uint32_t m = 0x5bd1e995;
    uint32_t len = (uint32_t)key.len;
    uint32_t hash = (0xdeadbeef * len) ^ len;
    const unsigned char *p = (const unsigned char *)key.data;

    for (; len >= 4; len -= 4, p += 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

        k *= m;
        k ^= k >> 24;
        k *= m;
        hash *= m;
        hash ^= k;
    }
    if (len >= 3)
        hash ^= (uint32_t)p[2] << 16;
    if (len >= 2)
        hash ^= (uint32_t)p[1] << 8;
    if (len >= 1) {
        hash ^= p[0];
        hash *= m;
    }
    hash ^= hash >> 13;
    hash *= m;
    hash ^= hash >> 15;
    return hash;
}

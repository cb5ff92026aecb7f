/* Paul Hsieh, "SuperFastHash", started from 0 as nutcracker does, not from the length. */
#include "common/hash/hash.h"

static uint32_t load16(const char *p)
{
    return (uint32_t)(uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8;
}

uint32_t hash_hsieh(struct str key)
{
    uint32_t hash = 0;
    const char *p = key.data;

    for (size_t blocks = key.len / 4; blocks != 0; blocks--, p += 4) {
        uint32_t second;

        hash += load16(p);
        second = (load16(p + 2) << 11) ^ hash;
        hash = (hash << 16) ^ second;
        hash += hash >> 11;
    }
    switch (key.len % 4) {
    case 3:
        hash += load16(p);
        hash ^= hash << 16;
        hash ^= hash_signed_byte(p[2]) << 18;
        hash += hash >> 11;
        break;
    case 2:
        hash += load16(p);
        hash ^= hash << 11;
        hash += hash >> 17;
        break;
    case 1:
        hash += (uint8_t)p[0];
        hash ^= hash << 10;
        hash += hash >> 1;
        break;
    default:
        break;
    }
    hash ^= hash << 3;
    hash += hash >> 5;
    hash ^= hash << 4;
    hash += hash >> 17;
    hash ^= hash << 25;
    hash += hash >> 6;
    return hash;
}

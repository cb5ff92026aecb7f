/*
 * Fowler, Noll, Vo: FNV-1 and FNV-1a (RFC 9923). The 64-bit variants are only the low
 * halves of the real ones: nutcracker computes them in 32 bits.
 */
#include "common/hash/hash.h"

static const uint32_t start_64 = 0x84222325, prime_64 = 0x1b3;
static const uint32_t start_32 = 2166136261, prime_32 = 16777619;

static uint32_t fnv1(struct str key, uint32_t value, uint32_t prime)
{
    for (size_t i = 0; i < key.len; i++)
        value = (value * prime) ^ hash_signed_byte(key.data[i]);
    return value;
}

/* Four bytes a turn, for this is the usual hash: the turn costs as much as a byte. */
static uint32_t fnv1a(struct str key, uint32_t value, uint32_t prime)
{
    for (; key.len >= 4; key = str_skip(key, 4)) {
        for (size_t i = 0; i < 4; i++)
            value = (value ^ hash_signed_byte(key.data[i])) * prime;
    }
    for (size_t i = 0; i < key.len; i++)
        value = (value ^ hash_signed_byte(key.data[i])) * prime;
    return value;
}

uint32_t hash_fnv1_64(struct str key)
{
    return fnv1(key, start_64, prime_64);
}

uint32_t hash_fnv1a_64(struct str key)
{
    return fnv1a(key, start_64, prime_64);
}

uint32_t hash_fnv1_32(struct str key)
{
    return fnv1(key, start_32, prime_32);
}

uint32_t hash_fnv1a_32(struct str key)
{
    return fnv1a(key, start_32, prime_32);
}

/* Bob Jenkins, "one-at-a-time", Dr. Dobb's Journal, September 1997. */
#include "common/hash/hash.h"

uint32_t hash_one_at_a_time(struct str key)
{
    uint32_t value = 0;

    for (size_t i = 0; i < key.len; i++) {
        value += hash_signed_byte(key.data[i]);
        value += value << 10;
        value ^= value >> 6;
    }
    value += value << 3;
    value ^= value >> 11;
    value += value << 15;
    return value;
}

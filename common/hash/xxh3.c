/*
 * XXH3: Y. Collet, "xxHash fast digest algorithm", github.com/Cyan4973/xxHash; the lower half
 * of its 64 bits, without a seed. nutcracker does not have it.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/hash/hash.h"

uint32_t hash_xxh3(struct str key)
{
    return (uint32_t)XXH3_64bits(key.data, key.len);
}

#include "common/hash/hash.h"

const struct hash hashes[] = {
    {"one_at_a_time", hash_one_at_a_time},
    {"md5", hash_md5},
    {"crc16", hash_crc16},
    {"crc32", hash_crc32},
    {"crc32a", hash_crc32a},
    {"fnv1_64", hash_fnv1_64},
    {"fnv1a_64", hash_fnv1a_64},
    {"fnv1_32", hash_fnv1_32},
    {"fnv1a_32", hash_fnv1a_32},
    {"hsieh", hash_hsieh},
    {"murmur", hash_murmur},
    {"jenkins", hash_jenkins},
    {"xxh3", hash_xxh3},
    {NULL, NULL},
};

const struct hash *hash_find(struct str name)
{
    for (const struct hash *hash = hashes; hash->name != NULL; hash++) {
        if (str_equal(str_of(hash->name), name))
            return hash;
    }
    return NULL;
}

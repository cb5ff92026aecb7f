/*
 * Hashes of keys by the names that pools' configurations know. All give 32 bits. But
 * for xxh3, which nutcracker lacks, they are bit for bit nutcracker's on x86-64, where
 * char is signed: keys written through the one are found through the other.
 */
#ifndef COMMON_HASH_HASH_H
#define COMMON_HASH_HASH_H

#include <stdint.h>

#include "common/bytes/str.h"

struct hash {
    const char *name;
    uint32_t (*of)(struct str key);
};

/* All hashes, ended by a row whose name is NULL. */
extern const struct hash hashes[];

/* Returns NULL when no hash has this name. */
const struct hash *hash_find(struct str name);

/* The hash of `key`; that of an empty key is 0, whatever the function. */
static inline uint32_t hash_key(const struct hash *hash, struct str key)
{
    return key.len == 0 ? 0 : hash->of(key);
}

uint32_t hash_one_at_a_time(struct str key);
uint32_t hash_md5(struct str key);
uint32_t hash_crc16(struct str key);
uint32_t hash_crc32(struct str key);
uint32_t hash_crc32a(struct str key);
uint32_t hash_fnv1_64(struct str key);
uint32_t hash_fnv1a_64(struct str key);
uint32_t hash_fnv1_32(struct str key);
uint32_t hash_fnv1a_32(struct str key);
uint32_t hash_hsieh(struct str key);
uint32_t hash_murmur(struct str key);
uint32_t hash_jenkins(struct str key);
uint32_t hash_xxh3(struct str key);

/* The whole MD5 digest of `bytes`. */
void hash_md5_digest(struct str bytes, uint8_t digest[16]);

/* A key's byte as nutcracker's signed char extends it. */
static inline uint32_t hash_signed_byte(char byte)
{
    return (uint32_t)(int32_t)(signed char)byte;
}

#endif

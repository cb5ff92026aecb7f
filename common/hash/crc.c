/*
 * CRC-16/XMODEM (polynomial 0x1021) and the CRC-32 of zlib and Ethernet (reflected
 * polynomial 0xedb88320); Ross Williams, "A Painless Guide to CRC Error Detection
 * Algorithms". Bit by bit instead of by table: keys are short.
 */
#include "common/hash/hash.h"

/* The step of one byte, computed from the polynomial. */
static uint32_t crc16_step(uint8_t index)
{
    uint32_t crc = (uint32_t)index << 8;

    for (int bit = 0; bit < 8; bit++)
        crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    return crc & 0xffff;
}

/* nutcracker never masks the sum to 16 bits, so its upper half keeps what is shifted out. */
uint32_t hash_crc16(struct str key)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < key.len; i++)
        crc = (crc << 8) ^ crc16_step((uint8_t)((crc >> 8) ^ (uint8_t)key.data[i]));
    return crc;
}

uint32_t hash_crc32a(struct str key)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < key.len; i++) {
        crc ^= (uint8_t)key.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
    }
    return ~crc;
}

/* As libmemcached cuts it down: 15 bits. */
uint32_t hash_crc32(struct str key)
{
    return (hash_crc32a(key) >> 16) & 0x7fff;
}

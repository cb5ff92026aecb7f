#include <stdint.h>

#include "common/bytes/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(char *out, struct str bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.data;
    char *start = out;

    for (size_t left = bytes.len; left != 0;) {
        size_t part = left < 3 ? left : 3;
        uint32_t group = (uint32_t)p[0] << 16;

        if (part > 1)
            group |= (uint32_t)p[1] << 8;
        if (part > 2)
            group |= p[2];
        out[0] = alphabet[group >> 18];
        out[1] = alphabet[group >> 12 & 63];
        out[2] = part > 1 ? alphabet[group >> 6 & 63] : '=';
        out[3] = part > 2 ? alphabet[group & 63] : '=';
        out += 4;
        p += part;
        left -= part;
    }
    return (size_t)(out - start);
}

/* The six bits of a character; 64 if it is none of the alphabet. */
static uint32_t bits_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

size_t base64_decode(char *out, struct str text)
{
    char *start = out;
    size_t padding = 0;

    if (text.len == 0 || text.len % 4 != 0)
        return 0;
    while (padding < 2 && text.data[text.len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t missing = i + 4 == text.len ? padding : 0;
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            uint32_t bits = j < 4 - missing ? bits_of(text.data[i + j]) : 0;

            if (bits > 63)
                return 0;
            group = group << 6 | bits;
        }
        /* Bits that belong to no byte must be zero, or two texts would be one key. */
        if ((group & ((1u << 8 * missing) - 1)) != 0)
            return 0;
        *out++ = (char)(group >> 16);
        if (missing < 2)
            *out++ = (char)(group >> 8 & 255);
        if (missing < 1)
            *out++ = (char)(group & 255);
    }
    return (size_t)(out - start);
}

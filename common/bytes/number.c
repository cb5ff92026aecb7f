#include "common/bytes/number.h"

enum { SAFE_DIGITS = 19 }; /* of these no sum can overflow */

bool number_parse_u64(struct str text, uint64_t *value)
{
    uint64_t sum = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';

        if (digit > 9)
            return false;
        if (i < SAFE_DIGITS)
            sum = sum * 10 + digit;
        else if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool number_parse_u32(struct str text, uint32_t *value)
{
    uint64_t wide;

    if (!number_parse_u64(text, &wide) || wide > UINT32_MAX)
        return false;
    *value = (uint32_t)wide;
    return true;
}

bool number_parse_i64(struct str text, int64_t *value)
{
    bool minus = text.len != 0 && text.data[0] == '-';
    uint64_t wide;

    if (!number_parse_u64(minus ? str_skip(text, 1) : text, &wide))
        return false;
    if (wide > (uint64_t)INT64_MAX + minus)
        return false;
    *value = minus ? (int64_t)(0 - wide) : (int64_t)wide;
    return true;
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static size_t count_digits(uint64_t value)
{
    size_t count = 1;

    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

size_t number_format(char *out, uint64_t value)
{
    size_t len = count_digits(value);
    char *p = out + len;

    while (value >= 100) {
        p -= 2;
        memcpy(p, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(out, pairs + value * 2, 2);
    else
        *out = (char)('0' + value);
    return len;
}

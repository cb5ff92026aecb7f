#include "common/bytes/number.h"

enum { SAFE_DIGITS = 19 }; /* of these no sum can overflow */

static const uint64_t E8 = 100000000;

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

int64_t number_next(struct str *rest)
{
    const char *p = rest->data, *end = p + rest->len, *first;
    uint64_t sum = 0;

    while (p < end && *p == ' ')
        p++;
    for (first = p; p < end; p++) {
        unsigned digit = (unsigned)(unsigned char)*p - '0';

        if (digit > 9)
            break;
        sum = sum * 10 + digit;
    }
    if (p == first || p - first > NUMBER_NEXT_DIGITS || (p < end && *p != ' '))
        return -1;
    *rest = (struct str){p, (size_t)(end - p)};
    return (int64_t)sum;
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

const char number_pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static char *put_pair(char *p, unsigned value)
{
    memcpy(p, number_pairs + value * 2, 2);
    return p + 2;
}

static char *put_four(char *p, unsigned value)
{
    return put_pair(put_pair(p, value / 100), value % 100);
}

static char *put_eight(char *p, unsigned value)
{
    return put_four(put_four(p, value / 10000), value % 10000);
}

/* No more digits than it has; it is below 10000. */
static char *put_few(char *p, unsigned value)
{
    if (value >= 1000)
        return put_four(p, value);
    if (value < 100)
        return number_put(p, value);
    *p = (char)('0' + value / 100);
    return put_pair(p + 1, value % 100);
}

/* The same, below E8. */
static char *put_some(char *p, unsigned value)
{
    if (value < 10000)
        return put_few(p, value);
    return put_four(put_few(p, value / 10000), value % 10000);
}

/* Of E8 and more: rare, and kept out of the way of what is not. */
__attribute__((noinline)) static char *put_many(char *p, uint64_t value)
{
    uint64_t high = value / E8;

    if (high < E8)
        p = put_some(p, (unsigned)high);
    else
        p = put_eight(put_few(p, (unsigned)(high / E8)), (unsigned)(high % E8));
    return put_eight(p, (unsigned)(value % E8));
}

/* One piece of code, and one copy of it. */
__attribute__((noinline, flatten)) char *number_put_long(char *out, uint64_t value)
{
    return value < E8 ? put_some(out, (unsigned)value) : put_many(out, value);
}

#include "common/bytes/str.h"

struct str str_next_word(struct str *rest)
{
    const char *p = rest->data, *end = rest->data + rest->len;
    struct str word;

    while (p < end && *p == ' ')
        p++;
    word.data = p;
    while (p < end && *p != ' ')
        p++;
    word.len = (size_t)(p - word.data);
    *rest = (struct str){p, (size_t)(end - p)};
    return word;
}

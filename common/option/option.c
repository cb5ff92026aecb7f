#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/bytes/number.h"
#include "common/option/option.h"

enum outcome { SET, REFUSED, NO_MEMORY };

struct type {
    enum outcome (*parse)(const struct option *option, struct str value, void *field);
    const char *expects; /* "is not ..." */
    int64_t max;         /* as far as the field reaches */
};

static int64_t reach_of(const struct option *option);

static bool is_within(const struct option *option, int64_t value)
{
    return value >= option->min && value <= reach_of(option);
}

static enum outcome parse_bool(const struct option *option, struct str value, void *field)
{
    (void)option;
    if (str_equal(value, STR("true")))
        *(bool *)field = true;
    else if (str_equal(value, STR("false")))
        *(bool *)field = false;
    else
        return REFUSED;
    return SET;
}

static enum outcome parse_count(const struct option *option, struct str value, void *field)
{
    uint32_t number;

    if (!number_parse_u32(value, &number) || !is_within(option, number))
        return REFUSED;
    *(uint32_t *)field = number;
    return SET;
}

static enum outcome parse_number(const struct option *option, struct str value, void *field)
{
    int64_t number;

    if (!number_parse_i64(value, &number) || !is_within(option, number))
        return REFUSED;
    *(int32_t *)field = (int32_t)number;
    return SET;
}

static unsigned size_shift(char suffix)
{
    switch (suffix) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

static enum outcome parse_size(const struct option *option, struct str value, void *field)
{
    unsigned shift = value.len == 0 ? 0 : size_shift(value.data[value.len - 1]);
    uint64_t number;

    if (shift != 0)
        value.len--;
    if (!number_parse_u64(value, &number) || number > (uint64_t)INT64_MAX >> shift)
        return REFUSED;
    number <<= shift;
    if (!is_within(option, (int64_t)number))
        return REFUSED;
    *(uint64_t *)field = number;
    return SET;
}

/* Digits with at most one point, so that neither a locale nor strtod's hex, inf and nan
 * have a say. */
static enum outcome parse_factor(const struct option *option, struct str value, void *field)
{
    double sum = 0, unit = 0;
    bool has_digit = false;

    (void)option;
    for (size_t i = 0; i < value.len; i++) {
        unsigned digit = (unsigned)(unsigned char)value.data[i] - '0';

        if (value.data[i] == '.' && unit <= 0) {
            unit = 1;
        } else if (digit <= 9) {
            sum = sum * 10 + digit;
            unit *= 10;
            has_digit = true;
        } else {
            return REFUSED;
        }
    }
    if (unit > 0)
        sum /= unit;
    if (!has_digit || !isfinite(sum))
        return REFUSED;
    *(double *)field = sum;
    return SET;
}

static enum outcome parse_octal(const struct option *option, struct str value, void *field)
{
    uint32_t number = 0;

    (void)option;
    if (value.len == 0)
        return REFUSED;
    for (size_t i = 0; i < value.len; i++) {
        unsigned digit = (unsigned)(unsigned char)value.data[i] - '0';

        if (digit > 7)
            return REFUSED;
        number = number * 8 + digit;
        if (number > 0777)
            return REFUSED;
    }
    *(uint32_t *)field = number;
    return SET;
}

static enum outcome parse_string(const struct option *option, struct str value, void *field)
{
    char *copy;

    (void)option;
    if (value.len == 0)
        return REFUSED;
    copy = strndup(value.data, value.len);
    if (copy == NULL)
        return NO_MEMORY;
    free(*(char **)field);
    *(char **)field = copy;
    return SET;
}

static enum outcome parse_choice(const struct option *option, struct str value, void *field)
{
    const void *chosen = option->find(value);

    if (chosen == NULL)
        return REFUSED;
    *(const void **)field = chosen;
    return SET;
}

static const struct type types[] = {
    [OPTION_BOOL] = {parse_bool, "true or false", 1},
    [OPTION_COUNT] = {parse_count, "a whole number", UINT32_MAX},
    [OPTION_NUMBER] = {parse_number, "a whole number", INT32_MAX},
    [OPTION_MILLISECONDS] = {parse_count, "a whole number of milliseconds", INT32_MAX},
    [OPTION_SIZE] = {parse_size, "a size in bytes, with k, m or g behind it if need be", INT64_MAX},
    [OPTION_FACTOR] = {parse_factor, "a decimal number", 0},
    [OPTION_OCTAL] = {parse_octal, "an octal number from 0 to 0777", 0777},
    [OPTION_STRING] = {parse_string, "a text of at least one character", 0},
    [OPTION_CHOICE] = {parse_choice, "one of", 0},
    [OPTION_CUSTOM] = {NULL, NULL, 0},
};

static int64_t reach_of(const struct option *option)
{
    return option->max != 0 ? option->max : types[option->type].max;
}

const struct option *option_find(const struct option *table, size_t count, struct str key)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(str_of(table[i].key), key))
            return &table[i];
    }
    return NULL;
}

static size_t append(char *out, size_t size, size_t len, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static size_t append(char *out, size_t size, size_t len, const char *format, ...)
{
    va_list arguments;
    int added;

    va_start(arguments, format);
    added = vsnprintf(out + len, size - len, format, arguments);
    va_end(arguments);
    len += added > 0 ? (size_t)added : 0;
    return len < size ? len : size - 1;
}

/* Writes what the option takes, as in "a whole number, at least 1". */
static void expects(const struct option *option, char *out, size_t size)
{
    const struct type *type = &types[option->type];
    size_t len = append(out, size, 0, "%s", type->expects);

    if (option->type == OPTION_CHOICE) {
        for (size_t i = 0; option->choice(i) != NULL; i++)
            len = append(out, size, len, "%s%s", i == 0 ? " " : ", ", option->choice(i));
    } else if (type->parse == parse_count || type->parse == parse_number ||
               type->parse == parse_size) {
        append(out, size, len, " from %lld to %lld", (long long)option->min,
               (long long)reach_of(option));
    }
}

/* A value for a message: short, and without bytes that upset a terminal. */
static void quote(struct str value, char out[64])
{
    size_t len = value.len < 56 ? value.len : 56;

    for (size_t i = 0; i < len; i++)
        out[i] = value.data[i] >= ' ' && value.data[i] != 127 ? value.data[i] : '?';
    strcpy(out + len, value.len > len ? "..." : "");
}

bool option_set(const struct option *option, void *settings, struct str value,
                char error[OPTION_ERROR_MAX])
{
    void *field = (char *)settings + option->offset;
    char expected[320], shown[64];
    const char *wrong;

    quote(value, shown);
    if (option->type == OPTION_CUSTOM) {
        wrong = option->parse(value, field);
        if (wrong != NULL)
            snprintf(error, OPTION_ERROR_MAX, "%s: '%s' %s", option->key, shown, wrong);
        return wrong == NULL;
    }
    switch (types[option->type].parse(option, value, field)) {
    case SET:
        return true;
    case NO_MEMORY:
        snprintf(error, OPTION_ERROR_MAX, "%s: out of memory", option->key);
        return false;
    default:
        expects(option, expected, sizeof(expected));
        snprintf(error, OPTION_ERROR_MAX, "%s: '%s' is not %s", option->key, shown, expected);
        return false;
    }
}

bool option_defaults(const struct option *table, size_t count, void *settings)
{
    char error[OPTION_ERROR_MAX];

    for (size_t i = 0; i < count; i++) {
        if (table[i].initial != NULL &&
            !option_set(&table[i], settings, str_of(table[i].initial), error))
            return false;
    }
    return true;
}

bool option_is_same(const struct option *option, const void *a, const void *b)
{
    static const size_t sizes[] = {
        [OPTION_BOOL] = sizeof(bool),      [OPTION_COUNT] = sizeof(uint32_t),
        [OPTION_NUMBER] = sizeof(int32_t), [OPTION_MILLISECONDS] = sizeof(uint32_t),
        [OPTION_SIZE] = sizeof(uint64_t),  [OPTION_FACTOR] = sizeof(double),
        [OPTION_OCTAL] = sizeof(uint32_t), [OPTION_CHOICE] = sizeof(const void *),
    };
    const char *x = (const char *)a + option->offset, *y = (const char *)b + option->offset;

    if (option->type == OPTION_STRING) {
        const char *p = *(char *const *)(const void *)x, *q = *(char *const *)(const void *)y;

        return p == q || (p != NULL && q != NULL && strcmp(p, q) == 0);
    }
    return memcmp(x, y, option->type == OPTION_CUSTOM ? option->size : sizes[option->type]) == 0;
}

void option_free(const struct option *table, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        char **field = (char **)(void *)((char *)settings + table[i].offset);

        if (table[i].type != OPTION_STRING)
            continue;
        free(*field);
        *field = NULL;
    }
}

void option_print_reference(FILE *out, const struct option *table, size_t count)
{
    char takes[320];

    fputs("| option | takes | default | meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &table[i];

        if (option->type == OPTION_CUSTOM)
            snprintf(takes, sizeof(takes), "%s", option->argument ? option->argument : "");
        else
            expects(option, takes, sizeof(takes));
        fprintf(out, "| `%s` | %s | %s | %s |\n", option->key, takes,
                option->initial ? option->initial : "-", option->help);
    }
}

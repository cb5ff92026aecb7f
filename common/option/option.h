/*
 * Options as tables: a row says an option's name, type, default, bounds and help,
 * and which field of a settings struct it fills. Parsing, messages and reference
 * all come from the row; the command line (argv) and YAML are two front ends.
 */
#ifndef COMMON_OPTION_OPTION_H
#define COMMON_OPTION_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/bytes/str.h"

/*    type          its field       its text */
enum option_type {
    OPTION_BOOL,         /* bool      true or false */
    OPTION_COUNT,        /* uint32_t  digits */
    OPTION_NUMBER,       /* int32_t   digits, maybe behind a minus */
    OPTION_MILLISECONDS, /* uint32_t  digits */
    OPTION_SIZE,         /* uint64_t  bytes: digits, maybe with k, m or g behind */
    OPTION_FACTOR,       /* double    decimal */
    OPTION_OCTAL,        /* uint32_t  octal digits, a file's permissions */
    OPTION_STRING,       /* char *    any but empty; malloc'ed, see option_free */
    OPTION_CHOICE,       /* const void *, what `find` gives for a name */
    OPTION_CUSTOM,       /* any       as `parse` says */
};

struct option {
    const char *key; /* also the long name on the command line */
    enum option_type type;
    size_t offset;       /* of the field in the settings */
    const char *initial; /* the default's text; NULL: the field stays all zero */
    int64_t min, max;    /* of numbers; max 0: as far as the field reaches */
    /* CHOICE: the value of a name, NULL for none; and the i-th name, NULL behind the last. */
    const void *(*find)(struct str name);
    const char *(*choice)(size_t i);
    /* CUSTOM: fills the field. Returns NULL, or what is wrong, as in "has no port". */
    const char *(*parse)(struct str value, void *field);
    size_t size; /* CUSTOM: of the field, if its bytes can be compared; 0: they cannot */
    /* Command line: the short letter, if any; and the value that naming the option gives
     * it, if it takes no argument there. */
    char letter;
    const char *flag;
    const char *argument; /* what the argument is called in the help */
    const char *refusal;  /* why the command line may not have it; NULL: it may */
    const char *help;
};

#define OPTION_COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

enum { OPTION_ERROR_MAX = 512 };

/* Returns NULL when no row has this key. */
const struct option *option_find(const struct option *table, size_t count, struct str key);

/*
 * Sets the option's field in `settings` from text. Returns false with a message in
 * `error` that names the option and what was expected; the field is then as before.
 */
bool option_set(const struct option *option, void *settings, struct str value,
                char error[OPTION_ERROR_MAX]);

/* Sets all fields of an all-zero `settings` to their defaults; false: memory ran out. */
bool option_defaults(const struct option *table, size_t count, void *settings);

/* Whether the option is the same in both settings; true if its fields cannot be compared. */
bool option_is_same(const struct option *option, const void *a, const void *b);

/* Frees the strings of `settings`. */
void option_free(const struct option *table, size_t count, void *settings);

/* Prints a line of Markdown table for each option. */
void option_print_reference(FILE *out, const struct option *table, size_t count);

#endif

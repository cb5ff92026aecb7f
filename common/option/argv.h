/*
 * The command line as a front end of option tables: `-x value`, `-xvalue`, letters
 * without argument in a bunch, `--name value`, `--name=value`, and `-o name=value,name`
 * for a second table. Words that are no options, and all behind `--`, are operands.
 */
#ifndef COMMON_OPTION_ARGV_H
#define COMMON_OPTION_ARGV_H

#include "common/option/option.h"

struct argv_operands {
    const char **words; /* room for argc of them */
    size_t count;
};

struct argv_tables {
    const struct option *options;
    size_t option_count;
    const struct option *extended; /* what -o and --extended name; NULL: no -o */
    size_t extended_count;
    struct argv_operands *operands; /* NULL: none are allowed */
};

enum argv_failure {
    ARGV_UNKNOWN, /* no such option */
    ARGV_MISSING, /* the argument is missing */
    ARGV_SURPLUS, /* an argument where none belongs */
    ARGV_BAD      /* the argument is not what was expected */
};

struct argv_error {
    enum argv_failure failure;
    const struct option *option;      /* the row; NULL when unknown */
    char given[80];                   /* the option as the user wrote it */
    char text[OPTION_ERROR_MAX + 96]; /* a message that names it */
};

/*
 * Sets the fields of `settings`, which has its defaults, from the command line.
 * Returns false with *error filled in at the first mistake.
 */
bool argv_parse(const struct argv_tables *tables, int argc, char **argv, void *settings,
                struct argv_error *error);

/* Prints a line of help for each option that may be given. */
void argv_print_help(FILE *out, const struct option *table, size_t count);

/* Prints a Markdown table of the options as they stand on the command line. */
void argv_print_reference(FILE *out, const struct option *table, size_t count);

#endif

/*
 * YAML files as trees of values, each with its line and column. libyaml reads the
 * grammar; here are the bounds that keep hostile files cheap: size, depth, number
 * of values with aliases counted in full. Keys are unique scalars.
 */
#ifndef COMMON_OPTION_YAML_H
#define COMMON_OPTION_YAML_H

#include <stddef.h>

#include "common/bytes/str.h"

enum {
    YAML_FILE_MAX = 1 << 20, /* bytes */
    YAML_DEPTH_MAX = 16,
    YAML_VALUES_MAX = 100000
};

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_value {
    enum yaml_kind kind;
    unsigned line, column;        /* from 1 */
    struct str text;              /* of a scalar, with a terminator behind it and no NUL inside */
    struct yaml_value **children; /* of a list; of a map: key, value, key, value ... */
    size_t count;                 /* of children */
    size_t weight;                /* values in this tree, itself included */
    struct yaml_value *made_before;
};

struct yaml_file {
    char *name;
    struct yaml_value *root;
    struct yaml_value *last_made; /* all values, to be freed */
};

/*
 * Reads the one document of the file at `path`. Returns NULL with a message
 * "path:line:column: ..." in `error`. To be freed with yaml_file_free.
 */
struct yaml_file *yaml_file_load(const char *path, char *error, size_t error_size);

/* The same for text at hand; messages call it `name`. */
struct yaml_file *yaml_file_parse(const char *name, struct str text, char *error,
                                  size_t error_size);

void yaml_file_free(struct yaml_file *file);

/* Writes "path:line:column: " of `value` and the message into `error`. */
void yaml_file_complain(const struct yaml_file *file, const struct yaml_value *value, char *error,
                        size_t error_size, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif

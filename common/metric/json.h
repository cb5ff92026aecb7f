/*
 * Writes JSON with nutcracker's spacing, which readers of its statistics have
 * come to know: `"a":1, "b":"x", "c": {"d":2},"e": {}}`. Names and texts are
 * escaped. Grows a buffer of its own; the caller frees it.
 */
#ifndef COMMON_METRIC_JSON_H
#define COMMON_METRIC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes/str.h"

/* An all-zero one is empty and ready. */
struct json {
    char *text; /* ours; free it when done */
    size_t len, capacity;
    bool failed; /* memory ran out; what was written since is lost */
};

/* Opens an object, named if it stands in another one (name.data NULL: not), and closes it. */
void json_open(struct json *json, struct str name);
void json_close(struct json *json);

void json_number(struct json *json, struct str name, uint64_t value);
void json_text(struct json *json, struct str name, struct str value);

/* Appends bytes as they are: a newline at the end, say. */
void json_raw(struct json *json, struct str bytes);

#endif

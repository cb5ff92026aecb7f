#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

#include "common/option/yaml.h"

enum { ANCHORS_MAX = 256 };

struct anchor {
    char *name;
    struct yaml_value *value;
};

struct reader {
    struct yaml_file *file;
    yaml_parser_t parser;
    struct str text;
    struct anchor anchors[ANCHORS_MAX];
    size_t anchor_count;
    size_t value_count; /* made so far */
    char *error;
    size_t error_size;
};

static void complain_at(const char *name, size_t line, size_t column, char *error, size_t size,
                        const char *format, va_list arguments)
{
    int len = snprintf(error, size, "%s:%zu:%zu: ", name, line, column);

    if (len >= 0 && (size_t)len < size)
        vsnprintf(error + len, size - (size_t)len, format, arguments);
}

void yaml_file_complain(const struct yaml_file *file, const struct yaml_value *value, char *error,
                        size_t error_size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_at(file->name, value->line, value->column, error, error_size, format, arguments);
    va_end(arguments);
}

static void *fail(struct reader *reader, size_t line, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Complains about the place with `line` and `column` counted from 0. Returns NULL. */
static void *fail(struct reader *reader, size_t line, size_t column, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_at(reader->file->name, line + 1, column + 1, reader->error, reader->error_size, format,
                arguments);
    va_end(arguments);
    return NULL;
}

static void *fail_event(struct reader *reader, const yaml_event_t *event, const char *what)
{
    return fail(reader, event->start_mark.line, event->start_mark.column, "%s", what);
}

/* libyaml counts lines for its scanner's errors, but only bytes for bad characters. */
static bool next_event(struct reader *reader, yaml_event_t *event)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t line, column;

    if (yaml_parser_parse(&reader->parser, event))
        return true;
    line = parser->problem_mark.line;
    column = parser->problem_mark.column;
    if (parser->error == YAML_READER_ERROR) {
        line = column = 0;
        for (size_t i = 0; i < parser->problem_offset && i < reader->text.len; i++) {
            column++;
            if (reader->text.data[i] == '\n') {
                line++;
                column = 0;
            }
        }
    }
    fail(reader, line, column, "this is not YAML: %s%s%s",
         parser->problem ? parser->problem : "out of memory", parser->context ? ", " : "",
         parser->context ? parser->context : "");
    return false;
}

static struct yaml_value *make_value(struct reader *reader, const yaml_event_t *event,
                                     enum yaml_kind kind)
{
    struct yaml_value *value;

    if (++reader->value_count > YAML_VALUES_MAX)
        return fail_event(reader, event, "too many values in one file");
    value = calloc(1, sizeof(*value));
    if (value == NULL)
        return fail_event(reader, event, "out of memory");
    value->kind = kind;
    value->line = (unsigned)event->start_mark.line + 1;
    value->column = (unsigned)event->start_mark.column + 1;
    value->weight = 1;
    value->made_before = reader->file->last_made;
    reader->file->last_made = value;
    return value;
}

static bool name_anchor(struct reader *reader, const yaml_event_t *event, const yaml_char_t *name,
                        struct yaml_value *value)
{
    struct anchor *anchor;

    if (name == NULL)
        return true;
    if (reader->anchor_count == ANCHORS_MAX) {
        fail_event(reader, event, "too many anchors in one file");
        return false;
    }
    anchor = &reader->anchors[reader->anchor_count];
    anchor->name = strdup((const char *)name);
    anchor->value = value;
    if (anchor->name == NULL) {
        fail_event(reader, event, "out of memory");
        return false;
    }
    reader->anchor_count++;
    return true;
}

/* The latest anchor of the name; one that is not closed yet does not count, so that no
 * value contains itself. */
static struct yaml_value *find_anchor(struct reader *reader, const yaml_event_t *event)
{
    for (size_t i = reader->anchor_count; i-- > 0;) {
        if (strcmp(reader->anchors[i].name, (const char *)event->data.alias.anchor) == 0)
            return reader->anchors[i].value;
    }
    return fail(reader, event->start_mark.line, event->start_mark.column,
                "'*%.40s' refers to no finished anchor before it",
                (const char *)event->data.alias.anchor);
}

static struct yaml_value *make_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct yaml_value *value;
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    char *copy;

    if (memchr(text, '\0', len) != NULL)
        return fail_event(reader, event, "a NUL character is not allowed");
    value = make_value(reader, event, YAML_SCALAR);
    if (value == NULL)
        return NULL;
    copy = strndup(text, len);
    if (copy == NULL)
        return fail_event(reader, event, "out of memory");
    value->text = (struct str){copy, len};
    return name_anchor(reader, event, event->data.scalar.anchor, value) ? value : NULL;
}

static bool add_child(struct reader *reader, const yaml_event_t *event, struct yaml_value *parent,
                      struct yaml_value *child)
{
    /* Grows at each power of two. */
    if ((parent->count & (parent->count - 1)) == 0) {
        size_t room = parent->count ? parent->count * 2 : 1;
        struct yaml_value **children =
            reallocarray(parent->children, room, sizeof(struct yaml_value *));

        if (children == NULL) {
            fail_event(reader, event, "out of memory");
            return false;
        }
        parent->children = children;
    }
    parent->children[parent->count++] = child;
    parent->weight += child->weight;
    if (parent->weight > YAML_VALUES_MAX) {
        fail_event(reader, event, "too many values, with aliases counted in full");
        return false;
    }
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_value *x = *(struct yaml_value *const *)a;
    const struct yaml_value *y = *(struct yaml_value *const *)b;
    int order = strcmp(x->text.data, y->text.data);

    if (order != 0)
        return order;
    return x->line != y->line ? (x->line < y->line ? -1 : 1) : (x->column < y->column ? -1 : 1);
}

/* Sorts a copy of the keys, so that a large map costs no square of its size. */
static bool check_keys(struct reader *reader, const struct yaml_value *map)
{
    size_t count = map->count / 2;
    const struct yaml_value **keys = malloc((count + 1) * sizeof(struct yaml_value *));
    const struct yaml_value *again = NULL, *first = NULL;

    if (keys == NULL) {
        fail(reader, map->line - 1, map->column - 1, "out of memory");
        return false;
    }
    for (size_t i = 0; i < count; i++)
        keys[i] = map->children[2 * i];
    qsort(keys, count, sizeof(keys[0]), compare_keys);
    for (size_t i = 1; i < count && again == NULL; i++) {
        if (!str_equal(keys[i - 1]->text, keys[i]->text))
            continue;
        first = keys[i - 1];
        again = keys[i];
    }
    free(keys);
    if (again == NULL)
        return true;
    fail(reader, again->line - 1, again->column - 1,
         "'%.64s' is a duplicate; it stands in line %u already", again->text.data, first->line);
    return false;
}

static struct yaml_value *read_value(struct reader *reader, yaml_event_t *event, unsigned depth);

/* Reads children up to the end of the list or map that `event` opens. */
static struct yaml_value *read_children(struct reader *reader, yaml_event_t *event, unsigned depth)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    struct yaml_value *parent = make_value(reader, event, is_map ? YAML_MAP : YAML_LIST);
    yaml_event_t next;
    bool is_good = true;

    if (parent == NULL)
        return NULL;
    while (is_good) {
        struct yaml_value *child;
        bool is_key = is_map && parent->count % 2 == 0;

        if (!next_event(reader, &next))
            return NULL;
        if (next.type == YAML_MAPPING_END_EVENT || next.type == YAML_SEQUENCE_END_EVENT)
            break;
        child = read_value(reader, &next, depth + 1);
        if (child != NULL && is_key && child->kind != YAML_SCALAR)
            child = fail_event(reader, &next, "a key must be a plain word");
        is_good = child != NULL && add_child(reader, &next, parent, child);
        yaml_event_delete(&next);
    }
    if (is_good)
        yaml_event_delete(&next);
    if (!is_good || (is_map && !check_keys(reader, parent)))
        return NULL;
    return name_anchor(reader, event,
                       is_map ? event->data.mapping_start.anchor
                              : event->data.sequence_start.anchor,
                       parent)
               ? parent
               : NULL;
}

static struct yaml_value *read_value(struct reader *reader, yaml_event_t *event, unsigned depth)
{
    if (depth > YAML_DEPTH_MAX)
        return fail_event(reader, event, "nested too deeply");
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return find_anchor(reader, event);
    case YAML_SCALAR_EVENT:
        return make_scalar(reader, event);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return read_children(reader, event, depth);
    default:
        return fail_event(reader, event, "a value was expected");
    }
}

/* A file is one document; its events are stream start, document start, the value,
 * document end, stream end. */
static bool read_document(struct reader *reader)
{
    bool is_good = true, is_done = false;
    yaml_event_t event;

    while (is_good && !is_done) {
        if (!next_event(reader, &event))
            return false;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (reader->file->root != NULL)
                is_good = fail_event(reader, &event, "only one document is allowed") != NULL;
            break;
        case YAML_STREAM_END_EVENT:
            is_done = true;
            if (reader->file->root == NULL)
                is_good = fail_event(reader, &event, "the file is empty") != NULL;
            break;
        default:
            reader->file->root = read_value(reader, &event, 0);
            is_good = reader->file->root != NULL;
        }
        yaml_event_delete(&event);
    }
    return is_good;
}

void yaml_file_free(struct yaml_file *file)
{
    struct yaml_value *before;

    if (file == NULL)
        return;
    for (struct yaml_value *value = file->last_made; value != NULL; value = before) {
        before = value->made_before;
        free((char *)(uintptr_t)value->text.data);
        free(value->children);
        free(value);
    }
    free(file->name);
    free(file);
}

struct yaml_file *yaml_file_parse(const char *name, struct str text, char *error, size_t error_size)
{
    struct reader reader = {.text = text, .error = error, .error_size = error_size};
    bool is_good = false;

    reader.file = calloc(1, sizeof(*reader.file));
    if (reader.file != NULL)
        reader.file->name = strdup(name);
    if (reader.file == NULL || reader.file->name == NULL ||
        !yaml_parser_initialize(&reader.parser)) {
        snprintf(error, error_size, "%s: out of memory", name);
        yaml_file_free(reader.file);
        return NULL;
    }
    if (text.len > YAML_FILE_MAX) {
        snprintf(error, error_size, "%s: more than %d bytes", name, YAML_FILE_MAX);
    } else {
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.data, text.len);
        yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
        is_good = read_document(&reader);
    }
    yaml_parser_delete(&reader.parser);
    for (size_t i = 0; i < reader.anchor_count; i++)
        free(reader.anchors[i].name);
    if (is_good)
        return reader.file;
    yaml_file_free(reader.file);
    return NULL;
}

/* Reads at most one byte more than is allowed. Returns the length, or -1 with errno set. */
static ssize_t read_whole(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t got = 1;

    if (fd < 0)
        return -1;
    while (len < size && (got = read(fd, text + len, size - len)) != 0) {
        if (got < 0 && errno != EINTR)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return got < 0 ? -1 : (ssize_t)len;
}

struct yaml_file *yaml_file_load(const char *path, char *error, size_t error_size)
{
    struct yaml_file *file = NULL;
    char *text = malloc(YAML_FILE_MAX + 1);
    ssize_t len;

    if (text == NULL) {
        snprintf(error, error_size, "%s: out of memory", path);
        return NULL;
    }
    len = read_whole(path, text, YAML_FILE_MAX + 1);
    if (len < 0)
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    else
        file = yaml_file_parse(path, (struct str){text, (size_t)len}, error, error_size);
    free(text);
    return file;
}

#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/number.h"
#include "common/metric/json.h"

void json_raw(struct json *json, struct str bytes)
{
    if (json->failed)
        return;
    if (json->capacity - json->len < bytes.len) {
        size_t capacity = (json->len + bytes.len) * 2 + 1024;
        char *text = realloc(json->text, capacity);

        if (text == NULL) {
            json->failed = true;
            return;
        }
        json->text = text;
        json->capacity = capacity;
    }
    memcpy(json->text + json->len, bytes.data, bytes.len);
    json->len += bytes.len;
}

static void write_quoted(struct json *json, struct str text)
{
    json_raw(json, STR("\""));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char escaped[8];

        if (c == '"' || c == '\\') {
            json_raw(json, STR("\\"));
        } else if (c < ' ' || c >= 0x7f) {
            /* Bytes that are not ASCII have no known character set: shown as Latin-1. */
            snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            json_raw(json, str_of(escaped));
            continue;
        }
        json_raw(json, (struct str){text.data + i, 1});
    }
    json_raw(json, STR("\""));
}

/* What stands between the last thing written and the next: nothing behind an opened object. */
static void write_separator(struct json *json)
{
    if (json->len == 0 || json->text[json->len - 1] == '{')
        return;
    json_raw(json, json->text[json->len - 1] == '}' ? STR(",") : STR(", "));
}

static void write_name(struct json *json, struct str name)
{
    write_separator(json);
    write_quoted(json, name);
    json_raw(json, STR(":"));
}

void json_open(struct json *json, struct str name)
{
    if (name.data != NULL) {
        write_name(json, name);
        json_raw(json, STR(" "));
    }
    json_raw(json, STR("{"));
}

void json_close(struct json *json)
{
    json_raw(json, STR("}"));
}

void json_number(struct json *json, struct str name, uint64_t value)
{
    char digits[NUMBER_TEXT_MAX];

    write_name(json, name);
    json_raw(json, (struct str){digits, number_format(digits, value)});
}

void json_text(struct json *json, struct str name, struct str value)
{
    write_name(json, name);
    write_quoted(json, value);
}

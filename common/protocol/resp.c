#include <stdlib.h>

#include "common/bytes/number.h"
#include "common/protocol/resp.h"

enum { NUMBER_LINE_MAX = 32 };

/* --- lines and numbers --- */

/* A line's length without its CR LF, once it is there. PARSE_BAD: a line end that is none, or
 * `max` bytes without one. */
static enum parse scan_line(struct str in, size_t max, size_t *len)
{
    const char *end = memchr(in.data, '\r', in.len < max ? in.len : max);

    if (end == NULL)
        return in.len < max ? PARSE_MORE : PARSE_BAD;
    *len = (size_t)(end - in.data);
    if (*len + 1 == in.len)
        return PARSE_MORE;
    return end[1] == '\n' ? PARSE_DONE : PARSE_BAD;
}

/* Decimal as it is written, not as it might be: no sign but a minus, no zero in front. */
static bool parse_canonical(struct str text, int64_t *number)
{
    struct str digits = text;

    if (digits.len != 0 && digits.data[0] == '-')
        digits = str_skip(digits, 1);
    if (digits.len == 0 || digits.data[0] < '0' || digits.data[0] > '9')
        return false;
    if (digits.data[0] == '0' && text.len != 1)
        return false;
    return number_parse_i64(text, number);
}

/* The number of a line "X123" at the front of `in`. */
static enum parse scan_number(struct str in, int64_t *number, size_t *line_len)
{
    size_t len;
    enum parse parse = scan_line(in, NUMBER_LINE_MAX, &len);

    if (parse != PARSE_DONE)
        return parse;
    *line_len = len + 2;
    return parse_canonical((struct str){in.data + 1, len - 1}, number) ? PARSE_DONE : PARSE_BAD;
}

/* --- requests --- */

static enum parse refuse(const char **error, const char *text)
{
    *error = text;
    return PARSE_BAD;
}

static enum parse begin_request(struct str in, const struct resp_limits *limits,
                                struct resp_request_scan *scan, const char **error)
{
    int64_t count;
    size_t len;

    switch (scan_number(in, &count, &len)) {
    case PARSE_MORE:
        return PARSE_MORE;
    case PARSE_BAD:
        return refuse(error, "invalid multibulk length");
    case PARSE_DONE:
        break;
    }
    if (count < -1 || count > RESP_ARGUMENTS_MAX)
        return refuse(error, "invalid multibulk length");
    if (count > limits->arguments_max)
        return refuse(error, limits->is_unknown ? "unauthenticated multibulk length"
                                                : "invalid multibulk length");
    scan->used = len;
    scan->count = scan->left = count < 0 ? 0 : (uint32_t)count;
    return PARSE_DONE;
}

static enum parse scan_argument(struct str in, const struct resp_limits *limits,
                                struct resp_request_scan *scan, const char **error)
{
    struct str rest = str_skip(in, scan->used);
    int64_t len;
    size_t head;

    if (rest.len == 0)
        return PARSE_MORE;
    if (rest.data[0] != '$')
        return refuse(error, "expected '$'");
    switch (scan_number(rest, &len, &head)) {
    case PARSE_MORE:
        return PARSE_MORE;
    case PARSE_BAD:
        return refuse(error, "invalid bulk length");
    case PARSE_DONE:
        break;
    }
    if (len < 0 || len > limits->bulk_max)
        return refuse(error, limits->is_unknown && len >= 0 ? "unauthenticated bulk length"
                                                            : "invalid bulk length");
    rest = str_skip(rest, head);
    if (rest.len < (size_t)len + 2) {
        scan->want = scan->used + head + (size_t)len + 2;
        return PARSE_MORE;
    }
    if (rest.data[len] != '\r' || rest.data[len + 1] != '\n')
        return refuse(error, "a bulk string is longer than it says");
    scan->used += head + (size_t)len + 2;
    scan->left--;
    return PARSE_DONE;
}

enum parse resp_scan_request(struct str in, const struct resp_limits *limits,
                             struct resp_request_scan *scan, const char **error)
{
    enum parse parse;

    scan->want = 0;
    if (scan->used == 0) {
        parse = begin_request(in, limits, scan, error);
        if (parse != PARSE_DONE)
            return parse;
    }
    while (scan->left != 0) {
        parse = scan_argument(in, limits, scan, error);
        if (parse != PARSE_DONE)
            return parse;
    }
    return PARSE_DONE;
}

struct str resp_arguments(struct str request)
{
    const char *newline = memchr(request.data, '\n', request.len);

    return str_skip(request, (size_t)(newline - request.data) + 1);
}

/* --- inline requests --- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that a backslash in double quotes stands for; *used bytes are behind it. */
static char unescape(struct str behind, size_t *used)
{
    static const char names[] = "nrtba", bytes[] = "\n\r\t\b\a";
    const char *name;

    if (behind.len >= 3 && behind.data[0] == 'x' && hex_value(behind.data[1]) >= 0 &&
        hex_value(behind.data[2]) >= 0) {
        *used = 3;
        return (char)(hex_value(behind.data[1]) * 16 + hex_value(behind.data[2]));
    }
    *used = 1;
    name = strchr(names, behind.data[0]);
    return name != NULL && *name != '\0' ? bytes[name - names] : behind.data[0];
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

/*
 * Reads a quoted word at the front of `line` into `out`; returns its length, and moves `line`
 * behind it. -1: the quotes do not end, or something is stuck to their end.
 */
static ssize_t read_quoted(struct str *line, char *out)
{
    char quote = line->data[0];
    size_t i = 1, len = 0, used;

    for (; i < line->len && line->data[i] != quote; i++) {
        if (line->data[i] != '\\' || i + 1 == line->len) {
            out[len++] = line->data[i];
        } else if (quote == '"') {
            out[len++] = unescape(str_skip(*line, i + 1), &used);
            i += used;
        } else if (line->data[i + 1] == '\'') {
            out[len++] = line->data[++i];
        } else {
            out[len++] = line->data[i];
        }
    }
    if (i == line->len || (i + 1 < line->len && !is_space(line->data[i + 1])))
        return -1;
    *line = str_skip(*line, i + 1);
    return (ssize_t)len;
}

static ssize_t read_word(struct str *line, char *out)
{
    size_t len = 0;
    ssize_t quoted;

    while (len < line->len && !is_space(line->data[len])) {
        if (line->data[len] == '"' || line->data[len] == '\'') {
            memcpy(out, line->data, len);
            *line = str_skip(*line, len);
            quoted = read_quoted(line, out + len);
            return quoted < 0 ? -1 : (ssize_t)len + quoted;
        }
        len++;
    }
    memcpy(out, line->data, len);
    *line = str_skip(*line, len);
    return (ssize_t)len;
}

/* Bytes that the longest array of a line of `len` bytes takes, a word a byte long. */
static size_t array_room(size_t len)
{
    return RESP_NUMBER_ROOM + (len / 2 + 1) * (RESP_NUMBER_ROOM + 2) + len;
}

/* Writes the words of `line` as bulk strings at `out`, by way of `word`. Returns how many, or
 * -1; *out_len is their length. */
static ssize_t write_words(struct str line, char *word, char *out, size_t *out_len)
{
    ssize_t count = 0;
    char *p = out;

    for (;; count++) {
        ssize_t len;

        while (line.len != 0 && is_space(line.data[0]))
            line = str_skip(line, 1);
        if (line.len == 0)
            break;
        len = read_word(&line, word);
        if (len < 0)
            return -1;
        p += resp_write_number(p, '$', (uint64_t)len);
        memcpy(p, word, (size_t)len);
        memcpy(p + len, "\r\n", 2);
        p += len + 2;
    }
    *out_len = (size_t)(p - out);
    return count;
}

enum parse resp_parse_inline(struct str in, size_t *used, char **array, size_t *array_len,
                             const char **error)
{
    const char *newline =
        memchr(in.data, '\n', in.len < RESP_INLINE_MAX ? in.len : RESP_INLINE_MAX);
    struct str line;
    char *room, *word, *words, head[RESP_NUMBER_ROOM];
    ssize_t count;
    size_t head_len, len;

    *array = NULL;
    if (newline == NULL)
        return in.len < RESP_INLINE_MAX ? PARSE_MORE : refuse(error, "too big inline request");
    line = (struct str){in.data, (size_t)(newline - in.data)};
    *used = line.len + 1;
    room = malloc(array_room(line.len) + line.len + 1);
    if (room == NULL)
        return refuse(error, NULL);
    words = room + RESP_NUMBER_ROOM;
    word = room + array_room(line.len);
    count = write_words(line, word, words, &len);
    if (count <= 0) {
        free(room);
        return count == 0 ? PARSE_DONE : refuse(error, "unbalanced quotes in request");
    }
    head_len = resp_write_number(head, '*', (uint64_t)count);
    memmove(room + head_len, words, len);
    memcpy(room, head, head_len);
    *array = room;
    *array_len = head_len + len;
    return PARSE_DONE;
}

/* --- replies --- */

/* An element is whole: so may be the arrays that it is the last of. */
static void end_element(struct resp_reply_scan *scan)
{
    while (scan->depth != 0 && --scan->left[scan->depth - 1] == 0)
        scan->depth--;
}

/* The three kinds of elements that have none in them: *len is how long it is, if it is there; of a
 * bulk string, whose line tells, also before. */
static enum parse scan_bulk(struct str rest, size_t *len)
{
    int64_t string_len;
    enum parse parse = scan_number(rest, &string_len, len);

    if (parse != PARSE_DONE || string_len == -1)
        return parse;
    if (string_len < 0 || string_len > INT32_MAX)
        return PARSE_BAD;
    *len += (size_t)string_len + 2;
    if (rest.len < *len)
        return PARSE_MORE;
    return rest.data[*len - 2] == '\r' && rest.data[*len - 1] == '\n' ? PARSE_DONE : PARSE_BAD;
}

static enum parse scan_text(struct str rest, size_t *len)
{
    size_t line_len;
    enum parse parse = scan_line(rest, RESP_LINE_MAX, &line_len);

    if (parse != PARSE_DONE)
        return parse;
    *len = line_len + 2;
    return memchr(rest.data, '\n', line_len) == NULL ? PARSE_DONE : PARSE_BAD;
}

static enum parse scan_integer(struct str rest, size_t *len)
{
    int64_t number;

    return scan_number(rest, &number, len);
}

static enum parse scan_array(struct str rest, struct resp_reply_scan *scan)
{
    int64_t count;
    size_t head;
    enum parse parse = scan_number(rest, &count, &head);

    if (parse != PARSE_DONE)
        return parse;
    if (count < -1 || count > INT32_MAX || scan->depth == RESP_DEPTH_MAX)
        return PARSE_BAD;
    scan->used += head;
    if (count > 0)
        scan->left[scan->depth++] = (uint32_t)count;
    else
        end_element(scan);
    return PARSE_DONE;
}

static enum parse scan_element(struct str rest, struct resp_reply_scan *scan)
{
    enum parse parse = PARSE_BAD;
    size_t len = 0;

    switch (rest.data[0]) {
    case '+':
    case '-':
        parse = scan_text(rest, &len);
        break;
    case ':':
        parse = scan_integer(rest, &len);
        break;
    case '$':
        parse = scan_bulk(rest, &len);
        break;
    case '*':
        return scan_array(rest, scan);
    default:
        break;
    }
    if (parse == PARSE_MORE && len != 0)
        scan->want = scan->used + len;
    if (parse != PARSE_DONE)
        return parse;
    scan->used += len;
    end_element(scan);
    return PARSE_DONE;
}

enum parse resp_scan_reply(struct str in, struct resp_reply_scan *scan)
{
    scan->want = 0;
    do {
        enum parse parse;

        if (scan->used == in.len)
            return PARSE_MORE;
        parse = scan_element(str_skip(in, scan->used), scan);
        if (parse != PARSE_DONE)
            return parse;
    } while (scan->depth != 0);
    return PARSE_DONE;
}

bool resp_reply_number(struct str reply, int64_t *number, size_t *line_len)
{
    return reply.len != 0 && scan_number(reply, number, line_len) == PARSE_DONE;
}

size_t resp_write_number(char *out, char type, uint64_t number)
{
    size_t len = number_format(out + 1, number);

    out[0] = type;
    memcpy(out + 1 + len, "\r\n", 2);
    return 1 + len + 2;
}

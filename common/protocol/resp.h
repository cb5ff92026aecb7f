/*
 * Redis' protocol, RESP2: a request is an array of bulk strings, or an inline line of
 * words; a reply is a line, a bulk string or an array of replies. Grammar only.
 *
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * What is scanned may come in pieces: a scan remembers how far it has come, so that no byte
 * is looked at twice however long the whole is.
 */
#ifndef COMMON_PROTOCOL_RESP_H
#define COMMON_PROTOCOL_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes/str.h"
#include "common/protocol/message.h"

enum {
    RESP_ARGUMENTS_MAX = 1 << 20, /* of a request */
    RESP_BULK_MAX = 512 << 20,    /* bytes of one string of a request, unless told otherwise */
    RESP_INLINE_MAX = 64 << 10,   /* bytes of an inline request */
    RESP_LINE_MAX = 64 << 10,     /* bytes of a reply's line */
    RESP_DEPTH_MAX = 128          /* arrays of a reply within each other */
};

/* What a request may be. Who has yet to say who he is may say little. */
struct resp_limits {
    uint32_t arguments_max;
    uint32_t bulk_max;
    bool is_unknown; /* errors say that the limits are those of an unknown client */
};

/* Zeroed before the first byte of a request. */
struct resp_request_scan {
    size_t used;    /* bytes that were scanned */
    size_t want;    /* bytes that are known to be needed in all */
    uint32_t count; /* arguments, the command's name among them */
    uint32_t left;  /* arguments yet to come */
};

/*
 * Scans a request that begins with '*' at the front of `in`, which shows all bytes since
 * its first. PARSE_DONE: it ends at scan->used; a count of 0 is no request, and no answer.
 * PARSE_BAD: nothing behind can be trusted; *error is the protocol's reason.
 */
enum parse resp_scan_request(struct str in, const struct resp_limits *limits,
                             struct resp_request_scan *scan, const char **error);

/*
 * Scans an inline request, a line of words, and writes the same as an array of bulk strings
 * to *array, which is to be freed; *array is NULL when the line is empty. PARSE_DONE:
 * *used bytes were taken. PARSE_BAD as above, or with *error NULL: memory ran out.
 */
enum parse resp_parse_inline(struct str in, size_t *used, char **array, size_t *array_len,
                             const char **error);

/* Cuts the next bulk string off `rest`, the inside of a request that was scanned. */
static inline struct str resp_next_argument(struct str *rest)
{
    const char *p = rest->data + 1;
    size_t len = 0;
    struct str argument;

    for (; *p != '\r'; p++)
        len = len * 10 + (size_t)(*p - '0');
    argument = (struct str){p + 2, len};
    p += 2 + len + 2;
    *rest = (struct str){p, (size_t)(rest->data + rest->len - p)};
    return argument;
}

/* The inside of a scanned request: its bulk strings. */
struct str resp_arguments(struct str request);

/* Zeroed before the first byte of a reply. */
struct resp_reply_scan {
    size_t used, want;
    unsigned depth;                /* arrays that are open */
    uint32_t left[RESP_DEPTH_MAX]; /* elements yet to come of each of them */
};

/* Scans a reply as resp_scan_request does a request. PARSE_BAD: it is none of RESP2's. */
enum parse resp_scan_reply(struct str in, struct resp_reply_scan *scan);

/* Reads the number behind the first byte of a reply's first line, as in ":12", "*3" or "$-1";
 * false if there is none. *line_len is the line's length with its CR LF. */
bool resp_reply_number(struct str reply, int64_t *number, size_t *line_len);

enum { RESP_NUMBER_ROOM = 1 + 20 + 2 };

/* Writes `type`, the number and CR LF at `out`, which has RESP_NUMBER_ROOM bytes; returns the
 * length. */
size_t resp_write_number(char *out, char type, uint64_t number);

#endif

/*
 * memcached's protocol as both programs see it: a request and a reply, whatever
 * dialect they were written in. Grammar only: no sockets, no storage.
 *
 * A request is a head (contiguous, parsed) and a body (counted, never looked
 * at): a value and its CR LF. All strs point into the bytes that were parsed.
 */
#ifndef COMMON_PROTOCOL_MEMCACHE_H
#define COMMON_PROTOCOL_MEMCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes/str.h"
#include "common/protocol/memcache_commands.h"
#include "common/protocol/message.h"

enum {
    MC_KEY_MAX = 250,
    MC_LINE_MAX = 2048,             /* a line this long without its end is no command, but a
                                       get's or gat's list of keys */
    MC_RETRIEVE_LINE_MAX = 8 << 20, /* ... and this is too long even for those */
    MC_BODY_MAX = (1u << 31) - 1    /* largest value and its CR LF */
};

struct mc_command {
    const char *name;
    uint8_t id; /* enum mc_command_id */
    uint8_t traits;
    uint8_t name_len;
    uint8_t fields[7]; /* enum mc_field, ended by FIELD_END */
};

/* One row per command, indexed by mc_command_id. */
extern const struct mc_command mc_commands[MC_COMMAND_COUNT];

/* What the flags of a meta command say, but for those that a classic one could say, too. */
struct mc_meta {
    uint64_t given; /* a bit for each letter: mc_meta_has */
    uint64_t new_cas, delta, initial;
    int32_t vivify_ttl, recache_ttl;
    char mode;            /* 0: not given */
    bool is_newer;        /* PARSE_BAD, but only for flags that this version does not know */
    struct str token;     /* the key as it was sent */
    char key[MC_KEY_MAX]; /* where a key is that came in base64: keys points here */
};

struct mc_request {
    const struct mc_command *command; /* NULL: no such command */
    struct str keys;                  /* the one key, or all of them with the spaces between */
    struct str rest; /* FIELD_REST: what stands behind the name; FIELD_META: flags */
    size_t head_len; /* the line and its end */
    size_t body_len; /* the value and its CR LF; 0: no body. With PARSE_BAD: bytes to swallow */
    uint32_t flags;
    uint32_t key_count;
    int64_t exptime;     /* as sent, wrapped to 32 bits as memcached does */
    uint64_t number;     /* cas of `cas` and of a meta command, delta of incr and decr */
    bool noreply;        /* with PARSE_BAD: answer nothing */
    const char *error;   /* PARSE_BAD: the protocol's words, without CR LF; NULL: close without
                            a word (a line without end, a line of HTTP) */
    struct mc_meta meta; /* of a meta command; else it is not even zeroed */
};

/* Whether a meta command was given the flag. */
static inline bool mc_meta_has(const struct mc_request *request, char letter)
{
    return request->meta.given >> (letter - 'A') & 1;
}

/*
 * Parses the command line at the front of `in`; the body need not be there.
 * PARSE_MORE: the line's end is missing. PARSE_BAD: see mc_request.error; the
 * request's head_len + body_len bytes are to be skipped.
 */
enum parse mc_text_parse_request(struct str in, struct mc_request *request);

/*
 * The part of it for meta commands: parses what follows the name. `request` is zeroed, but
 * for its command and head_len.
 */
enum parse mc_meta_parse_arguments(struct str arguments, struct mc_request *request);

/* Cuts the next key off `keys`; false when none is left. */
static inline bool mc_key_next(struct str *keys, struct str *key)
{
    *key = str_next_word(keys);
    return key->len != 0;
}

/* True when the body ends as it must. */
static inline bool mc_body_ends_well(struct str body)
{
    return body.len >= 2 && body.data[body.len - 2] == '\r' && body.data[body.len - 1] == '\n';
}

enum mc_status {
    MC_STATUS_VALUE, /* a VALUE line; body_len bytes of value and CR LF follow */
    MC_STATUS_END,
    MC_STATUS_STORED,
    MC_STATUS_NOT_STORED,
    MC_STATUS_EXISTS,
    MC_STATUS_NOT_FOUND,
    MC_STATUS_DELETED,
    MC_STATUS_TOUCHED,
    MC_STATUS_NUMBER, /* of incr and decr */
    MC_STATUS_OK,
    MC_STATUS_VERSION,
    MC_STATUS_MN,
    MC_STATUS_HD, /* of the meta commands, as are those that follow */
    MC_STATUS_VA, /* body_len bytes of value and CR LF follow */
    MC_STATUS_EN,
    MC_STATUS_NS,
    MC_STATUS_EX,
    MC_STATUS_NF,
    MC_STATUS_ME,
    MC_STATUS_ERROR, /* ERROR, CLIENT_ERROR ..., SERVER_ERROR ... */
    MC_STATUS_COUNT
};

struct mc_reply {
    enum mc_status status;
    size_t head_len; /* the line and its CR LF */
    size_t body_len; /* of a VALUE or VA: the value and its CR LF */
    struct str key;  /* of a VALUE */
    struct str rest; /* what stands behind the word of a meta reply, its length included */
    uint32_t flags;
    uint64_t cas;
    bool has_cas;
};

/*
 * Parses one line of a server's reply; a reply to a retrieval is several.
 * Strict: PARSE_BAD for whatever memcached does not send, among it a line without
 * its end in the first MC_LINE_MAX bytes, a bare LF, a key over MC_KEY_MAX, a length
 * over MC_BODY_MAX.
 */
enum parse mc_text_parse_reply(struct str in, struct mc_reply *reply);

/*
 * The short way for the reply that is expected most: the length of a VALUE line for `key`, without
 * a CAS, with its value and CR LF, which need not be there. 0: the line is anything else, or not
 * all there, and to be parsed.
 */
size_t mc_text_value_len(struct str in, struct str key);

/* Whether a reply of `status` can answer the command; errors can answer any. */
bool mc_reply_fits(const struct mc_command *command, enum mc_status status);

/* Room that mc_text_write_value needs for a key of `key_len` bytes. */
#define MC_VALUE_LINE_MAX(key_len) ((size_t)(key_len) + 6 + 1 + 10 + 1 + 10 + 1 + 20 + 2)

/* Writes `VALUE key flags len[ cas]` CR LF at `out`; returns its length. */
size_t mc_text_write_value(char *out, struct str key, uint32_t flags, size_t value_len,
                           const uint64_t *cas);

/*
 * Writes the canonical form of a request's head at `out`, without noreply: one space
 * between words, numbers as parsed, CR LF at the end, keys as they stand. `out` has
 * room for request->head_len + 64 bytes. Returns the length.
 */
size_t mc_text_write_request(char *out, const struct mc_request *request);

/* The same for a meta command, without its flag q; what it does not know stays as it is. */
size_t mc_meta_write_request(char *out, const struct mc_request *request);

/*
 * Writes the reply of a server that does not have the key, nor makes it: EN, NS or NF, with the
 * flags of the request that any reply carries. `out` has head_len + 8 bytes of room. Returns the
 * length.
 */
size_t mc_meta_write_miss(char *out, const struct mc_request *request);

/* The statuses, a bit each, that a meta command's flag q has nobody hear of. */
uint32_t mc_meta_silent(const struct mc_request *request);

#endif

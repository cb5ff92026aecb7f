/*
 * memcached's binary protocol: packets of a header of 24 bytes, extras, key and value.
 * Grammar only. Numbers are in network order on the wire and in ours here.
 */
#ifndef COMMON_PROTOCOL_MEMCACHE_BINARY_H
#define COMMON_PROTOCOL_MEMCACHE_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes/str.h"
#include "common/protocol/message.h"

enum {
    MC_BINARY_HEADER_LEN = 24,
    MC_BINARY_REQUEST = 0x80,
    MC_BINARY_RESPONSE = 0x81,
    MC_BINARY_SMALL_MAX = 16384 /* longest value of what stores nothing */
};

/* What there has to be of the parts of a request. */
enum mc_binary_shape {
    BINARY_KEY = 1,
    BINARY_MAY_KEY = 2,
    BINARY_VALUE = 4, /* or none: an empty one */
    BINARY_QUIET = 8, /* the usual outcome is not answered */
    BINARY_NAMES = 16 /* replies carry the key */
};

/* X(code, operation, length of extras, shape) */
#define MC_BINARY_OPCODES(X)                                                                       \
    X(0x00, GET, 0, BINARY_KEY)                                                                    \
    X(0x01, SET, 8, BINARY_KEY | BINARY_VALUE)                                                     \
    X(0x02, ADD, 8, BINARY_KEY | BINARY_VALUE)                                                     \
    X(0x03, REPLACE, 8, BINARY_KEY | BINARY_VALUE)                                                 \
    X(0x04, DELETE, 0, BINARY_KEY)                                                                 \
    X(0x05, INCREMENT, 20, BINARY_KEY)                                                             \
    X(0x06, DECREMENT, 20, BINARY_KEY)                                                             \
    X(0x07, QUIT, 0, 0)                                                                            \
    X(0x08, FLUSH, BINARY_EXTRAS_0_OR_4, 0)                                                        \
    X(0x09, GET, 0, BINARY_KEY | BINARY_QUIET)                                                     \
    X(0x0a, NOOP, 0, 0)                                                                            \
    X(0x0b, VERSION, 0, 0)                                                                         \
    X(0x0c, GET, 0, BINARY_KEY | BINARY_NAMES)                                                     \
    X(0x0d, GET, 0, BINARY_KEY | BINARY_NAMES | BINARY_QUIET)                                      \
    X(0x0e, APPEND, 0, BINARY_KEY | BINARY_VALUE)                                                  \
    X(0x0f, PREPEND, 0, BINARY_KEY | BINARY_VALUE)                                                 \
    X(0x10, STAT, 0, BINARY_MAY_KEY)                                                               \
    X(0x11, SET, 8, BINARY_KEY | BINARY_VALUE | BINARY_QUIET)                                      \
    X(0x12, ADD, 8, BINARY_KEY | BINARY_VALUE | BINARY_QUIET)                                      \
    X(0x13, REPLACE, 8, BINARY_KEY | BINARY_VALUE | BINARY_QUIET)                                  \
    X(0x14, DELETE, 0, BINARY_KEY | BINARY_QUIET)                                                  \
    X(0x15, INCREMENT, 20, BINARY_KEY | BINARY_QUIET)                                              \
    X(0x16, DECREMENT, 20, BINARY_KEY | BINARY_QUIET)                                              \
    X(0x17, QUIT, 0, BINARY_QUIET)                                                                 \
    X(0x18, FLUSH, BINARY_EXTRAS_0_OR_4, BINARY_QUIET)                                             \
    X(0x19, APPEND, 0, BINARY_KEY | BINARY_VALUE | BINARY_QUIET)                                   \
    X(0x1a, PREPEND, 0, BINARY_KEY | BINARY_VALUE | BINARY_QUIET)                                  \
    X(0x1c, TOUCH, 4, BINARY_KEY)                                                                  \
    X(0x1d, GAT, 4, BINARY_KEY)                                                                    \
    X(0x1e, GAT, 4, BINARY_KEY | BINARY_QUIET)                                                     \
    X(0x20, SASL_LIST, 0, 0)                                                                       \
    X(0x21, SASL_AUTH, 0, BINARY_KEY | BINARY_VALUE)                                               \
    X(0x22, SASL_STEP, 0, BINARY_KEY | BINARY_VALUE)                                               \
    X(0x23, GAT, 4, BINARY_KEY | BINARY_NAMES)                                                     \
    X(0x24, GAT, 4, BINARY_KEY | BINARY_NAMES | BINARY_QUIET)

enum { BINARY_EXTRAS_0_OR_4 = 255 };

enum mc_binary_operation {
    BINARY_UNKNOWN,
    BINARY_GET,
    BINARY_SET,
    BINARY_ADD,
    BINARY_REPLACE,
    BINARY_DELETE,
    BINARY_INCREMENT,
    BINARY_DECREMENT,
    BINARY_QUIT,
    BINARY_FLUSH,
    BINARY_NOOP,
    BINARY_VERSION,
    BINARY_APPEND,
    BINARY_PREPEND,
    BINARY_STAT,
    BINARY_TOUCH,
    BINARY_GAT,
    BINARY_SASL_LIST,
    BINARY_SASL_AUTH,
    BINARY_SASL_STEP,
    BINARY_OPERATION_COUNT
};

enum mc_binary_status {
    BINARY_OK = 0,
    BINARY_NOT_FOUND = 1,
    BINARY_EXISTS = 2,
    BINARY_TOO_LARGE = 3,
    BINARY_INVALID = 4,
    BINARY_NOT_STORED = 5,
    BINARY_NOT_A_NUMBER = 6,
    BINARY_AUTH_FAILURE = 0x20,
    BINARY_AUTH_CONTINUE = 0x21,
    BINARY_NO_SUCH_COMMAND = 0x81,
    BINARY_OUT_OF_MEMORY = 0x82,
    BINARY_INTERNAL_ERROR = 0x84 /* a proxy's: what went wrong stands in the body */
};

struct mc_binary_request {
    uint8_t code;      /* as sent */
    uint8_t operation; /* enum mc_binary_operation */
    uint8_t shape;     /* enum mc_binary_shape */
    bool has_exptime;
    uint32_t opaque; /* as sent, never looked at */
    struct str key;
    uint32_t flags, exptime;
    uint64_t cas, delta, initial;
    size_t head_len; /* header, extras and key */
    size_t body_len; /* the value */
    /* PARSE_BAD: to be answered before the connection is closed; BINARY_OK: nothing is. */
    enum mc_binary_status error;
};

/*
 * Parses the packet at the front of `in`; its value need not be there. An unknown command
 * is a request, too: all of its body is its value. PARSE_BAD: nothing can be trusted from
 * here on.
 */
enum parse mc_binary_parse_request(struct str in, struct mc_binary_request *request);

/* Writes the header of a reply at `out`, which has MC_BINARY_HEADER_LEN bytes of room. */
void mc_binary_write_header(char *out, const struct mc_binary_request *request,
                            enum mc_binary_status status, size_t extras_len, size_t key_len,
                            size_t value_len, uint64_t cas);

/* What memcached says of a status, for the body of its reply. */
struct str mc_binary_status_text(enum mc_binary_status status);

#endif

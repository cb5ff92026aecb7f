/*
 * What a command may see of its caller: where the reply goes, the thread's part of
 * the store, the numbers it counts. It knows no socket.
 */
#ifndef CACHENODE_SESSION_H
#define CACHENODE_SESSION_H

#include "cachenode/prefixes.h"
#include "cachenode/store/store.h"
#include "common/bytes/chain.h"
#include "common/metric/metric.h"

struct stats_source;

/* What a worker counts, in memcached's words. */
#define WORKER_METRICS(X)                                                                          \
    X(cmd_get, COUNTER, "keys asked for by get")                                                   \
    X(cmd_set, COUNTER, "storage commands")                                                        \
    X(cmd_flush, COUNTER, "flush_all commands")                                                    \
    X(cmd_touch, COUNTER, "keys touched")                                                          \
    X(cmd_meta, COUNTER, "me commands")                                                            \
    X(get_hits, COUNTER, "keys found by get")                                                      \
    X(get_misses, COUNTER, "keys not found by get")                                                \
    X(delete_misses, COUNTER, "deletes of what was not there")                                     \
    X(delete_hits, COUNTER, "deletes of what was there")                                           \
    X(incr_misses, COUNTER, "increments of what was not there")                                    \
    X(incr_hits, COUNTER, "increments done")                                                       \
    X(decr_misses, COUNTER, "decrements of what was not there")                                    \
    X(decr_hits, COUNTER, "decrements done")                                                       \
    X(cas_misses, COUNTER, "cas of what was not there")                                            \
    X(cas_hits, COUNTER, "cas that stored")                                                        \
    X(cas_badval, COUNTER, "cas of what had changed")                                              \
    X(touch_hits, COUNTER, "touches of what was there")                                            \
    X(touch_misses, COUNTER, "touches of what was not there")                                      \
    X(bytes_read, COUNTER, "bytes that clients sent")                                              \
    X(bytes_written, COUNTER, "bytes sent to clients")                                             \
    X(idle_kicks, COUNTER, "clients closed for saying nothing")                                    \
    X(auth_cmds, COUNTER, "attempts to authenticate")                                              \
    X(auth_errors, COUNTER, "attempts that failed")                                                \
    X(conn_yields, COUNTER, "times a client had to let others go first")                           \
    X(curr_connections, GAUGE, "clients connected")

struct worker_metrics {
    WORKER_METRICS(METRIC_FIELD)
};

/* What follows the answer to a command, as fast as the client reads: a dump of keys; or, from
 * then on and for good, what happens. */
enum sequel { SEQUEL_NONE, SEQUEL_METADATA, SEQUEL_KEYS, SEQUEL_EVENTS };

/* Slab classes by their numbers. */
struct class_set {
    uint64_t bits[SLAB_CLASS_MAX / 64];
};

struct session {
    struct chain *out;
    int fd; /* the client's, to know him in a list */
    struct store_user *user;
    struct worker_metrics *metrics;
    const struct stats_source *source;
    struct prefixes *prefixes; /* to count keys by prefix; NULL: nobody wants that */
    bool *is_authenticated;    /* the client's; of meaning with -S or -Y alone */
    bool *sasl_started;
    bool wants_close; /* quit, or no memory for a reply: close when all is written */
    enum sequel sequel;
    struct class_set dump_classes; /* with SEQUEL_METADATA, SEQUEL_KEYS */
    uint32_t watched;              /* with SEQUEL_EVENTS: which, bits */
};

/* Counts the key by its prefix, if that is wanted. */
static inline void session_note_key(struct session *session, struct str key, enum prefix_count what)
{
    if (__builtin_expect(session->prefixes != NULL, 0))
        prefixes_note(session->prefixes, key, what);
}

static inline void session_note_get(struct session *session, struct str key, bool is_hit)
{
    if (__builtin_expect(session->prefixes != NULL, 0))
        prefixes_note_get(session->prefixes, key, is_hit);
}

/* Appends a whole reply, or a part. Out of memory, the session is closed. */
static inline void session_reply(struct session *session, struct str text)
{
    if (!chain_copy(session->out, text))
        session->wants_close = true;
}

/* Appends a line: `text` and CR LF. */
static inline void session_reply_line(struct session *session, const char *text)
{
    session_reply(session, str_of(text));
    session_reply(session, STR("\r\n"));
}

#endif

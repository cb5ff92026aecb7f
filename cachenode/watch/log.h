/*
 * What happens in a thread, noted for those who watch the node: a ring of records that the
 * thread alone writes and the watch thread alone reads, so that neither waits for the other.
 * What does not fit is dropped and counted. Where nobody watches, asking costs one load.
 */
#ifndef CACHENODE_WATCH_LOG_H
#define CACHENODE_WATCH_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/bytes/str.h"
#include "common/net/addr.h"

/* What may be asked for, in the words of the command. Of the last four nothing ever comes:
 * they are of memcached's proxy. */
#define WATCH_WORDS(X)                                                                             \
    X(FETCHERS, "fetchers")                                                                        \
    X(MUTATIONS, "mutations")                                                                      \
    X(EVICTIONS, "evictions")                                                                      \
    X(DELETIONS, "deletions")                                                                      \
    X(CONNEVENTS, "connevents")                                                                    \
    X(SYSEVENTS, "sysevents")                                                                      \
    X(RAWCMDS, "rawcmds")                                                                          \
    X(PROXYREQS, "proxyreqs")                                                                      \
    X(PROXYEVENTS, "proxyevents")                                                                  \
    X(PROXYUSER, "proxyuser")

#define WATCH_WORD_INDEX(id, text) WATCH_WORD_##id,
enum watch_word { WATCH_WORDS(WATCH_WORD_INDEX) WATCH_WORD_COUNT };

/* The words as bits. */
#define WATCH_WORD_BIT(id, text) WATCH_##id = 1 << WATCH_WORD_##id,
enum { WATCH_WORDS(WATCH_WORD_BIT) };

/* X(id, name in its lines, the word that asks for it) */
#define WATCH_EVENTS(X)                                                                            \
    X(ITEM_GET, "item_get", FETCHERS)                                                              \
    X(ITEM_STORE, "item_store", MUTATIONS)                                                         \
    X(EVICTION, "eviction", EVICTIONS)                                                             \
    X(DELETED, "deleted", DELETIONS)                                                               \
    X(CONN_NEW, "conn_new", CONNEVENTS)                                                            \
    X(CONN_CLOSE, "conn_close", CONNEVENTS)                                                        \
    X(LRU_CRAWLER, "lru_crawler", SYSEVENTS)                                                       \
    X(SLAB_MOVE, "slab_move", SYSEVENTS)

#define WATCH_EVENT_INDEX(id, name, word) WATCH_EVENT_##id,
enum watch_event_type { WATCH_EVENTS(WATCH_EVENT_INDEX) WATCH_EVENT_COUNT };

enum watch_status {
    WATCH_FOUND,
    WATCH_NOT_FOUND,
    WATCH_FLUSHED,
    WATCH_EXPIRED,
    WATCH_STORED,
    WATCH_NOT_STORED,
    WATCH_EXISTS,
    WATCH_TOO_LARGE,
    WATCH_NO_MEMORY
};

/* By which command. */
enum watch_command {
    WATCH_BY_SET,
    WATCH_BY_ADD,
    WATCH_BY_REPLACE,
    WATCH_BY_APPEND,
    WATCH_BY_PREPEND,
    WATCH_BY_CAS,
    WATCH_BY_DELETE,
    WATCH_BY_MD
};

enum { WATCH_TEXT_MAX = 255, WATCH_LINE_MAX = 3 * WATCH_TEXT_MAX + 256 };

/* What happened. Those of items fill in what their lines show; the others have it all in the
 * text. */
struct watch_event {
    uint8_t type, status, command; /* enums above */
    uint8_t class_id;
    bool was_fetched;
    uint32_t value_len;
    uint32_t idle_s;
    int64_t ttl_s;
    struct str text; /* the key; or the line's rest */
};

struct watch_record {
    uint64_t number; /* of all threads' records: which came first */
    int64_t at_us;   /* since 1970 */
    int client_fd;
    struct watch_event event;
};

struct watch_log {
    uint32_t wanted;   /* atomic; bits of what somebody watches */
    int client_fd;     /* whom its thread is working for */
    uint64_t *numbers; /* atomic; the last number given to a record, by whatever thread */
    char *ring;
    size_t size;
    uint64_t written;        /* atomic; bytes, of its thread alone */
    uint64_t noted, dropped; /* atomic; records */
    struct list link;        /* among the watch's */
    char apart[64];          /* what follows is the watch thread's alone */
    uint64_t read;           /* atomic; bytes */
    uint64_t until;          /* what of them is to be read in this round */
    bool has_head;           /* the next record is in `head`, its text in head_text */
    struct watch_record head;
    char head_text[WATCH_TEXT_MAX];
};

/* Makes a log of `size` bytes; a zeroed one without that wants nothing. False: out of memory. */
bool watch_log_open(struct watch_log *log, size_t size, uint64_t *numbers);
void watch_log_close(struct watch_log *log);

/* Whether any of the words, as bits, is watched. */
static inline bool watch_wants(const struct watch_log *log, uint32_t words)
{
    return __builtin_expect((__atomic_load_n(&log->wanted, __ATOMIC_RELAXED) & words) != 0, 0);
}

/* Notes an event that is watched. From the log's thread. */
void watch_note(struct watch_log *log, const struct watch_event *event);

/* The same with a text that is made here, if it is watched. */
void watch_note_text(struct watch_log *log, enum watch_event_type type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, of a client that comes, or goes for a reason; `peer` NULL: unknown. */
void watch_note_conn(struct watch_log *log, enum watch_event_type type, const struct addr *peer,
                     const char *reason);

/* --- for the watch thread --- */

/* Begins a round, which ends with what is there now; returns how many bytes that is. */
size_t watch_log_begin(struct watch_log *log);

/* The oldest record left in this round, until watch_log_pop; NULL: there is none. */
const struct watch_record *watch_log_head(struct watch_log *log);
void watch_log_pop(struct watch_log *log);

/* Which word asks for records of this type, as a bit. */
uint32_t watch_word_of(enum watch_event_type type);

/* The bit of a word; 0: there is no such word. */
uint32_t watch_word_bit(struct str word);

/* Writes the record's line, with its end; returns its length. */
size_t watch_format(const struct watch_record *record, char line[WATCH_LINE_MAX]);

#endif

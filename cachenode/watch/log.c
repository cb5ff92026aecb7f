#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cachenode/watch/log.h"
#include "common/base/clock.h"
#include "common/bytes/uri.h"
#include "common/metric/metric.h"

/* --- the words --- */

#define WORD_TEXT(id, text)        [WATCH_WORD_##id] = text,
#define EVENT_NAME(id, name, word) [WATCH_EVENT_##id] = name,
#define EVENT_WORD(id, name, word) [WATCH_EVENT_##id] = WATCH_##word,

static const char *const words[] = {WATCH_WORDS(WORD_TEXT)};
static const char *const event_names[] = {WATCH_EVENTS(EVENT_NAME)};
static const uint32_t event_words[] = {WATCH_EVENTS(EVENT_WORD)};

static const char *const status_names[] = {
    [WATCH_FOUND] = "found",     [WATCH_NOT_FOUND] = "not_found", [WATCH_FLUSHED] = "flushed",
    [WATCH_EXPIRED] = "expired", [WATCH_STORED] = "stored",       [WATCH_NOT_STORED] = "not_stored",
    [WATCH_EXISTS] = "exists",   [WATCH_TOO_LARGE] = "too_large", [WATCH_NO_MEMORY] = "no_memory",
};

static const char *const command_names[] = {
    [WATCH_BY_SET] = "set",       [WATCH_BY_ADD] = "add",         [WATCH_BY_REPLACE] = "replace",
    [WATCH_BY_APPEND] = "append", [WATCH_BY_PREPEND] = "prepend", [WATCH_BY_CAS] = "cas",
    [WATCH_BY_DELETE] = "delete", [WATCH_BY_MD] = "md",
};

uint32_t watch_word_of(enum watch_event_type type)
{
    return event_words[type];
}

uint32_t watch_word_bit(struct str word)
{
    for (unsigned i = 0; i < WATCH_WORD_COUNT; i++) {
        if (str_equal(word, str_of(words[i])))
            return 1u << i;
    }
    return 0;
}

/* --- the ring --- */

bool watch_log_open(struct watch_log *log, size_t size, uint64_t *numbers)
{
    *log = (struct watch_log){.ring = malloc(size), .size = size, .numbers = numbers};
    list_init(&log->link);
    return log->ring != NULL;
}

void watch_log_close(struct watch_log *log)
{
    free(log->ring);
    log->ring = NULL;
}

/* Bytes of the ring from `at` on that lie in one piece, of `len`. */
static size_t piece_len(const struct watch_log *log, uint64_t at, size_t len)
{
    size_t left = log->size - (size_t)(at % log->size);

    return len < left ? len : left;
}

static void ring_put(struct watch_log *log, uint64_t at, const void *bytes, size_t len)
{
    size_t first = piece_len(log, at, len);

    memcpy(log->ring + at % log->size, bytes, first);
    memcpy(log->ring, (const char *)bytes + first, len - first);
}

static void ring_get(const struct watch_log *log, uint64_t at, void *bytes, size_t len)
{
    size_t first = piece_len(log, at, len);

    memcpy(bytes, log->ring + at % log->size, first);
    memcpy((char *)bytes + first, log->ring, len - first);
}

static size_t record_size(const struct watch_record *record)
{
    return sizeof(*record) + record->event.text.len;
}

/* --- noting --- */

void watch_note(struct watch_log *log, const struct watch_event *event)
{
    struct watch_record record = {.client_fd = log->client_fd, .event = *event};
    uint64_t end = log->written + record_size(&record);

    if (end - __atomic_load_n(&log->read, __ATOMIC_ACQUIRE) > log->size) {
        metric_add(&log->dropped, 1);
        return;
    }
    record.number = __atomic_add_fetch(log->numbers, 1, __ATOMIC_RELAXED);
    record.at_us = clock_wall_us();
    ring_put(log, log->written, &record, sizeof(record));
    ring_put(log, log->written + sizeof(record), event->text.data, event->text.len);
    __atomic_store_n(&log->written, end, __ATOMIC_RELEASE);
    metric_add(&log->noted, 1);
}

void watch_note_text(struct watch_log *log, enum watch_event_type type, const char *format, ...)
{
    struct watch_event event = {.type = (uint8_t)type};
    char text[WATCH_TEXT_MAX + 1];
    va_list args;
    int len;

    if (!watch_wants(log, watch_word_of(type)))
        return;
    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    event.text = (struct str){text, len <= WATCH_TEXT_MAX ? (size_t)len : WATCH_TEXT_MAX};
    watch_note(log, &event);
}

/* Cuts an address's text, "1.2.3.4:5" or "[::1]:5", in two; a unix socket's has no port. */
static const char *cut_address(char text[ADDR_TEXT_MAX], const char **port)
{
    char *colon = strrchr(text, ':');

    *port = "0";
    if (colon == NULL)
        return text;
    *port = colon + 1;
    *colon = '\0';
    if (text[0] != '[')
        return text;
    colon[-1] = '\0';
    return text + 1;
}

void watch_note_conn(struct watch_log *log, enum watch_event_type type, const struct addr *peer,
                     const char *reason)
{
    bool is_local = peer != NULL && peer->family == AF_UNIX;
    char text[ADDR_TEXT_MAX] = "unknown";
    const char *host = "unix", *port = "0";

    if (peer != NULL && !is_local)
        addr_format(peer, text);
    if (!is_local)
        host = cut_address(text, &port);
    watch_note_text(log, type, "rip=%s rport=%s transport=%s%s%s cfd=%d", host, port,
                    is_local ? "local" : "tcp", reason != NULL ? " reason=" : "",
                    reason != NULL ? reason : "", log->client_fd);
}

/* --- reading --- */

size_t watch_log_begin(struct watch_log *log)
{
    log->until = __atomic_load_n(&log->written, __ATOMIC_ACQUIRE);
    return (size_t)(log->until - log->read);
}

const struct watch_record *watch_log_head(struct watch_log *log)
{
    if (log->has_head)
        return &log->head;
    if (log->read == log->until)
        return NULL;
    ring_get(log, log->read, &log->head, sizeof(log->head));
    ring_get(log, log->read + sizeof(log->head), log->head_text, log->head.event.text.len);
    log->head.event.text.data = log->head_text;
    log->has_head = true;
    return &log->head;
}

void watch_log_pop(struct watch_log *log)
{
    __atomic_store_n(&log->read, log->read + record_size(&log->head), __ATOMIC_RELEASE);
    log->has_head = false;
}

/* --- lines --- */

typedef int line_format(char *p, size_t room, const struct watch_record *record);

static int format_get(char *p, size_t room, const struct watch_record *record)
{
    const struct watch_event *event = &record->event;

    return snprintf(p, room, " status=%s clsid=%u cfd=%d size=%u\n", status_names[event->status],
                    event->class_id, record->client_fd, event->value_len);
}

static int format_store(char *p, size_t room, const struct watch_record *record)
{
    const struct watch_event *event = &record->event;

    return snprintf(p, room, " status=%s cmd=%s ttl=%" PRId64 " clsid=%u cfd=%d size=%u\n",
                    status_names[event->status], command_names[event->command], event->ttl_s,
                    event->class_id, record->client_fd, event->value_len);
}

static int format_eviction(char *p, size_t room, const struct watch_record *record)
{
    const struct watch_event *event = &record->event;

    return snprintf(p, room, " fetch=%s ttl=%" PRId64 " la=%u clsid=%u size=%u\n",
                    event->was_fetched ? "yes" : "no", event->ttl_s, event->idle_s, event->class_id,
                    event->value_len);
}

static int format_deleted(char *p, size_t room, const struct watch_record *record)
{
    const struct watch_event *event = &record->event;

    return snprintf(p, room, " cmd=%s clsid=%u size=%u\n", command_names[event->command],
                    event->class_id, event->value_len);
}

/* What follows the key; NULL: there is no key, the text is the rest of the line. */
static line_format *const formats[WATCH_EVENT_COUNT] = {
    [WATCH_EVENT_ITEM_GET] = format_get,
    [WATCH_EVENT_ITEM_STORE] = format_store,
    [WATCH_EVENT_EVICTION] = format_eviction,
    [WATCH_EVENT_DELETED] = format_deleted,
};

size_t watch_format(const struct watch_record *record, char line[WATCH_LINE_MAX])
{
    const struct watch_event *event = &record->event;
    line_format *format = formats[event->type];
    char *p = line;

    /* memcached leaves the zeroes out before the microseconds: its times jump to and fro. */
    p +=
        sprintf(p, "ts=%" PRId64 ".%06" PRId64 " gid=%" PRIu64 " type=%s ", record->at_us / 1000000,
                record->at_us % 1000000, record->number, event_names[event->type]);
    if (format == NULL) {
        memcpy(p, event->text.data, event->text.len);
        p += event->text.len;
        *p++ = '\n';
        return (size_t)(p - line);
    }
    memcpy(p, "key=", 4);
    p += 4;
    p += uri_encode(p, event->text);
    p += format(p, (size_t)(line + WATCH_LINE_MAX - p), record);
    return (size_t)(p - line);
}

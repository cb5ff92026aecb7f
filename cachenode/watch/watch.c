/*
 * From top to bottom: lines to watchers, a round of reading, watchers' coming and going, the
 * thread, what others may ask.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cachenode/locks.h"
#include "cachenode/watch/watch.h"
#include "common/base/lock.h"
#include "common/base/log.h"
#include "common/base/thread.h"
#include "common/metric/metric.h"
#include "common/net/conn.h"

/* Logs are looked at so often while somebody watches: at once again when one of them is
 * filling, else after a pause that grows while nothing happens. */
enum { PAUSE_MIN_US = 1000, PAUSE_MAX_US = 16 * 1000, FILLING_PART = 4 };

/* Records read in one go, so that who asks for numbers does not wait for long. */
enum { READ_AT_ONCE = 64 };

struct watch {
    struct watch_options options;
    struct loop loop;
    struct loop_timer timer;
    uint64_t pause_us;
    uint64_t numbers;     /* atomic */
    uint32_t place_count; /* atomic; watchers there are, or will be */
    uint64_t sent, skipped;
    struct watch_log log; /* the watch thread's own */
    pthread_t thread;
    struct lock lock;     /* guards what follows */
    struct list logs;     /* struct watch_log */
    struct list watchers; /* the watch thread's own to change */
};

struct watcher {
    struct conn conn;
    struct watch *watch;
    struct list link;
    uint32_t words;
    uint32_t skipped; /* lines since the last one that he was sent */
    int fd;
    struct addr *peer;
    struct loop_post post; /* on his way here */
};

/* --- lines --- */

static bool has_room(const struct watcher *watcher, size_t len)
{
    return watcher->conn.out.len + len <= watcher->watch->options.watcher_bytes;
}

static bool tell(struct watcher *watcher, struct str line)
{
    if (!has_room(watcher, line.len) || !chain_copy(&watcher->conn.out, line))
        return false;
    conn_flush_later(&watcher->conn);
    return true;
}

/* Tells how many lines were left out, if any were. */
static bool tell_skipped(struct watcher *watcher)
{
    char line[32];
    int len;

    if (watcher->skipped == 0)
        return true;
    len = snprintf(line, sizeof(line), "skipped=%u\n", watcher->skipped);
    if (!tell(watcher, (struct str){line, (size_t)len}))
        return false;
    watcher->skipped = 0;
    return true;
}

static void tell_record(struct watch *watch, const struct watch_record *record)
{
    uint32_t word = watch_word_of(record->event.type);
    char text[WATCH_LINE_MAX];
    struct str line = {text, 0};

    LIST_EACH (&watch->watchers, each, after) {
        struct watcher *watcher = container_of(each, struct watcher, link);

        if ((watcher->words & word) == 0)
            continue;
        if (line.len == 0)
            line.len = watch_format(record, text);
        if (tell_skipped(watcher) && tell(watcher, line)) {
            metric_add(&watch->sent, 1);
        } else {
            watcher->skipped++;
            metric_add(&watch->skipped, 1);
        }
    }
}

/* --- a round --- */

static struct watch_log *oldest(struct watch *watch)
{
    struct watch_log *first = NULL;
    uint64_t number = UINT64_MAX;

    LIST_EACH (&watch->logs, each, after) {
        struct watch_log *log = container_of(each, struct watch_log, link);
        const struct watch_record *head = watch_log_head(log);

        if (head != NULL && head->number < number) {
            first = log;
            number = head->number;
        }
    }
    return first;
}

/* Begins a round; returns how many bytes are in the fullest log. */
static size_t begin_round(struct watch *watch)
{
    size_t most = 0;

    lock_take(&watch->lock);
    LIST_EACH (&watch->logs, each, after) {
        size_t len = watch_log_begin(container_of(each, struct watch_log, link));

        most = len > most ? len : most;
    }
    lock_give(&watch->lock);
    return most;
}

/* Reads a few records; false: the round is over. */
static bool read_some(struct watch *watch)
{
    struct watch_log *log = NULL;

    lock_take(&watch->lock);
    for (unsigned i = 0; i < READ_AT_ONCE && (log = oldest(watch)) != NULL; i++) {
        tell_record(watch, watch_log_head(log));
        watch_log_pop(log);
    }
    lock_give(&watch->lock);
    return log != NULL;
}

/* Reads all that is in the logs now, and sets the pause before the next round. */
static void read_logs(struct watch *watch)
{
    size_t most = begin_round(watch);

    while (read_some(watch))
        ;
    if (most > watch->options.log_bytes / FILLING_PART)
        watch->pause_us = 0;
    else if (most != 0 || watch->pause_us == 0)
        watch->pause_us = PAUSE_MIN_US;
    else if (watch->pause_us < PAUSE_MAX_US)
        watch->pause_us *= 2;
}

static void look(struct loop_timer *timer)
{
    struct watch *watch = container_of(timer, struct watch, timer);

    read_logs(watch);
    LIST_EACH (&watch->watchers, each, after)
        tell_skipped(container_of(each, struct watcher, link));
    if (!list_is_empty(&watch->watchers))
        loop_timer_set(&watch->timer, watch->pause_us);
}

/* --- watchers --- */

/* Has all threads note what is watched now, and nothing else. */
static void want(struct watch *watch)
{
    uint32_t words = 0;

    LIST_EACH (&watch->watchers, each, after)
        words |= container_of(each, struct watcher, link)->words;
    LIST_EACH (&watch->logs, each, after)
        __atomic_store_n(&container_of(each, struct watch_log, link)->wanted, words,
                         __ATOMIC_RELAXED);
}

/* Whatever a watcher says is not heard. */
static size_t watcher_input(struct conn *conn, struct str in)
{
    (void)conn;
    return in.len;
}

static void watcher_free(struct watcher *watcher)
{
    struct watch *watch = watcher->watch;

    watch->options.gone(watch->options.node);
    watch_dismiss(watch);
    free(watcher->peer);
    free(watcher);
}

static void watcher_closed(struct conn *conn)
{
    struct watcher *watcher = container_of(conn, struct watcher, conn);
    struct watch *watch = watcher->watch;

    watch->log.client_fd = watcher->fd;
    watch_note_conn(&watch->log, WATCH_EVENT_CONN_CLOSE, watcher->peer,
                    conn->end == CONN_END_ERROR ? "error" : "normal");
    lock_take(&watch->lock);
    list_remove(&watcher->link);
    want(watch);
    lock_give(&watch->lock);
    if (list_is_empty(&watch->watchers))
        loop_timer_clear(&watch->timer);
    watcher_free(watcher);
}

static const struct conn_ops watcher_ops = {.input = watcher_input, .closed = watcher_closed};

static void watcher_arrived(struct loop_post *post)
{
    struct watcher *watcher = container_of(post, struct watcher, post);
    struct watch *watch = watcher->watch;

    /* What was noted for those before him is none of his concern. */
    read_logs(watch);
    lock_take(&watch->lock);
    list_append(&watch->watchers, &watcher->link);
    want(watch);
    lock_give(&watch->lock);
    conn_open(&watcher->conn, &watch->loop, watcher->fd, &watcher_ops);
    if (!tell(watcher, STR("OK\r\n")))
        conn_close(&watcher->conn);
    watch->pause_us = PAUSE_MIN_US;
    loop_timer_set(&watch->timer, watch->pause_us);
}

bool watch_admit(struct watch *watch)
{
    if (__atomic_fetch_add(&watch->place_count, 1, __ATOMIC_RELAXED) < WATCHERS_MAX)
        return true;
    watch_dismiss(watch);
    return false;
}

void watch_dismiss(struct watch *watch)
{
    __atomic_fetch_sub(&watch->place_count, 1, __ATOMIC_RELAXED);
}

bool watch_enter(struct watch *watch, int fd, uint32_t words, struct addr *peer)
{
    struct watcher *watcher = malloc(sizeof(*watcher));

    if (watcher == NULL)
        return false;
    *watcher = (struct watcher){
        .watch = watch, .words = words, .fd = fd, .peer = peer, .post.run = watcher_arrived};
    list_init(&watcher->link);
    loop_post(&watch->loop, &watcher->post);
    return true;
}

/* --- the thread --- */

static void *watch_run(void *arg)
{
    struct watch *watch = arg;

    loop_run(&watch->loop);
    LIST_EACH (&watch->watchers, each, after)
        conn_end(&container_of(each, struct watcher, link)->conn);
    chain_trim();
    return NULL;
}

struct watch *watch_start(const struct watch_options *options)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->options = *options;
    list_init(&watch->logs);
    list_init(&watch->watchers);
    lock_init(&watch->lock, LOCK_watch);
    if (!loop_open(&watch->loop)) {
        free(watch);
        return NULL;
    }
    loop_timer_init(&watch->loop, &watch->timer, look);
    if (!watch_add_log(watch, &watch->log) || !thread_start(&watch->thread, watch_run, watch)) {
        watch_log_close(&watch->log);
        loop_close(&watch->loop);
        free(watch);
        return NULL;
    }
    return watch;
}

void watch_stop(struct watch *watch)
{
    loop_stop(&watch->loop);
    pthread_join(watch->thread, NULL);
    /* Who was handed over and never arrived. */
    LIST_EACH (&watch->loop.posts, each, after) {
        struct watcher *watcher =
            container_of(container_of(each, struct loop_post, link), struct watcher, post);

        list_remove(each);
        close(watcher->fd);
        watcher_free(watcher);
    }
    loop_timer_clear(&watch->timer);
    watch_log_close(&watch->log);
    loop_close(&watch->loop);
    free(watch);
}

/* --- logs and numbers --- */

bool watch_add_log(struct watch *watch, struct watch_log *log)
{
    if (!watch_log_open(log, watch->options.log_bytes, &watch->numbers))
        return false;
    lock_take(&watch->lock);
    list_append(&watch->logs, &log->link);
    want(watch);
    lock_give(&watch->lock);
    return true;
}

void watch_remove_log(struct watch *watch, struct watch_log *log)
{
    lock_take(&watch->lock);
    list_remove(&log->link);
    lock_give(&watch->lock);
    watch_log_close(log);
}

void watch_visit(struct watch *watch, void (*visit)(void *arg, int fd), void *arg)
{
    lock_take(&watch->lock);
    LIST_EACH (&watch->watchers, each, after)
        visit(arg, container_of(each, struct watcher, link)->fd);
    lock_give(&watch->lock);
}

void watch_totals(struct watch *watch, struct watch_totals *totals)
{
    *totals = (struct watch_totals){
        .sent = metric_get(&watch->sent),
        .skipped = metric_get(&watch->skipped),
        .watchers = __atomic_load_n(&watch->place_count, __ATOMIC_RELAXED),
    };
    lock_take(&watch->lock);
    LIST_EACH (&watch->logs, each, after) {
        const struct watch_log *log = container_of(each, struct watch_log, link);

        totals->noted += metric_get(&log->noted);
        totals->dropped += metric_get(&log->dropped);
    }
    lock_give(&watch->lock);
}

void watch_reset(struct watch *watch)
{
    metric_zero(&watch->sent, 1);
    metric_zero(&watch->skipped, 1);
    lock_take(&watch->lock);
    LIST_EACH (&watch->logs, each, after) {
        struct watch_log *log = container_of(each, struct watch_log, link);

        metric_zero(&log->noted, 1);
        metric_zero(&log->dropped, 1);
    }
    lock_give(&watch->lock);
}

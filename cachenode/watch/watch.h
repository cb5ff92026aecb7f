/*
 * The thread that serves watchers: reads all threads' logs, oldest record first, makes lines
 * of them and sends each watcher those that he asked for. A watcher who does not read loses
 * lines and is told how many; nobody else notices.
 */
#ifndef CACHENODE_WATCH_WATCH_H
#define CACHENODE_WATCH_WATCH_H

#include "cachenode/watch/log.h"

struct watch;

enum { WATCHERS_MAX = 20 };

struct watch_options {
    size_t log_bytes, watcher_bytes; /* that wait to be read, and to be sent */
    /* A watcher is gone. In the watch thread. */
    void (*gone)(void *node);
    void *node;
};

/* Starts the thread; NULL when the system has no more to give. */
struct watch *watch_start(const struct watch_options *options);

/* Ends it and closes its watchers. All other threads' logs are closed by then. */
void watch_stop(struct watch *watch);

/* Makes a log and has it read. Before its thread starts, or after that has ended. */
bool watch_add_log(struct watch *watch, struct watch_log *log);
void watch_remove_log(struct watch *watch, struct watch_log *log);

/* Takes a watcher's place, which watch_enter fills or watch_dismiss gives back; false: there
 * are too many already. From any thread. */
bool watch_admit(struct watch *watch);
void watch_dismiss(struct watch *watch);

/* Hands over the connected socket `fd`, who is told OK and from then on what happens of
 * `words`, bits. Takes over `peer`, allocated; NULL: unknown. From any thread; false: out of
 * memory, all stays the caller's. */
bool watch_enter(struct watch *watch, int fd, uint32_t words, struct addr *peer);

/* Shows the watchers' sockets; from any thread. */
void watch_visit(struct watch *watch, void (*visit)(void *arg, int fd), void *arg);

struct watch_totals {
    uint64_t noted, dropped; /* records, by the threads that made them */
    uint64_t sent, skipped;  /* lines, for each watcher */
    uint64_t watchers;
};
void watch_totals(struct watch *watch, struct watch_totals *totals);
void watch_reset(struct watch *watch);

#endif

/*
 * The log: one line per event, to stderr or a file, at levels with nutcracker's
 * numbers. A line is one write; what a peer can provoke is rate-limited per
 * call site with log_limited.
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_EMERGENCY,
    LOG_ALERT,
    LOG_CRITICAL,
    LOG_ERROR,
    LOG_WARNING,
    LOG_NOTICE,
    LOG_INFO,
    LOG_DEBUG,
    LOG_LEVEL_MAX = 11
};

/* Sends the log to `path`, appended to and created if need be; NULL is stderr.
 * Borrows `path` for good. Returns false with errno set; the log is then as before. */
bool log_open(const char *path);

/* Closes and opens the file again, for log rotation. */
void log_reopen(void);

/* Sets the level up to which lines are written, clamped to 0..LOG_LEVEL_MAX. */
void log_set_level(int level);
int log_get_level(void);

static inline bool log_wants(enum log_level level)
{
    extern int log_level_now;

    return (int)level <= __atomic_load_n(&log_level_now, __ATOMIC_RELAXED);
}

/* Writes one line if the level is wanted; errno is kept. Use the macros. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lines that were lost because they could not be written at once. */
uint64_t log_dropped(void);

/* True at most `per_s` times a second for the call site that owns `state`. */
struct log_limit {
    uint64_t second;
    unsigned count;
};
bool log_allowed(struct log_limit *limit, unsigned per_s);

#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)

/* At most five lines a second from this place, per thread. */
#define log_limited(level, ...)                                                                    \
    do {                                                                                           \
        static _Thread_local struct log_limit log_limit_;                                          \
        if (log_wants(level) && log_allowed(&log_limit_, 5))                                       \
            log_write(level, __VA_ARGS__);                                                         \
    } while (0)

#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"

int log_level_now = LOG_NOTICE;
static int log_fd = STDERR_FILENO;
static const char *log_path;
static uint64_t log_dropped_count;

static const char *const level_names[] = {"emergency", "alert",  "critical", "error",
                                          "warning",   "notice", "info",     "debug"};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

bool log_open(const char *path)
{
    int fd = path == NULL ? STDERR_FILENO : open_file(path);

    if (fd < 0)
        return false;
    log_path = path;
    __atomic_store_n(&log_fd, fd, __ATOMIC_RELEASE);
    return true;
}

void log_reopen(void)
{
    int fd;

    if (log_path == NULL)
        return;
    fd = open_file(log_path);
    if (fd < 0) {
        log_error("log file '%s' cannot be opened again: %s", log_path, strerror(errno));
        return;
    }
    /* Other threads may be writing: the number stays, the file behind it changes. */
    dup3(fd, __atomic_load_n(&log_fd, __ATOMIC_ACQUIRE), O_CLOEXEC);
    close(fd);
}

void log_set_level(int level)
{
    if (level < 0)
        level = 0;
    if (level > LOG_LEVEL_MAX)
        level = LOG_LEVEL_MAX;
    __atomic_store_n(&log_level_now, level, __ATOMIC_RELAXED);
}

int log_get_level(void)
{
    return __atomic_load_n(&log_level_now, __ATOMIC_RELAXED);
}

bool log_allowed(struct log_limit *limit, unsigned per_s)
{
    uint64_t second = clock_read_us() / 1000000;

    if (second != limit->second) {
        limit->second = second;
        limit->count = 0;
    }
    return limit->count++ < per_s;
}

/* What a peer sent may be quoted in a line; it must not forge lines or drive a terminal. */
static void blunt(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    }
}

/* Nobody waits for a pipe that is not read, or a disk that is full: the line is lost. */
static void put_line(const char *line, size_t len)
{
    int fd = __atomic_load_n(&log_fd, __ATOMIC_ACQUIRE);
    struct pollfd place = {.fd = fd, .events = POLLOUT};

    if (poll(&place, 1, 0) != 1 || write(fd, line, len) != (ssize_t)len)
        __atomic_add_fetch(&log_dropped_count, 1, __ATOMIC_RELAXED);
}

uint64_t log_dropped(void)
{
    return __atomic_load_n(&log_dropped_count, __ATOMIC_RELAXED);
}

void log_write(enum log_level level, const char *format, ...)
{
    int saved = errno;
    char line[2048];
    const size_t room = sizeof(line) - 1;
    int64_t now_us = clock_wall_us();
    time_t now_s = (time_t)(now_us / 1000000);
    struct tm tm;
    size_t head, len;
    va_list args;

    if (!log_wants(level))
        return;
    gmtime_r(&now_s, &tm);
    head = strftime(line, room, "%Y-%m-%dT%H:%M:%S", &tm);
    head += (size_t)snprintf(line + head, room - head, ".%03dZ %s ", (int)(now_us / 1000 % 1000),
                             level_names[level]);
    va_start(args, format);
    len = (size_t)vsnprintf(line + head, room - head, format, args);
    va_end(args);
    len = head + len < room ? head + len : room - 1;
    blunt(line + head, len - head);
    line[len++] = '\n';
    put_line(line, len);
    errno = saved;
}

/*
 * A program's place in the system: background, pid file, user, limits.
 * Functions that fail return false with errno set.
 */
#ifndef COMMON_PROCESS_DAEMON_H
#define COMMON_PROCESS_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct daemon_options {
    bool to_root;    /* chdir to / */
    bool keep_stdio; /* leave stdout and stderr as they are */
};

/* Goes to the background: forks twice, in a session of its own, stdio on /dev/null. The
 * parents exit with 0. To be called before threads and event loops are made. */
bool daemon_start(const struct daemon_options *options);

enum pid_file_form {
    PID_FILE_BARE, /* digits alone, written in place */
    PID_FILE_LINE  /* with a newline, written aside and renamed */
};

/* Writes our pid to `path`. */
bool pid_file_write(const char *path, enum pid_file_form form);

/* Removes `path` if it still names us. */
void pid_file_remove(const char *path);

enum user_result { USER_OK, USER_UNKNOWN, USER_FAILED };

/* Becomes `user` for good: supplementary groups, group, user. */
enum user_result daemon_become_user(const char *user);

/* Raises the soft and if need be the hard limit of open files to at least `count`. */
bool daemon_want_files(uint64_t count);

/* Allows core dumps as large as the hard limit; false when that is 0. */
bool daemon_want_cores(void);

/* Keeps all memory, present and future, from being paged out. */
bool daemon_lock_memory(void);

#endif

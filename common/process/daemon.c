#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/process/daemon.h"

/* The child returns true; the parent is gone. */
static bool leave_parent(void)
{
    pid_t child = fork();

    if (child > 0)
        _exit(0);
    return child == 0;
}

static bool stdio_to_null(bool keep_output)
{
    int fd = open("/dev/null", O_RDWR);
    bool is_good = fd >= 0;

    for (int stream = 0; is_good && stream < (keep_output ? 1 : 3); stream++)
        is_good = dup2(fd, stream) >= 0;
    if (fd > 2)
        close(fd);
    return is_good;
}

bool daemon_start(const struct daemon_options *options)
{
    fflush(NULL);
    if (!leave_parent() || setsid() < 0)
        return false;
    /* The second child leads no session, so that no terminal becomes its own. */
    signal(SIGHUP, SIG_IGN);
    if (!leave_parent())
        return false;
    signal(SIGHUP, SIG_DFL);
    if (options->to_root && chdir("/") != 0)
        return false;
    return stdio_to_null(options->keep_stdio);
}

static bool write_pid(const char *path, const char *format)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    char text[32];
    int len = snprintf(text, sizeof(text), format, (long)getpid());
    bool is_good;

    if (fd < 0)
        return false;
    is_good = write(fd, text, (size_t)len) == len;
    return close(fd) == 0 && is_good;
}

bool pid_file_write(const char *path, enum pid_file_form form)
{
    char *aside;
    bool is_good;

    if (form == PID_FILE_BARE)
        return write_pid(path, "%ld");
    if (asprintf(&aside, "%s.tmp", path) < 0)
        return false;
    is_good = write_pid(aside, "%ld\n") && rename(aside, path) == 0;
    free(aside);
    return is_good;
}

/* The pid that the file holds, alive or not, or 0. */
static pid_t read_pid(const char *path)
{
    FILE *file = fopen(path, "re");
    long pid = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &pid) != 1 || pid < 0 || pid > INT32_MAX)
        pid = 0;
    fclose(file);
    return (pid_t)pid;
}

void pid_file_remove(const char *path)
{
    if (read_pid(path) == getpid())
        unlink(path);
}

enum user_result daemon_become_user(const char *user)
{
    const struct passwd *entry = getpwnam(user);

    if (entry == NULL)
        return USER_UNKNOWN;
    if (initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0)
        return USER_FAILED;
    return USER_OK;
}

bool daemon_want_files(uint64_t count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    if (limit.rlim_cur >= count)
        return true;
    limit.rlim_cur = count;
    if (limit.rlim_max < count)
        limit.rlim_max = count;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

bool daemon_want_cores(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_CORE, &limit) == 0)
        return true;
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur != 0;
}

bool daemon_lock_memory(void)
{
    return mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
}

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bytes/number.h"
#include "common/process/notify.h"

bool notify_manager(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len, state_len = strlen(state);
    ssize_t sent;
    int fd;

    if (name == NULL)
        return true;
    len = strlen(name);
    errno = EINVAL;
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(un.sun_path))
        return false;
    memcpy(un.sun_path, name, len);
    if (name[0] == '@')
        un.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    sent = sendto(fd, state, state_len, MSG_NOSIGNAL, (struct sockaddr *)&un,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
    return sent == (ssize_t)state_len;
}

static bool read_variable(const char *name, uint32_t *value)
{
    const char *text = getenv(name);

    return text != NULL && number_parse_u32(str_of(text), value);
}

unsigned notify_take_fds(void)
{
    uint32_t pid, count;
    bool is_ours = read_variable("LISTEN_PID", &pid) && read_variable("LISTEN_FDS", &count) &&
                   (pid_t)pid == getpid();

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!is_ours)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        (void)fcntl(NOTIFY_FIRST_FD + (int)i, F_SETFD, FD_CLOEXEC);
    return count;
}

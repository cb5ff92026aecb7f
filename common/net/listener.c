#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/net/listener.h"

enum { ACCEPT_BATCH = 64, RETRY_US = 100 * 1000 };

/* Removes the file of a unix socket; nothing else that may stand in its place. */
static void remove_socket_file(const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(path);
}

/* The file of a unix socket is made with its final mode: nobody can slip in before. */
static int bind_unix(int fd, const struct addr *addr, const struct listen_options *options)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->sockaddr;
    mode_t before;
    int result;

    remove_socket_file(un->sun_path);
    if (!options->has_unix_mode)
        return bind(fd, (const struct sockaddr *)un, addr->len);
    before = umask(~options->unix_mode & 0777);
    result = bind(fd, (const struct sockaddr *)un, addr->len);
    umask(before);
    return result;
}

static bool switch_on(int fd, int level, int option)
{
    static const int on = 1;

    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

/* What an address takes before it is bound, and behind that; false: *step failed. */
static bool bind_as(int fd, const struct addr *addr, int type, const struct listen_options *options,
                    const char **step)
{
    bool is_unix = addr->family == AF_UNIX, is_stream = type == SOCK_STREAM;

    /* Of a stream it overlooks connections of the past; datagrams would be shared by it. */
    *step = "SO_REUSEADDR";
    if (is_stream && !switch_on(fd, SOL_SOCKET, SO_REUSEADDR))
        return false;
    *step = "SO_REUSEPORT";
    if (!is_unix && options->sharing == LISTEN_BESIDE_OTHERS &&
        !switch_on(fd, SOL_SOCKET, SO_REUSEPORT))
        return false;
    *step = "IPV6_V6ONLY";
    if (addr->family == AF_INET6 && !switch_on(fd, IPPROTO_IPV6, IPV6_V6ONLY))
        return false;
    /* Accepted sockets inherit it, which saves a call for each. */
    *step = "TCP_NODELAY";
    if (!is_unix && is_stream && !switch_on(fd, IPPROTO_TCP, TCP_NODELAY))
        return false;
    *step = "bind";
    if (is_unix ? bind_unix(fd, addr, options) != 0
                : bind(fd, (const struct sockaddr *)&addr->sockaddr, addr->len) != 0)
        return false;
    *step = "SO_REUSEPORT";
    return is_unix || options->sharing != LISTEN_BEFORE_OTHERS ||
           switch_on(fd, SOL_SOCKET, SO_REUSEPORT);
}

static int give_up(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

int listener_bind(const struct addr *addr, int type, const struct listen_options *options,
                  const char **step)
{
    int fd = socket(addr->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *step = "socket";
    if (fd < 0)
        return -1;
    return bind_as(fd, addr, type, options, step) ? fd : give_up(fd);
}

int listener_socket(const struct addr *addr, const struct listen_options *options,
                    const char **step)
{
    int fd = listener_bind(addr, SOCK_STREAM, options, step);

    if (fd < 0)
        return -1;
    *step = "listen";
    return listen(fd, options->backlog) == 0 ? fd : give_up(fd);
}

static bool is_out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Stops accepting for a moment. */
static void rest(struct listener *listener)
{
    listener_pause(listener);
    loop_timer_set(&listener->retry, RETRY_US);
}

static void listener_event(evutil_socket_t listening, short what, void *arg)
{
    struct listener *listener = arg;

    (void)what;
    for (int i = 0; i < ACCEPT_BATCH && listener->fd == listening && !listener->paused; i++) {
        int fd;

        if (listener->may_accept != NULL && !listener->may_accept(listener)) {
            rest(listener);
            return;
        }
        fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->accepted(listener, fd);
            continue;
        }
        if (is_out_of_resources(errno)) {
            log_limited(LOG_WARNING, "accept: %m; trying again in %d ms", RETRY_US / 1000);
            rest(listener);
            if (listener->starved != NULL)
                listener->starved(listener);
            return;
        }
        /* A connection that was gone again before its turn is no reason to stop. */
        if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO)
            return;
    }
}

static void listener_retry(struct loop_timer *timer)
{
    listener_resume(container_of(timer, struct listener, retry));
}

void listener_open(struct listener *listener, struct loop *loop, int fd,
                   void (*accepted)(struct listener *listener, int fd))
{
    struct addr addr;

    *listener = (struct listener){.loop = loop, .fd = fd, .accepted = accepted};
    if (addr_of_socket(fd, &addr) && addr.family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&addr.sockaddr;

        memcpy(listener->unix_path, un->sun_path, sizeof(listener->unix_path));
    }
    loop_timer_init(loop, &listener->retry, listener_retry);
    event_assign(&listener->event, loop->base, fd, EV_READ | EV_PERSIST, listener_event, listener);
    event_add(&listener->event, NULL);
}

void listener_pause(struct listener *listener)
{
    if (listener->paused || listener->fd < 0)
        return;
    listener->paused = true;
    event_del(&listener->event);
}

void listener_resume(struct listener *listener)
{
    if (!listener->paused || listener->fd < 0)
        return;
    listener->paused = false;
    loop_timer_clear(&listener->retry);
    event_add(&listener->event, NULL);
}

void listener_finish(struct listener *listener)
{
    int fd;

    while (listener->fd >= 0 &&
           (fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        listener->accepted(listener, fd);
    listener_close(listener);
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    loop_timer_clear(&listener->retry);
    event_del(&listener->event);
    close(listener->fd);
    listener->fd = -1;
    if (listener->unix_path[0] != '\0')
        remove_socket_file(listener->unix_path);
}

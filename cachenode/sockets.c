#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cachenode/sockets.h"
#include "cachenode/udp.h"
#include "common/base/log.h"
#include "common/net/listener.h"
#include "common/process/notify.h"

enum { ADDRESSES_PER_HOST = 16 };

static bool complain(const struct addr *addr, const char *step)
{
    char text[ADDR_TEXT_MAX];

    addr_format(addr, text);
    fprintf(stderr, "cachenode: %s: %s: %s\n", text, step, strerror(errno));
    return false;
}

static bool add(struct sockets *sockets, struct node_socket socket)
{
    struct node_socket *items =
        realloc(sockets->items, (sockets->count + 1) * sizeof(*sockets->items));

    if (items == NULL) {
        fprintf(stderr, "cachenode: out of memory for sockets\n");
        close(socket.fd);
        return false;
    }
    sockets->items = items;
    sockets->items[sockets->count++] = socket;
    return true;
}

static bool open_stream(struct sockets *sockets, const struct settings *settings,
                        const struct addr *addr)
{
    struct listen_options options = {.backlog = (int)settings->backlog,
                                     .has_unix_mode = addr->family == AF_UNIX,
                                     .unix_mode = (mode_t)settings->unix_mask};
    const char *step;
    int fd = listener_socket(addr, &options, &step);

    return fd >= 0 ? add(sockets, (struct node_socket){.fd = fd}) : complain(addr, step);
}

/* A small question with a stranger's address on it has us send him a large answer. */
static void warn_of_strangers(const struct addr *addr)
{
    char text[ADDR_TEXT_MAX];

    addr_format(addr, text);
    if (!addr_is_loopback(addr))
        log_warning("UDP on %s: whoever reaches it can have it flood others with replies to "
                    "forged addresses (amplification); only a network of friends should",
                    text);
}

/* Each worker has a socket of his own. */
static bool open_udp(struct sockets *sockets, const struct settings *settings,
                     const struct addr *addr)
{
    int *fds = calloc(settings->threads, sizeof(*fds));
    struct addr bound = *addr;
    const char *step = "memory";
    bool is_open = fds != NULL && udp_sockets(addr, fds, settings->threads, &step);

    if (!is_open)
        complain(addr, step);
    else if (addr_of_socket(fds[0], &bound))
        warn_of_strangers(&bound);
    for (unsigned i = 0; is_open && i < settings->threads; i++)
        is_open = add(sockets, (struct node_socket){.fd = fds[i], .is_udp = true});
    free(fds);
    return is_open;
}

/* Opens all addresses of a host; false: none of them can be. */
static bool open_host(struct sockets *sockets, const struct settings *settings, const char *host,
                      int32_t port,
                      bool (*open)(struct sockets *, const struct settings *, const struct addr *))
{
    struct addr addrs[ADDRESSES_PER_HOST];
    const char *error = NULL;
    unsigned count = addr_resolve(host, port == SETTINGS_PORT_ANY ? 0 : (uint16_t)port, addrs,
                                  ADDRESSES_PER_HOST, &error);
    unsigned opened = 0;

    if (count == 0)
        fprintf(stderr, "cachenode: -l %s: %s\n", host == NULL ? "*" : host, error);
    for (unsigned i = 0; i < count; i++)
        opened += open(sockets, settings, &addrs[i]);
    return opened != 0;
}

/* The addresses of -l, or all there are, on `port`, unless they have one of their own. */
static bool open_hosts(struct sockets *sockets, const struct settings *settings, int32_t port,
                       bool (*open)(struct sockets *, const struct settings *, const struct addr *))
{
    if (port == 0)
        return true;
    if (settings->listen.count == 0)
        return open_host(sockets, settings, NULL, port, open);
    for (unsigned i = 0; i < settings->listen.count; i++) {
        const struct listen_address *item = &settings->listen.items[i];

        if (!open_host(sockets, settings, item->host, item->port != 0 ? item->port : port, open))
            return false;
    }
    return true;
}

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* What has been bound for us: listening streams, and UDP. */
static bool inherit(struct sockets *sockets, const struct settings *settings, int fd)
{
    struct node_socket socket = {.fd = fd, .is_inherited = true};
    struct addr addr;
    const char *wrong = NULL;

    socket.is_udp = option_of(fd, SO_TYPE) == SOCK_DGRAM;
    if (!addr_of_socket(fd, &addr))
        wrong = "it is no socket";
    else if (socket.is_udp && addr.family == AF_UNIX)
        wrong = "it is a unix socket for datagrams";
    else if (socket.is_udp && (settings->sasl || settings->auth_path != NULL))
        wrong = "nobody authenticates by UDP, it cannot be had with -S or -Y";
    else if (!socket.is_udp &&
             (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1))
        wrong = "it is not listening";
    else if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        wrong = strerror(errno);
    if (wrong != NULL) {
        fprintf(stderr, "cachenode: descriptor %d of LISTEN_FDS: %s\n", fd, wrong);
        return false;
    }
    if (socket.is_udp)
        warn_of_strangers(&addr);
    else if (addr.family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return add(sockets, socket);
}

bool sockets_open(struct sockets *sockets, const struct settings *settings)
{
    unsigned inherited = notify_take_fds();
    struct addr addr;

    *sockets = (struct sockets){.count = 0};
    for (unsigned i = 0; i < inherited; i++) {
        if (!inherit(sockets, settings, NOTIFY_FIRST_FD + (int)i))
            return false;
    }
    if (inherited != 0)
        return true;
    /* Who can connect finds UDP there, too. */
    if (settings->unix_path == NULL)
        return open_hosts(sockets, settings, settings->udp_port, open_udp) &&
               open_hosts(sockets, settings, settings->tcp_port, open_stream);
    if (addr_unix(settings->unix_path, &addr))
        return open_stream(sockets, settings, &addr);
    fprintf(stderr, "cachenode: -s %s: the path is too long\n", settings->unix_path);
    return false;
}

static void write_ports(const struct sockets *sockets, bool is_udp, FILE *out)
{
    char last[ADDR_TEXT_MAX + 16] = "";

    for (unsigned i = 0; i < sockets->count; i++) {
        const struct node_socket *socket = &sockets->items[i];
        char text[ADDR_TEXT_MAX], line[sizeof(last)];
        struct addr addr;

        if (socket->is_udp != is_udp || !addr_of_socket(socket->fd, &addr) ||
            addr.family == AF_UNIX)
            continue;
        addr_format(&addr, text);
        snprintf(line, sizeof(line), "%s %s: %s\n", is_udp ? "UDP" : "TCP",
                 addr.family == AF_INET ? "INET" : "INET6", strrchr(text, ':') + 1);
        /* A UDP address is told once, not once for each thread. */
        if (!is_udp || strcmp(line, last) != 0)
            fputs(line, out);
        memcpy(last, line, sizeof(last));
    }
}

bool sockets_write_ports(const struct sockets *sockets)
{
    const char *path = getenv("MEMCACHED_PORT_FILENAME");
    char aside[4096];
    FILE *out;

    if (path == NULL)
        return true;
    errno = ENAMETOOLONG;
    if (snprintf(aside, sizeof(aside), "%s.lck", path) >= (int)sizeof(aside))
        return false;
    out = fopen(aside, "w");
    if (out == NULL)
        return false;
    write_ports(sockets, false, out);
    write_ports(sockets, true, out);
    return fclose(out) == 0 && rename(aside, path) == 0;
}

void sockets_free(struct sockets *sockets)
{
    for (unsigned i = 0; i < sockets->count; i++) {
        if (!sockets->items[i].is_taken)
            close(sockets->items[i].fd);
    }
    free(sockets->items);
    *sockets = (struct sockets){.count = 0};
}

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "common/net/addr.h"

unsigned addr_resolve(const char *host, uint16_t port, struct addr *addrs, unsigned max,
                      const char **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    char service[8];
    unsigned count = 0;
    int failure;

    if (host != NULL && strcmp(host, "*") == 0)
        host = NULL;
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    failure = getaddrinfo(host, service, &hints, &found);
    if (failure != 0) {
        *error = gai_strerror(failure);
        return 0;
    }
    for (const struct addrinfo *a = found; a != NULL && count < max; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
            continue;
        memcpy(&addrs[count].sockaddr, a->ai_addr, a->ai_addrlen);
        addrs[count].len = a->ai_addrlen;
        addrs[count].family = a->ai_family;
        count++;
    }
    freeaddrinfo(found);
    if (count == 0)
        *error = "no usable address";
    return count;
}

bool addr_unix(const char *path, struct addr *addr)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&addr->sockaddr;
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(un->sun_path))
        return false;
    memset(addr, 0, sizeof(*addr));
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    addr->family = AF_UNIX;
    return true;
}

void addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (addr->family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->sockaddr;

        snprintf(text, ADDR_TEXT_MAX, "unix:%.*s", (int)sizeof(un->sun_path),
                 addr->len > sizeof(un->sun_family) ? un->sun_path : "");
    } else if (addr->family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->sockaddr;

        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(text, ADDR_TEXT_MAX, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&addr->sockaddr;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(text, ADDR_TEXT_MAX, "%s:%u", host, (unsigned)ntohs(in->sin_port));
    }
}

bool addr_is_loopback(const struct addr *addr)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->sockaddr;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&addr->sockaddr;

    if (addr->family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    return addr->family == AF_UNIX || ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && a->len == b->len &&
           memcmp(&a->sockaddr, &b->sockaddr, a->len) == 0;
}

static bool addr_of(int fd, struct addr *addr, int (*name)(int, struct sockaddr *, socklen_t *))
{
    memset(addr, 0, sizeof(*addr));
    addr->len = sizeof(addr->sockaddr);
    if (name(fd, (struct sockaddr *)&addr->sockaddr, &addr->len) != 0)
        return false;
    addr->family = addr->sockaddr.ss_family;
    return true;
}

bool addr_of_peer(int fd, struct addr *addr)
{
    return addr_of(fd, addr, getpeername);
}

bool addr_of_socket(int fd, struct addr *addr)
{
    return addr_of(fd, addr, getsockname);
}

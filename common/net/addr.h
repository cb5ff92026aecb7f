/*
 * Addresses of sockets: IPv4, IPv6 and unix paths.
 */
#ifndef COMMON_NET_ADDR_H
#define COMMON_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/bytes/str.h"

enum { ADDR_TEXT_MAX = 128 };

struct addr {
    struct sockaddr_storage sockaddr;
    socklen_t len;
    int family; /* AF_INET, AF_INET6 or AF_UNIX */
};

/*
 * Resolves `host`, a name or number, and `port`; host NULL or "*" means every address,
 * for listening. Blocks while a name is looked up. Writes up to `max` addresses and
 * returns how many, or 0 with *error a static text saying why.
 */
unsigned addr_resolve(const char *host, uint16_t port, struct addr *addrs, unsigned max,
                      const char **error);

/* The address of a unix socket's path; false when the path is too long or empty. */
bool addr_unix(const char *path, struct addr *addr);

/* Whether nobody outside of this machine can reach it. */
bool addr_is_loopback(const struct addr *addr);

/* Writes "1.2.3.4:port", "[::1]:port" or "unix:/path" and a terminator at `text`. */
void addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX]);

bool addr_equal(const struct addr *a, const struct addr *b);

/* The peer's, or our own, address of a connected socket. */
bool addr_of_peer(int fd, struct addr *addr);
bool addr_of_socket(int fd, struct addr *addr);

#endif

/*
 * The sockets that a node answers on: those that a service manager hands us or, if there are
 * none, opened as -l, -p, -U and -s say.
 */
#ifndef CACHENODE_SOCKETS_H
#define CACHENODE_SOCKETS_H

#include <stdbool.h>

#include "cachenode/settings.h"

struct node_socket {
    int fd;
    bool is_udp;
    bool is_inherited; /* the file of a unix socket is not ours to remove */
    bool is_taken;     /* somebody else closes it */
};

struct sockets {
    struct node_socket *items;
    unsigned count;
};

/* Opens them all; false after printing on stderr why that cannot be. */
bool sockets_open(struct sockets *sockets, const struct settings *settings);

/* Tells the ports to whoever started us and asked for it by MEMCACHED_PORT_FILENAME; false
 * with errno set. */
bool sockets_write_ports(const struct sockets *sockets);

/* Closes those that nobody has taken over. */
void sockets_free(struct sockets *sockets);

#endif

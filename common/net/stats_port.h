/*
 * A small listener for statistics: whoever connects is sent a text at once and
 * the connection is closed; nothing is read. Any number of readers, and a reader
 * that is stuck holds up nobody.
 */
#ifndef COMMON_NET_STATS_PORT_H
#define COMMON_NET_STATS_PORT_H

#include "common/bytes/chain.h"
#include "common/net/listener.h"

struct stats_port {
    struct listener listener;
    struct list readers;
    unsigned reader_count;
    /* Writes what a reader gets at the end of `out`. */
    void (*render)(struct stats_port *port, struct chain *out);
};

/* Serves on the listening socket `fd`, which it takes over. */
void stats_port_open(struct stats_port *port, struct loop *loop, int fd,
                     void (*render)(struct stats_port *port, struct chain *out));
void stats_port_close(struct stats_port *port);

#endif

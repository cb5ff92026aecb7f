/*
 * A small listener for statistics, for two kinds of readers on one port. Those of old
 * connect and say nothing: they are sent the first page as it is, and the connection is
 * closed. Those who speak HTTP do so at once, so a moment is waited for a first word: who
 * asks for a page gets it with a status and a length.
 *
 * Any number of readers, and one that is stuck holds up nobody.
 */
#ifndef COMMON_NET_STATS_PORT_H
#define COMMON_NET_STATS_PORT_H

#include "common/bytes/chain.h"
#include "common/net/listener.h"

struct stats_port;

struct stats_page {
    const char *path; /* NULL ends a table */
    const char *content_type;
    /* Writes the page at the end of `out`; false: it is 503, unavailable. */
    bool (*render)(struct stats_port *port, struct chain *out);
};

struct stats_port {
    struct listener listener;
    struct list readers;
    unsigned reader_count;
    const struct stats_page *pages; /* the first also for those who say nothing */
};

/* Serves on the listening socket `fd`, which it takes over. */
void stats_port_open(struct stats_port *port, struct loop *loop, int fd,
                     const struct stats_page *pages);
void stats_port_close(struct stats_port *port);

#endif

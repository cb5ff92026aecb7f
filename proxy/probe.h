/*
 * Asks a server whether it serves, on a connection of its own: `version` of memcached; PING of
 * Redis, behind what every connection to it has to say first. Belongs to the data thread.
 */
#ifndef PROXY_PROBE_H
#define PROXY_PROBE_H

#include "proxy/owed.h"
#include "proxy/server.h"

enum probe_result {
    PROBE_ANSWERED,
    PROBE_REFUSED, /* nobody is there, or he says that he cannot */
    PROBE_SILENT   /* no answer in time */
};

struct probe {
    struct server *server;
    struct probe_link *link; /* the connection; NULL: none is under way */
    unsigned tries_left;     /* addresses */
    struct loop_timer timer;
    uint64_t deadline_us;
    void (*done)(struct probe *probe, enum probe_result result);
    /* What is to be said to a server that has answered, before that counts; `is_first`: of what
     * was said before nothing is known to be heard. See owed_tell. */
    bool (*tell)(struct probe *probe, bool is_first, struct chain *out,
                 const struct mc_command **command, unsigned *replies);
};

/* The functions of *probe are kept. */
void probe_init(struct probe *probe, struct server *server);

/* Asks, unless it does already; `done` is called once, not from within this call. */
void probe_start(struct probe *probe, uint64_t patience_us);

/* Whether one is under way. */
static inline bool probe_is_due(const struct probe *probe)
{
    return probe->link != NULL;
}

/* Gives up one that is under way: `done` is not called. */
void probe_stop(struct probe *probe);

/* Ends it without a result, when the loop is over. */
void probe_close(struct probe *probe);

#endif

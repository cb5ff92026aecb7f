/*
 * Where a server is: its addresses, in the order in which they are tried. Those of a name are
 * looked up at the start, every so often, and soon after a connection failed; while that
 * fails the last answer stands. Belongs to the data thread.
 */
#ifndef PROXY_LOCATION_H
#define PROXY_LOCATION_H

#include "proxy/config.h"
#include "proxy/resolver.h"

struct location {
    const struct server_config *config;
    struct loop *loop;
    struct resolver *resolver;
    uint32_t interval_ms; /* between look-ups; 0: only when a connection failed */
    struct addr *addrs;
    unsigned count;        /* of addrs; 0: they are not known */
    unsigned first;        /* the one to try first */
    struct lookup *lookup; /* under way; NULL: none */
    struct loop_timer timer;
    bool is_named; /* there is something to look up */
    uint64_t asked_at_us;
    unsigned failures; /* of look-ups in a row */
    /* A look-up is over that brought other addresses, or failed while there were none. */
    void (*changed)(struct location *location);
};

/* Begins to look up a name. The `changed` of *location is kept. False: memory ran out. */
bool location_open(struct location *location, const struct server_config *config,
                   uint32_t interval_ms, struct loop *loop, struct resolver *resolver);

/* A new configuration says the same of where it is, but may say it elsewhere in memory, and of how
 * often to look up something else. */
void location_configure(struct location *location, const struct server_config *config,
                        uint32_t interval_ms);

/* A connection to it failed: looks up again, unless that was done just now. */
void location_doubt(struct location *location);

/* No connection to this address can be made: another is to be tried first. */
void location_avoid(struct location *location, const struct addr *addr);

bool location_has(const struct location *location, const struct addr *addr);

void location_close(struct location *location);

#endif

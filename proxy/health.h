/*
 * Whether a server is fit to get requests. Belongs to the data thread.
 *
 *   UP ------ failures in a row, the last a refusal ------------------------> EJECTED
 *   UP ------ failures in a row of other kinds --> DOUBTED -- probe fails --> EJECTED
 *   DOUBTED - probe fails, may not be ejected ---> SILENT  -- a second later > EJECTED
 *   all ----- probe answered --------------------> UP
 *
 * A server that refuses connections and may not be ejected stays UP: to try costs nothing,
 * and who tries is the first to know that it is back. SILENT ones are in the ring, but what is
 * asked of them fails at once: to try would cost everybody a timeout. Only a probe lets a
 * server in again; no request of a client is ever spent on finding out.
 */
#ifndef PROXY_HEALTH_H
#define PROXY_HEALTH_H

#include "proxy/probe.h"

enum health_state { HEALTH_UP, HEALTH_DOUBTED, HEALTH_SILENT, HEALTH_EJECTED };

struct health {
    struct server *server;
    enum health_state state;
    bool is_retired;
    struct probe probe;
    struct loop_timer timer;            /* until the next probe */
    unsigned ejected_step, silent_step; /* of the time between probes */
    uint64_t failed_at_us;              /* a connection, of late */
    uint64_t unheard_at_us; /* an answer that was due of late, while it was up; 0: none was */
    uint64_t ejected_at_us, back_at_us;
    unsigned doubts;       /* in a row, without a reply to a client in between */
    uint64_t replies_then; /* how many there had been at the last doubt */
    /* Whether it may leave the ring. `is_refusal`: the server itself, or its system, said that
     * it does not serve; else nothing was heard, which may be our own fault. */
    bool (*may_eject)(struct health *health, bool is_refusal);
    /* It is asked in earnest: so should the others be, by health_ask, lest a fault of ours or of
     * the network be taken for its own. */
    void (*roll_call)(struct health *health);
    /* As probe.tell. */
    bool (*tell)(struct health *health, bool is_first, struct chain *out,
                 const struct mc_command **command, unsigned *replies);
    /* It has left the ring, or is to join it. */
    void (*moved)(struct health *health);
};

/* The functions of *health are kept. */
void health_init(struct health *health, struct server *server);

/* A connection to it failed. `is_refusal`: it could not even be made. */
void health_failed(struct health *health, bool is_refusal);

/* Sends a probe if it is up; only whether there is an answer in time matters. */
void health_ask(struct health *health);

/* It may be elsewhere now: if it is out of use, it is asked at once. */
void health_hurry(struct health *health);

/* Whether requests go to it. */
static inline bool health_is_served(const struct health *health)
{
    return health->state <= HEALTH_DOUBTED;
}

/* It failed within the last seconds and was not heard of since, or owes a probe's answer. */
bool health_is_troubled(const struct health *health);

/* The server is in use no more: it is neither asked nor moved again. */
void health_retire(struct health *health);

/* When the loop is over. */
void health_close(struct health *health);

#endif

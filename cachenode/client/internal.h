/*
 * What the files of this folder share: a client, and what a dialect is.
 */
#ifndef CACHENODE_CLIENT_INTERNAL_H
#define CACHENODE_CLIENT_INTERNAL_H

#include "cachenode/client/client.h"

/* A client who does not read his replies is not read from. */
enum { UNREAD_MAX = 4 << 20 };

/* Commands of a client before the others have their turn, for each that -R says: ours are cheap. */
enum { TURN_FACTOR = 32 };

/* Idle ones are many: each byte of it counts. */
struct client {
    struct conn conn;
    struct list link;
    struct arrival *arrival;            /* NULL: no value is on its way into an item */
    struct dump *dump;                  /* NULL: none is being written */
    struct addr *peer;                  /* his address, if somebody watches who comes and goes */
    uint32_t last_said_s;               /* atomic; second of store_now */
    uint32_t swallowed;                 /* bytes of a value yet to be passed over */
    uint32_t watched;                   /* what he will watch when he is handed over, bits */
    bool has_spoken : 1, is_binary : 1; /* what he speaks is known by then, and which it is */
    bool was_idle : 1;                  /* and is closed for it */
    bool is_authenticated, sasl_started;
};

static inline struct client_context *client_context_of(const struct client *client)
{
    return client->conn.loop->owner;
}

/* A storage command whose value is not all there. */
struct arrival {
    struct item *item;
    size_t done; /* bytes of the value that are there or on their way */
    uint32_t hash;
    char ending[2]; /* what follows the value, if the dialect has that */
    size_t head_len;
    char head[]; /* the request but for its value, to be parsed again at the end */
};

/* A dump that is written while the client reads it; requests wait. */
struct dump {
    struct loop_task task;
    struct client *client;
    enum sequel kind;
    struct class_set classes;
    struct store_walk walk;
};

struct dialect {
    /* Runs requests from the front of `in`; returns the bytes used. */
    size_t (*input)(struct client *client, struct session *session, struct str in);
    /* The value of an arrival is whole. */
    void (*arrived)(struct session *session, const struct arrival *arrival);
    size_t ending_len; /* bytes behind a value */
};

extern const struct dialect text_dialect, binary_dialect;

/* Has the value of a request, which `head` is all else of, received into the item, which it
 * takes over; false when memory ran out. */
bool client_begin_arrival(struct client *client, struct str head, uint32_t hash, struct item *item);

/* Passes over a value of which `there` bytes have come; returns how many of these are its. */
size_t client_swallow(struct client *client, size_t len, size_t there);

/* Whether no more input may be looked at now. */
static inline bool client_must_stop(const struct client *client, const struct session *session)
{
    return session->wants_close || client->conn.dying || client->swallowed != 0 ||
           client->arrival != NULL || client->dump != NULL || session->sequel != SEQUEL_NONE;
}

#endif

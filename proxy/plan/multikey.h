/*
 * What all requests of several keys share: a slot per key, in the order of the keys. The slots
 * of one server are chained and make up a leaf, so that a leaf finds the keys that it has to
 * answer. What leaves say, and how their replies are joined, is the kind's.
 */
#ifndef PROXY_PLAN_MULTIKEY_H
#define PROXY_PLAN_MULTIKEY_H

#include "proxy/plan/plan.h"

enum { NO_SLOT = UINT32_MAX };

struct slot {
    struct str key;
    struct str bytes;    /* what is stored until it is sent; then what was answered */
    struct block *block; /* that holds the answer if it is long */
    uint32_t next;       /* of the same leaf */
};

struct multi_kind {
    struct leaf_ops leaf;
    /* Writes the reply of a request whose leaves have all ended or failed. */
    void (*join)(struct request *parent);
};

struct multi {
    const struct multi_kind *kind;
    struct chain values; /* keeps the slots' bytes */
    uint32_t leaf_count, open_count, failed_count;
    char *error; /* the first failure's line; NULL: none, or no memory for it */
    size_t error_len;
    bool is_own_error; /* made by the proxy */
    uint64_t sum;
    size_t held_len; /* bytes in `values` */
    char *keys;      /* the keys' bytes, if they are needed after sending */
    uint32_t slot_count;
    struct slot slots[];
};

/* Makes one with room for so many slots, none of them in use. NULL: memory ran out. */
struct multi *multi_create(const struct multi_kind *kind, uint32_t room);
void multi_free(struct multi *multi);

/* Adds a slot; there is room for it. */
static inline void multi_add_slot(struct multi *multi, struct str key, struct str bytes)
{
    multi->slots[multi->slot_count++] = (struct slot){.key = key, .bytes = bytes, .next = NO_SLOT};
}

/*
 * Splits the request by the servers of its slots' keys, queues it and sends its leaves. Takes
 * over `multi`, also if it returns false because memory ran out. Redis' have no `command`, but a
 * name.
 */
bool multi_send(const struct plan_input *input, const struct mc_command *command, const char *name,
                struct multi *multi);

/* The same for a request without keys to all servers: the slots, still to be made, are the
 * servers'. */
bool multi_send_to_all(const struct plan_input *input, const struct mc_command *command,
                       struct multi *multi);

/* Keeps the bytes of an answer, which lie in `block`, and notes where they are. The parent has
 * its owner. False: memory ran out. */
bool multi_keep(struct request *leaf, struct slot *slot, struct str bytes, struct block *block);

/* A leaf is answered; it is freed, and its parent joined and answered if it was the last. */
void multi_leaf_ended(struct request *leaf);

/* The same for one that failed: `line` is its error, which the proxy made or the server. */
void multi_leaf_failed(struct request *leaf, struct str line, bool is_own);

/* Replies the first failure's error. */
void multi_reply_error(struct request *parent);

#endif

/*
 * A client's request on its way through the proxy, and the order that its owner
 * keeps: replies leave in the order of requests, whichever server answers first.
 *
 * A request of one key is a leaf: it waits in the upstream that it was sent to. A
 * request of several keys is a parent: its leaves are requests without an owner.
 */
#ifndef PROXY_REQUEST_H
#define PROXY_REQUEST_H

#include "common/base/freelist.h"
#include "common/base/list.h"
#include "common/bytes/chain.h"
#include "common/protocol/memcache.h"

struct plan_input;
struct request;

/* Whom replies are for: a client. */
struct request_owner {
    struct list requests;     /* in the order in which they came */
    struct chain *out;        /* where replies go when it is their turn */
    struct freelist *records; /* where requests are taken from */
    uint64_t *forward_errors; /* counts errors that the proxy made */
    unsigned count;           /* requests that are not answered */
    size_t sent_len;          /* bytes of these requests */
    size_t held_len;          /* bytes of replies that wait for their turn */
    bool is_broken;           /* memory ran out in a reply: the stream cannot go on */
    /* Something was answered; there may be output. */
    void (*progress)(struct request_owner *owner);
    /* Replies that the proxy itself has to make: an error, in the words of the owner's protocol. */
    void (*write_error)(struct request *request, const char *text);
};

/* What a leaf says to its upstream, and is told by it. After `end` or `fail` the upstream has
 * forgotten the leaf. */
struct leaf_ops {
    /* Writes the request; false when memory ran out, `out` is then as before. */
    bool (*write)(struct chain *out, const struct request *leaf, const struct plan_input *input);
    /* A value of a retrieval of several keys: `bytes` is the VALUE line and the value,
     * in `block`. False: it answers no key that is still open. NULL: the leaf has one key,
     * and all of its reply comes with `end`. */
    bool (*value)(struct request *leaf, struct str key, struct str bytes, struct block *block);
    /* The reply is complete; `bytes` are its last line, or all of it. The status is the
     * backend's: an enum mc_status, or the first byte of Redis' reply. */
    void (*end)(struct request *leaf, int status, struct str bytes, struct block *block);
    /* There will be no reply. `text` says why. */
    void (*fail)(struct request *leaf, const char *text);
    /* It is not sent, but answered as by a server that has not got the key, and stores nothing.
     * NULL: that is never asked. */
    void (*miss)(struct request *leaf, const struct plan_input *input);
};

/* What a binary request wants of its reply. */
struct request_binary {
    uint32_t opaque;
    uint8_t code, operation, shape;
};

enum { REQUEST_KEY_INLINE = 64 };

struct request {
    struct list owner_link;           /* in owner->requests */
    struct list pending_link;         /* in the upstream */
    const struct mc_command *command; /* NULL: one of Redis' */
    const char *name;                 /* of the command, for the log; may be NULL */
    const struct leaf_ops *ops;
    struct request_owner *owner; /* NULL: gone, or the leaf has a parent */
    struct freelist *records;
    struct request *parent; /* of a leaf of several keys */
    struct multi *multi;    /* of a parent */
    uint64_t begun_us;      /* when it was sent */
    size_t sent_len;
    uint32_t next_slot; /* of a leaf with a parent: its next open key */
    uint32_t first_slot;
    uint32_t silent; /* statuses that the owner does not hear of, a bit each */
    bool noreply, is_done;
    struct request_binary binary;
    struct chain reply; /* waits for its turn */
    struct str key;     /* in key_inline or memory of ours; a leaf's of one key */
    char key_inline[REQUEST_KEY_INLINE];
};

/* Takes a record. NULL: memory ran out. */
struct request *request_create(struct freelist *records, const struct mc_command *command);

/* Frees it; it is in no list. */
void request_free(struct request *request);

/* Copies the key; false when memory ran out. */
bool request_set_key(struct request *request, struct str key);

/* Notes for the log what it is: as much of the key as needs no memory. */
void request_note(struct request *request, const char *name, struct str key);

/* Makes it the owner's newest. */
void request_enqueue(struct request *request, struct request_owner *owner);

/* Appends to its reply; nothing if nobody wants it. The bytes lie in `block`, or are copied if
 * that is NULL. */
void request_reply(struct request *request, struct str bytes, struct block *block);

/* The same with an error of the proxy's. */
void request_reply_error(struct request *request, const char *text);

/* Its reply is complete: it is delivered when it is its turn, and freed. */
void request_done(struct request *request);

/* The owner goes: answered requests are freed, the others have nobody any more. */
void request_orphan_all(struct request_owner *owner);

#endif

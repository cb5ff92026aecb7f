/*
 * What a server has to be told before it is used again: the keys whose writes it missed while
 * its pool answered in its place (on_eject: miss). They are deleted there, so that no value
 * from before comes back; and when there are too many to remember, it is flushed.
 */
#ifndef PROXY_OWED_H
#define PROXY_OWED_H

#include "common/bytes/chain.h"
#include "common/protocol/memcache.h"

/* A set of keys in the order in which they came. */
struct owed_keys {
    char *bytes; /* of each key a length in one byte, and the key */
    size_t len, capacity;
    size_t told_len; /* of these bytes, those that were told */
    uint32_t *slots; /* by hash: where a key begins, plus one; 0: free */
    uint32_t slot_count, count;
};

/* An all-zero one is empty. */
struct owed {
    struct owed_keys words, others; /* others go in base64 */
    bool is_all, is_all_told;
};

void owed_add(struct owed *owed, struct str key);

/*
 * Writes what is to be told next; *command is what its replies answer, *replies how many
 * there will be, 0 when all is told. False: memory ran out.
 */
bool owed_tell(struct owed *owed, struct chain *out, const struct mc_command **command,
               unsigned *replies);

/* Nobody knows what of it was heard: all is to be told again. */
void owed_begin_again(struct owed *owed);

/* All was heard: nothing is owed any more. */
void owed_clear(struct owed *owed);

#endif

/*
 * `stats detail`: gets, hits, sets and deletes by the prefix of the key, which is what stands
 * before the first delimiter; a key without one is not counted. One table under one lock has
 * all threads' counts: it is for a look at what is going on, and costs that lock for each key
 * while it is on, nothing while it is not.
 */
#ifndef CACHENODE_PREFIXES_H
#define CACHENODE_PREFIXES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes/str.h"

struct prefixes;

/* Beyond so many, keys with yet another prefix are not counted. */
enum { PREFIXES_MAX = 65536 };

enum prefix_count { PREFIX_GETS, PREFIX_HITS, PREFIX_SETS, PREFIX_DELETES, PREFIX_COUNTS };

/* NULL: out of memory. */
struct prefixes *prefixes_create(char delimiter, bool is_on);
void prefixes_free(struct prefixes *prefixes);

/* Whether they are counted; from any thread. */
bool prefixes_are_on(const struct prefixes *prefixes);
void prefixes_switch(struct prefixes *prefixes, bool is_on);

char prefixes_delimiter(const struct prefixes *prefixes);

/* Adds one to a count of the key's prefix. */
void prefixes_note(struct prefixes *prefixes, struct str key, enum prefix_count what);

/* The same for a get, which was a hit or not. */
void prefixes_note_get(struct prefixes *prefixes, struct str key, bool is_hit);

/* Shows all prefixes, in no order; the lock is held meanwhile. */
void prefixes_visit(struct prefixes *prefixes,
                    void (*visit)(void *arg, struct str prefix, const uint64_t *counts), void *arg);

/* Forgets all of them. */
void prefixes_clear(struct prefixes *prefixes);

#endif

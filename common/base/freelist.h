/*
 * Recycled objects of one size, up to a ceiling; beyond it they go back to the
 * system, so that a burst does not keep its memory for ever. One thread's own.
 */
#ifndef COMMON_BASE_FREELIST_H
#define COMMON_BASE_FREELIST_H

#include <stddef.h>

struct freelist {
    void *first;
    size_t size; /* bytes of each object, at least a pointer's */
    unsigned count, ceiling;
};

/* Takes an object, recycled or new; its bytes are undefined. NULL: out of memory. */
void *freelist_take(struct freelist *list);

/* Gives an object back. */
void freelist_give(struct freelist *list, void *object);

/* Frees all but `keep` of the waiting objects. */
void freelist_trim(struct freelist *list, unsigned keep);

#endif

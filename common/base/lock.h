/*
 * A mutex with a rank. Locks are taken in ascending rank, one per rank: no
 * cycle, so no deadlock. Debug builds check this at every call (LOCK_CHECKS).
 */
#ifndef COMMON_BASE_LOCK_H
#define COMMON_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

struct lock {
    pthread_mutex_t mutex;
#ifdef LOCK_CHECKS
    unsigned rank;
#endif
};

/* `rank` is 1..31; the program's table of locks says who has which. */
void lock_init(struct lock *lock, unsigned rank);
void lock_destroy(struct lock *lock);

#ifdef LOCK_CHECKS
void lock_take(struct lock *lock);
bool lock_try(struct lock *lock);
void lock_give(struct lock *lock);
#else
static inline void lock_take(struct lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

/* Takes the lock if it is free, in any order of ranks: it never waits. */
static inline bool lock_try(struct lock *lock)
{
    return pthread_mutex_trylock(&lock->mutex) == 0;
}

static inline void lock_give(struct lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}
#endif

#endif

/*
 * A mutex with a rank. Locks are taken in ascending rank, one per rank: no
 * cycle, so no deadlock. Debug builds check this at every call (LOCK_CHECKS).
 *
 * It is a word on a futex (U. Drepper, "Futexes are tricky", mutex 2), because most
 * are taken uncontended and by the million: that is one instruction in place of a call,
 * and a store has thousands of them.
 */
#ifndef COMMON_BASE_LOCK_H
#define COMMON_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum lock_state { LOCK_FREE, LOCK_TAKEN, LOCK_WAITED_FOR };

struct lock {
    uint32_t state; /* enum lock_state, atomic */
#ifdef LOCK_CHECKS
    uint32_t rank;
#endif
};

/* `rank` is 1..31; the program's table of locks says who has which. */
void lock_init(struct lock *lock, unsigned rank);

/* For the inline functions below alone. */
void lock_wait(struct lock *lock);
void lock_wake(struct lock *lock);
#ifdef LOCK_CHECKS
void lock_check_order(const struct lock *lock);
void lock_note_taken(const struct lock *lock);
void lock_note_given(const struct lock *lock);
#else
static inline void lock_check_order(const struct lock *lock)
{
    (void)lock;
}

static inline void lock_note_taken(const struct lock *lock)
{
    (void)lock;
}

static inline void lock_note_given(const struct lock *lock)
{
    (void)lock;
}
#endif

/* Takes the lock if it is free, in any order of ranks: it never waits. */
static inline bool lock_try(struct lock *lock)
{
    uint32_t free = LOCK_FREE;

    if (!__atomic_compare_exchange_n(&lock->state, &free, LOCK_TAKEN, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    lock_note_taken(lock);
    return true;
}

static inline void lock_take(struct lock *lock)
{
    lock_check_order(lock);
    if (!lock_try(lock))
        lock_wait(lock);
}

static inline void lock_give(struct lock *lock)
{
    lock_note_given(lock);
    if (__atomic_exchange_n(&lock->state, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_WAITED_FOR)
        lock_wake(lock);
}

#endif

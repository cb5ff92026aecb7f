#include "common/base/lock.h"

#ifdef LOCK_CHECKS
#include "common/base/panic.h"

static _Thread_local unsigned held_by_rank[32]; /* lock_try may hold several of one rank */

void lock_init(struct lock *lock, unsigned rank)
{
    ASSERT(rank > 0 && rank < 32);
    pthread_mutex_init(&lock->mutex, NULL);
    lock->rank = rank;
}

void lock_take(struct lock *lock)
{
    for (unsigned rank = lock->rank; rank < 32; rank++)
        ASSERT(held_by_rank[rank] == 0);
    pthread_mutex_lock(&lock->mutex);
    held_by_rank[lock->rank]++;
}

bool lock_try(struct lock *lock)
{
    if (pthread_mutex_trylock(&lock->mutex) != 0)
        return false;
    held_by_rank[lock->rank]++;
    return true;
}

void lock_give(struct lock *lock)
{
    ASSERT(held_by_rank[lock->rank] > 0);
    held_by_rank[lock->rank]--;
    pthread_mutex_unlock(&lock->mutex);
}
#else
void lock_init(struct lock *lock, unsigned rank)
{
    (void)rank;
    pthread_mutex_init(&lock->mutex, NULL);
}
#endif

void lock_destroy(struct lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

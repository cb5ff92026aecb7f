#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/lock.h"

#ifdef LOCK_CHECKS
#include "common/base/panic.h"

static _Thread_local unsigned held_by_rank[32]; /* lock_try may hold several of one rank */

void lock_check_order(const struct lock *lock)
{
    for (unsigned rank = lock->rank; rank < 32; rank++)
        ASSERT(held_by_rank[rank] == 0);
}

void lock_note_taken(const struct lock *lock)
{
    held_by_rank[lock->rank]++;
}

void lock_note_given(const struct lock *lock)
{
    ASSERT(held_by_rank[lock->rank] > 0);
    held_by_rank[lock->rank]--;
}
#endif

/* Critical sections are short: whoever finds a lock taken looks again before he sleeps. */
enum { SPINS = 100 };

void lock_init(struct lock *lock, unsigned rank)
{
    (void)rank;
    *lock = (struct lock){
        .state = LOCK_FREE,
#ifdef LOCK_CHECKS
        .rank = rank,
#endif
    };
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

void lock_wait(struct lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        relax();
        if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == LOCK_FREE && lock_try(lock))
            return;
    }
    while (__atomic_exchange_n(&lock->state, LOCK_WAITED_FOR, __ATOMIC_ACQUIRE) != LOCK_FREE)
        syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, LOCK_WAITED_FOR, NULL, NULL, 0);
    lock_note_taken(lock);
}

void lock_wake(struct lock *lock)
{
    syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

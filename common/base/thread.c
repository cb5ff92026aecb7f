#include <signal.h>
#include <stddef.h>

#include "common/base/thread.h"

/* These are a thread's own, whatever it does. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

bool thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t blocked, before;
    bool is_started;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    is_started = pthread_create(thread, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}

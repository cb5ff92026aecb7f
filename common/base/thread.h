/*
 * Threads that leave signals alone: those sent to the process come to the first thread, whose
 * loop waits for them.
 */
#ifndef COMMON_BASE_THREAD_H
#define COMMON_BASE_THREAD_H

#include <stdbool.h>
#include <pthread.h>

/* Starts a thread; false when the system has no more to give. */
bool thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif

/*
 * Signals as calls on a loop: handlers run in the loop's thread like any other
 * event, and may do what they like. One such table per process; SIGPIPE is ignored
 * along with it.
 */
#ifndef COMMON_PROCESS_SIGNALS_H
#define COMMON_PROCESS_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/net/loop.h"

struct signal_row {
    int number;
    void (*caught)(int number, void *context);
};

enum { SIGNALS_MAX = 16 };

struct signals {
    const struct signal_row *rows;
    struct event *events[SIGNALS_MAX];
    size_t count;
    void *context;
};

/* Calls each row's function, with `context`, when its signal comes. The rows live for
 * ever. False: the system has no more to give. */
bool signals_open(struct signals *signals, struct loop *loop, const struct signal_row *rows,
                  size_t count, void *context);

/* Gives the signals their default effect back. */
void signals_close(struct signals *signals);

#endif

#include <signal.h>

#include "common/process/signals.h"

#ifdef LOCK_CHECKS
#include <unistd.h>

/* TSan makes a thread's room for signals in its first call that may wait, and loses one that
 * comes meanwhile: that call is to be over before there is a signal to catch. */
__attribute__((constructor)) static void make_room(void)
{
    usleep(0);
}
#endif

static void caught(evutil_socket_t number, short what, void *argument)
{
    struct signals *signals = argument;

    (void)what;
    for (size_t i = 0; i < signals->count; i++) {
        if (signals->rows[i].number == (int)number)
            signals->rows[i].caught((int)number, signals->context);
    }
}

bool signals_open(struct signals *signals, struct loop *loop, const struct signal_row *rows,
                  size_t count, void *context)
{
    *signals = (struct signals){.rows = rows, .context = context};
    if (count > SIGNALS_MAX || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct event *event = evsignal_new(loop->base, rows[i].number, caught, signals);

        if (event == NULL || event_add(event, NULL) != 0) {
            if (event != NULL)
                event_free(event);
            signals_close(signals);
            return false;
        }
        signals->events[signals->count++] = event;
    }
    return true;
}

void signals_close(struct signals *signals)
{
    while (signals->count > 0)
        event_free(signals->events[--signals->count]);
}

/*
 * What a service manager is told of us, and what sockets it hands us: sd_notify(3) and
 * sd_listen_fds(3), as they are documented.
 */
#ifndef COMMON_PROCESS_NOTIFY_H
#define COMMON_PROCESS_NOTIFY_H

#include <stdbool.h>

enum { NOTIFY_FIRST_FD = 3 };

/*
 * Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names: a path, or behind
 * an @ a name of no file. True if there is none. False with errno set.
 */
bool notify_manager(const char *state);

/*
 * How many descriptors, from NOTIFY_FIRST_FD on, were handed to this very process by
 * LISTEN_FDS. They are told once: the variables are gone afterwards, and no child of ours
 * takes them for his.
 */
unsigned notify_take_fds(void);

#endif

/*
 * Requests by UDP. A datagram begins with a header of 8 bytes: request id, sequence number,
 * count of datagrams, reserved; 16 bits each, big-endian. Whole commands follow, in either
 * dialect; each is answered by a message of its own, in as many datagrams as it takes. There
 * is no connection: what is not whole, or not all of its request, or itself an error as we answer,
 * is dropped without a word.
 */
#ifndef CACHENODE_UDP_H
#define CACHENODE_UDP_H

#include "cachenode/client/client.h"

/*
 * Opens sockets on one address, so that each of `count` threads has its own; the system
 * spreads clients over them. False, with errno set and *step the call that failed, if the
 * address is not ours alone.
 */
bool udp_sockets(const struct addr *addr, int *fds, unsigned count, const char **step);

/* Answers, in the loop of `context`, what comes on the socket `fd`, which it takes over and puts
 * into the list `udps`. */
void udp_open(struct client_context *context, int fd, struct list *udps);
void udp_close_all(struct list *udps);

#endif

/*
 * recv and send without a point of cancellation. glibc's spend some 40 instructions per call, two
 * of them locked, on whether the thread is being cancelled, as soon as there is a second thread;
 * nobody is cancelled here. The sanitizers only know glibc's.
 */
#ifndef COMMON_BASE_UNCANCELLED_H
#define COMMON_BASE_UNCANCELLED_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNCANCELLED_IS_PLAIN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(SYS_recvfrom)
#define UNCANCELLED_IS_PLAIN
#endif

#ifdef UNCANCELLED_IS_PLAIN
static inline ssize_t uncancelled_recv(int fd, void *to, size_t len)
{
    return recv(fd, to, len, 0);
}

static inline ssize_t uncancelled_send(int fd, const void *from, size_t len)
{
    return send(fd, from, len, MSG_NOSIGNAL);
}
#else
/* As recv(2) with no flags. */
static inline ssize_t uncancelled_recv(int fd, void *to, size_t len)
{
    return syscall(SYS_recvfrom, fd, to, len, 0, NULL, NULL);
}

/* As send(2); a connection that is gone raises no signal. */
static inline ssize_t uncancelled_send(int fd, const void *from, size_t len)
{
    return syscall(SYS_sendto, fd, from, len, MSG_NOSIGNAL, NULL, 0);
}
#endif

#endif

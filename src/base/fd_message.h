/* Descriptors beside a message over a Unix socket (unix(7), SCM_RIGHTS; cmsg(3)). Builds and reads the header only, so that each
 * caller sends and receives by its own call, also between clone and exec. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

/* Room for n descriptors; it must live as long as the header that points to it. */
#define FD_ROOM(n)                                                                                                                 \
    union {                                                                                                                        \
        struct cmsghdr head;                                                                                                       \
        char bytes[CMSG_SPACE((n) * sizeof(int))];                                                                                 \
    }

/* None is fine; the descriptors stay the caller's. `room` has place for n. */
void fd_message_put(struct msghdr *m, void *room, const int *fds, size_t n);
/* After recvmsg() with MSG_CMSG_CLOEXEC: how many came, which are the caller's now. Those beyond `max` are closed: a peer must not
 * be able to fill our table. */
size_t fd_message_take(struct msghdr *m, int *fds, size_t max);

#define FD_STREAM_MAX 128 /* descriptors beside one message of a stream; the kernel passes 253 at most */

/* For stream sockets: all n bytes, the descriptors beside the first. 0, or a negative errno. */
int fd_stream_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds);
/* 1: exactly n bytes came; 0: the stream had ended before the first; -ECONNRESET: it ended within, or another negative errno. What
 * came beside them goes to the first of `fds`; the others keep their value. */
int fd_stream_receive(int sock, void *p, size_t n, int *fds, size_t max);

/* The worker's side of the socket. */
#include <string.h>
#include <sys/socket.h>

#include "image/worker/worker.h"

void worker_send(const struct worker_message *message) {
    /* A progress message that does not fit is no loss; the last one waits. */
    int flags = MSG_NOSIGNAL | (message->kind == WORKER_PROGRESS ? MSG_DONTWAIT : 0);

    while (send(WORKER_FD_SOCKET, message, sizeof(*message), flags) < 0 && errno == EINTR)
        ;
}

int worker_receive_lowers(int fds[WORKER_LOWERS_MAX], struct error *e) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WORKER_LOWERS_MAX)];
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c;
    size_t n;

    if (recvmsg(WORKER_FD_SOCKET, &m, MSG_CMSG_CLOEXEC) != 1)
        return error_set(e, -EPIPE, "the engine is gone");
    c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    return (int)n;
}

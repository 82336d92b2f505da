/* The worker's side of the socket. */
#include <string.h>
#include <sys/socket.h>

#include "base/fd_message.h"
#include "image/worker/worker.h"

void worker_send(const struct worker_message *message) {
    /* A progress message that does not fit is no loss; the last one waits. */
    int flags = MSG_NOSIGNAL | (message->kind == WORKER_PROGRESS ? MSG_DONTWAIT : 0);

    while (send(WORKER_FD_SOCKET, message, sizeof(*message), flags) < 0 && errno == EINTR)
        ;
}

int worker_receive_lowers(int fds[WORKER_LOWERS_MAX], struct error *e) {
    FD_ROOM(WORKER_LOWERS_MAX) room;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};

    if (recvmsg(WORKER_FD_SOCKET, &m, MSG_CMSG_CLOEXEC) != 1)
        return error_set(e, -EPIPE, "the engine is gone");
    return (int)fd_message_take(&m, fds, WORKER_LOWERS_MAX);
}

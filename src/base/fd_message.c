#include "base/fd_message.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

void fd_message_put(struct msghdr *m, void *room, const int *fds, size_t n) {
    struct cmsghdr *head = room;

    if (n == 0)
        return;
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(head), fds, n * sizeof(int));
    m->msg_control = room;
    m->msg_controllen = CMSG_SPACE(n * sizeof(int));
}

size_t fd_message_take(struct msghdr *m, int *fds, size_t max) {
    size_t taken = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            int fd;

            memcpy(&fd, (const char *)c + at, sizeof(fd));
            if (fds && taken < max)
                fds[taken++] = fd;
            else
                fd_close(fd);
        }
    }
    return taken;
}

int fd_stream_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds) {
    FD_ROOM(FD_STREAM_MAX) room = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > FD_STREAM_MAX)
        return -E2BIG;
    fd_message_put(&m, &room, fds, n_fds);
    while (iov.iov_len > 0) {
        ssize_t sent = sendmsg(sock, &m, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        iov.iov_base = (char *)iov.iov_base + sent;
        iov.iov_len -= (size_t)sent;
        m.msg_control = NULL; /* they went with the first byte */
        m.msg_controllen = 0;
    }
    return 0;
}

int fd_stream_receive(int sock, void *p, size_t n, int *fds, size_t max) {
    size_t done = 0;

    while (done < n) {
        FD_ROOM(FD_STREAM_MAX) room;
        struct iovec iov = {.iov_base = (char *)p + done, .iov_len = n - done};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
        ssize_t got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
        size_t taken;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        taken = fd_message_take(&m, fds, max);
        fds = fds ? fds + taken : NULL;
        max -= taken;
        if (got == 0)
            return done > 0 ? -ECONNRESET : 0;
        done += (size_t)got;
    }
    return 1;
}

#include "image/unpack_into.h"

#include <fcntl.h>
#include <poll.h>

#define COPY_SIZE_MAX   ((uint64_t)1 << 42) /* 4 TiB: the disk ends earlier */
#define COPY_INODES_MAX 100000000

int unpack_into_begin(struct unpacking *u, int fd, int dir, unsigned flags, const struct id_shift *owners, struct error *e) {
    struct worker_request q = {.size = UINT64_MAX, .unpacked_max = COPY_SIZE_MAX, .inodes_max = COPY_INODES_MAX};
    _cleanup_fd_ int in = -1, out = -1;
    int ends[2], r = 0;

    if (flags & UNPACK_COMPRESSED) {
        if (pipe2(ends, O_CLOEXEC) < 0)
            return error_errno(e, -errno, "make a pipe");
        in = ends[0];
        out = ends[1];
        q.flags = flags & UNPACK_NOBODY ? WORKER_NOBODY : 0U;
        r = worker_start(&u->inflate, "inflate", &q, fd, out, -1, -1, e);
    }
    if (owners)
        q.owners = *owners;
    q.flags = WORKER_COPY | (flags & UNPACK_OWNERS ? WORKER_OWNERS : 0U);
    return r < 0 ? r : worker_start(&u->unpack, "unpack", &q, in >= 0 ? in : fd, -1, dir, -1, e);
}

static void wait_for_both(struct unpacking *u) {
    while (!u->inflate.done || !u->unpack.done) {
        struct pollfd fds[2];
        struct worker *of[2];
        size_t n = 0;

        for (struct worker *w = &u->inflate; w; w = w == &u->inflate ? &u->unpack : NULL)
            if (!w->done) {
                of[n] = w;
                fds[n++] = (struct pollfd){.fd = w->socket, .events = POLLIN};
            }
        if (poll(fds, n, -1) < 0)
            continue;
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents)
                (void)worker_receive(of[i]);
    }
}

/* The end that failed first is the cause: the other one only sees a broken pipe. */
int unpack_into_finish(struct unpacking *u, struct error *e) {
    const struct worker_message *m = &u->unpack.message, *before = &u->inflate.message;
    int r = 0;

    wait_for_both(u);
    if (m->status < 0 && (before->status == 0 || before->status == -EPIPE))
        r = error_set(e, m->status, "%s", m->text);
    else if (before->status < 0)
        r = error_set(e, before->status, "%s", before->text);
    worker_stop(&u->inflate);
    worker_stop(&u->unpack);
    return r;
}

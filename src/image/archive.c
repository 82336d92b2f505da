/* Archives that hold whole images, opened by the workers: nothing of a stranger's archive is parsed in the engine. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "image/store_internal.h"
#include "image/worker.h"

#define ARCHIVE_SIZE_MAX   ((uint64_t)1 << 42) /* 4 TiB: the disk ends earlier */
#define ARCHIVE_INODES_MAX 100000

static int wait_for(struct worker *a, struct worker *b, struct error *e) {
    struct worker *const both[] = {a, b};

    while (!a->done || (b && !b->done)) {
        struct pollfd fds[2];
        struct worker *of[2];
        size_t n = 0;

        for (size_t i = 0; i < 2; i++)
            if (both[i] && !both[i]->done) {
                of[n] = both[i];
                fds[n++] = (struct pollfd){.fd = both[i]->socket, .events = POLLIN};
            }
        if (poll(fds, n, -1) < 0 && errno != EINTR)
            return error_errno(e, -errno, "wait for the workers");
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents)
                (void)worker_receive(of[i]);
    }
    return 0;
}

static int worker_result(const struct worker *w, struct error *e) {
    return w->message.status < 0 ? error_set(e, w->message.status, "%s", w->message.text) : 0;
}

static struct worker_request archive_request(struct image_store *s) {
    store_read_map(s);
    return (struct worker_request){.flags = s->full_map ? WORKER_NOBODY : 0U,
                                   .size = UINT64_MAX,
                                   .unpacked_max = ARCHIVE_SIZE_MAX,
                                   .ratio_max = s->limits.ratio_max,
                                   .inodes_max = ARCHIVE_INODES_MAX};
}

int archive_extract(struct image_store *s, int fd, int dir, struct error *e) {
    struct worker inflate = WORKER_INIT, unpack = WORKER_INIT;
    struct worker_request q = archive_request(s);
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    r = worker_start(&inflate, "inflate", &q, fd, ends[1], -1, -1, e);
    q.flags = 0;
    if (r == 0)
        r = worker_start(&unpack, "unpack", &q, ends[0], -1, dir, -1, e);
    (void)fd_close(ends[0]);
    (void)fd_close(ends[1]);
    if (r == 0)
        r = wait_for(&inflate, &unpack, e);
    if (r == 0 && unpack.message.status < 0 && (inflate.message.status == 0 || inflate.message.status == -EPIPE))
        r = worker_result(&unpack, e);
    else if (r == 0)
        r = worker_result(&inflate, e);
    worker_stop(&inflate);
    worker_stop(&unpack);
    return r;
}

int archive_inflate(struct image_store *s, int from, int to, struct error *e) {
    struct worker inflate = WORKER_INIT;
    struct worker_request q = archive_request(s);
    int r = lseek(from, 0, SEEK_SET) < 0 ? error_errno(e, -errno, "read the archive") : 0;

    if (r == 0)
        r = worker_start(&inflate, "inflate", &q, from, to, -1, -1, e);
    if (r == 0)
        r = wait_for(&inflate, NULL, e);
    if (r == 0)
        r = worker_result(&inflate, e);
    worker_stop(&inflate);
    return r;
}

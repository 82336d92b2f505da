#include "engine/log_inflate.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "engine/engine.h"
#include "image/worker.h"
#include "model/image_spec.h"

#define SIZE_MAX_ALL ((uint64_t)1 << 42) /* the disk ends earlier */

int log_inflate(int dirfd, int fd, void *arg, struct error *e) {
    const struct engine *engine = arg;
    const struct worker_request q = {
        .size = UINT64_MAX, .unpacked_max = SIZE_MAX_ALL, .flags = engine->roots->rootless ? 0U : WORKER_NOBODY};
    _cleanup_fd_ int out = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct worker w = WORKER_INIT;
    int r;

    if (out < 0) /* a file system that has none, or a full one */
        out = memfd_create("tare-log", MFD_CLOEXEC);
    if (out < 0)
        return error_errno(e, -errno, "make room for a compressed log");
    r = worker_start(&w, "inflate", &q, fd, out, -1, -1, e);
    if (r < 0)
        return r;
    while (worker_receive(&w) != WORKER_EVENT_DONE)
        ;
    if (w.message.status < 0)
        r = error_set(e, w.message.status, "read a compressed log: %s", w.message.text);
    else if (w.message.compression != LAYER_GZIP)
        r = error_set(e, -EBADMSG, "read a compressed log: it is no gzip file");
    worker_stop(&w);
    if (r == 0 && lseek(out, 0, SEEK_SET) < 0)
        r = error_errno(e, -errno, "read a compressed log");
    return r < 0 ? r : TAKE_FD(out);
}

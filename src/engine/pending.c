#include "engine/pending.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/lock.h"

#define WAIT_MAX_MS 10000 /* for a start or a removal; a healer holds a dead entry for as long as its undoing takes */
#define PAUSE_MS    2

static bool still_named(int dir, const char *id, int fd) {
    struct stat named, held;
    return fstatat(dir, id, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &held) == 0 && named.st_ino == held.st_ino &&
           named.st_dev == held.st_dev;
}

/* -EAGAIN: somebody else holds it, or it went between opening and locking. */
static int open_locked(int dir, const char *id, int flags) {
    _cleanup_fd_ int fd = openat(dir, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0)
        return -errno;
    int r = lock_own(fd);
    if (r < 0)
        return r;
    return still_named(dir, id, fd) ? TAKE_FD(fd) : -EAGAIN;
}

static enum pending_kind kind_of(int fd) {
    char letter = 0;
    return pread(fd, &letter, 1, 0) == 1 ? (enum pending_kind)letter : (enum pending_kind)0;
}

int pending_become(int fd, enum pending_kind kind, struct error *e) {
    const char letter = (char)kind;
    return pwrite(fd, &letter, 1, 0) == 1 ? 0 : error_errno(e, -errno, "write down what is under way");
}

int pending_begin(struct engine *engine, const char *id, enum pending_kind kind, struct error *e) {
    int dir = engine_pending_dir(engine, e);
    if (dir < 0)
        return dir;
    _cleanup_fd_ int fd = -1;
    for (int waited = 0; (fd = open_locked(dir, id, O_CREAT)) == -EAGAIN && waited < WAIT_MAX_MS; waited += PAUSE_MS)
        (void)poll(NULL, 0, PAUSE_MS);
    if (fd == -EAGAIN)
        return error_set(e, -EBUSY, "another command is working on container %.12s", id);
    if (fd < 0)
        return error_errno(e, fd, "begin work on container %.12s", id);
    if (kind == PENDING_START && kind_of(fd) == PENDING_REMOVE)
        return error_set(e, -EBUSY, "removal of container %.12s was cut short: it cannot be started any more", id);
    if (kind == PENDING_CHANGE && kind_of(fd) && kind_of(fd) != PENDING_CHANGE)
        return -ESTALE;
    int r = pending_become(fd, kind, e);
    return r < 0 ? r : TAKE_FD(fd);
}

void pending_end(struct engine *engine, const char *id, int fd) {
    int dir = engine_pending_dir(engine, NULL);
    if (fd >= 0 && dir >= 0)
        (void)unlinkat(dir, id, 0);
    fd_close(fd);
}

int pending_seize(struct engine *engine, const char *id, enum pending_kind *ret_kind) {
    int dir = engine_pending_dir(engine, NULL);
    int fd = dir < 0 ? dir : open_locked(dir, id, 0);
    if (fd >= 0)
        *ret_kind = kind_of(fd);
    return fd;
}

bool pending_is_held(struct engine *engine, const char *id) {
    int dir = engine_pending_dir(engine, NULL);
    _cleanup_fd_ int fd = dir < 0 ? -1 : openat(dir, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && lock_owner(fd) != 0;
}

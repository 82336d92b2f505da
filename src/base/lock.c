#include "base/lock.h"

#include <fcntl.h>

int lock_own(int fd) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_SETLK, &l) < 0)
        return errno == EACCES ? -EAGAIN : -errno;
    return 0;
}

pid_t lock_owner(int fd) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
        return 0;
    return l.l_pid > 0 ? l.l_pid : -1;
}

int lock_wait(int dirfd, const char *name, bool exclusive, struct error *e) {
    struct flock l = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return error_errno(e, -errno, "open lock %s", name);
    while (fcntl(fd, F_OFD_SETLKW, &l) < 0)
        if (errno != EINTR)
            return error_errno(e, -errno, "lock %s", name);
    return TAKE_FD(fd);
}

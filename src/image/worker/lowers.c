#include "image/worker/lowers.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "image/worker/tree.h"

static bool is_opaque(int dirfd) {
    char value;

    return fgetxattr(dirfd, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* One layer's answer. 1: there, *ret_fd; 0: this layer does not say; -ENOENT: it says that there is nothing. */
static int layer_open(int root, const char *path, int *ret_fd) {
    _cleanup_fd_ int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool hidden = false;

    for (const char *s = path; dir >= 0;) {
        size_t n = strcspn(s, "/");
        bool last = s[n] == '\0';
        char name[NAME_MAX + 1];
        struct stat st;
        int fd;

        if (n > NAME_MAX)
            return -ENOENT;
        memcpy(name, s, n);
        name[n] = '\0';
        hidden = hidden || is_opaque(dir);
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT && !hidden ? 0 : -ENOENT;
        if (!S_ISDIR(st.st_mode) && (!(last && S_ISREG(st.st_mode)) ||
                                     tree_is_whiteout(dir, name, &st))) /* a whiteout, a link; nothing else is wanted from below */
            return -ENOENT;
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        if (last) {
            *ret_fd = fd;
            return 1;
        }
        (void)fd_close(dir);
        dir = fd;
        s += n + 1;
    }
    return -ENOENT;
}

int lowers_open(const struct lowers *l, const char *path) {
    for (size_t i = 0; i < l->n; i++) {
        _cleanup_fd_ int fd = -1;
        int r = layer_open(l->fd[i], path, &fd);

        if (r < 0)
            return r;
        if (r > 0)
            return TAKE_FD(fd);
    }
    return -ENOENT;
}

int copy_metadata(int from, const struct stat *st, int to, struct error *e) {
    const struct timespec times[2] = {st->st_mtim, st->st_mtim};
    int r;

    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return error_errno(e, -errno, "copy owner and mode");
    r = fs_copy_xattrs(from, to);
    if (r < 0)
        return error_errno(e, r, "copy extended attributes");
    return futimens(to, times) < 0 ? error_errno(e, -errno, "copy times") : 0;
}

int copy_file(int from, int dirfd, const char *name, struct error *e) {
    _cleanup_fd_ int to = -1;
    struct stat st;

    if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(e, -EINVAL, "%s is no regular file in the layers below", name);
    to = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return error_errno(e, -errno, "copy %s from a layer below", name);
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)left);

        if (n <= 0)
            return error_errno(e, n < 0 ? -errno : -EIO, "copy %s from a layer below", name);
        left -= n;
    }
    return copy_metadata(from, &st, to, e);
}

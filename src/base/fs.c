#include "base/fs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>

#define FS_DEPTH_MAX 128 /* of directories that are open at a time while a tree is removed */

static int open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0,
        .resolve = resolve,
    };

    /* EAGAIN: a rename or mount somewhere on the system raced with the look-up (openat2(2)); asking again is the remedy. */
    for (int tries = 0; tries < 128; tries++) {
        int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

        if (fd >= 0)
            return fd;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return -EAGAIN;
}

int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode) {
    return open_resolved(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int fs_open_in_root(int rootfd, const char *path, int flags, mode_t mode) {
    return open_resolved(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int fs_open_dir(int dirfd, const char *path, struct error *e) {
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 ? fd : error_errno(e, -errno, "open directory %s", path);
}

int fs_mkdirs(const char *path, mode_t mode, struct error *e) {
    _cleanup_free_ char *copy = NULL;

    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return error_errno(e, -errno, "create directory %s", path);
    copy = strdup(path);
    if (!copy)
        return error_errno(e, -ENOMEM, "create directory %s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return error_errno(e, -errno, "create directory %s", copy);
        *slash = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create directory %s", path);
    return 0;
}

int fs_open_dir_make(const char *path, mode_t mode, struct error *e) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fd >= 0)
        return fd;
    r = fs_mkdirs(path, mode, e);
    return r < 0 ? r : fs_open_dir(AT_FDCWD, path, e);
}

/* Most files are small: room that is never used costs a page fault for every page that a later realloc copies. */
#define READ_ROOM_FIRST 4096
#define READ_ROOM_MIN   512
#define READ_ROOM_MAX   (256 << 10)

int fs_read_fd(int fd, size_t max, struct buf *b, struct error *e) {
    size_t start = b->size, step = READ_ROOM_FIRST;

    for (;;) {
        size_t left = max - (b->size - start) + 1;
        ssize_t n;

        if (b->size - start > max)
            return error_set(e, -EFBIG, "larger than the %zu bytes allowed", max);
        if (!b->data || b->room - b->size - 1 < MIN_OF(left, (size_t)READ_ROOM_MIN)) {
            if (!buf_reserve(b, MIN_OF(left, step)))
                return error_set(e, -EFBIG, "too large to read");
            step = MIN_OF(step * 4, (size_t)READ_ROOM_MAX);
        }
        n = read(fd, b->data + b->size, MIN_OF(b->room - b->size - 1, left));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(e, -errno, "read");
        b->size += (size_t)n;
        b->data[b->size] = '\0';
        if (n == 0)
            return 0;
    }
}

int fs_read_at(int dirfd, const char *path, size_t max, struct buf *b, struct error *e) {
    _cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int r;

    if (fd < 0)
        return error_errno(e, -errno, "open %s", path);
    if (fstat(fd, &st) < 0)
        return error_errno(e, -errno, "stat %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(e, -EINVAL, "%s is not a regular file", path);
    if ((size_t)st.st_size > READ_ROOM_FIRST && (size_t)st.st_size <= max && !buf_reserve(b, (size_t)st.st_size + READ_ROOM_MIN))
        return error_set(e, -EFBIG, "%s is too large to read", path);
    r = fs_read_fd(fd, max, b, e);
    return r < 0 ? error_wrap(e, r, "%s", path) : 0;
}

int fs_write_all(int fd, const void *p, size_t n) {
    const char *at = p;

    while (n > 0) {
        ssize_t written = write(fd, at, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        at += written;
        n -= (size_t)written;
    }
    return 0;
}

/* Writes a new file beside `name` and gives its temporary name, which starts with ".tmp-": what a crash leaves is known by it. */
static int temporary_name(char ret[32]) {
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    (void)snprintf(ret, 32, ".tmp-%016llx", (unsigned long long)random);
    return 0;
}

static int write_temporary(int dirfd, const void *p, size_t n, mode_t mode, enum fs_sync sync, char temporary[32]) {
    _cleanup_fd_ int fd = -1;
    int r = temporary_name(temporary);

    if (r < 0)
        return r;
    fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    r = fs_write_all(fd, p, n);
    if (r == 0 && sync == FS_SYNC && fsync(fd) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(dirfd, temporary, 0);
    return r;
}

int fs_replace_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, enum fs_sync sync, struct error *e) {
    char temporary[32];
    int r = write_temporary(dirfd, p, n, mode, sync, temporary);

    if (r < 0)
        return error_errno(e, r, "write %s", name);
    if (renameat(dirfd, temporary, dirfd, name) < 0) {
        r = error_errno(e, -errno, "replace %s", name);
        (void)unlinkat(dirfd, temporary, 0);
        return r;
    }
    if (sync == FS_SYNC && fsync(dirfd) < 0)
        return error_errno(e, -errno, "sync the directory of %s", name);
    return 0;
}

/* A written file that has no name yet. -EOPNOTSUPP: there are none here. */
static int write_unnamed(int dirfd, const void *p, size_t n, mode_t mode, enum fs_sync sync) {
    _cleanup_fd_ int fd = openat(dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    int r;

    if (fd < 0)
        return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? -EOPNOTSUPP : -errno;
    r = fs_write_all(fd, p, n);
    if (r == 0 && sync == FS_SYNC && fsync(fd) < 0)
        r = -errno;
    return r < 0 ? r : TAKE_FD(fd);
}

static int give_name(int fd, int dirfd, const char *name) {
    char path[40];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int sync_dir(int dirfd, const char *name, enum fs_sync sync, struct error *e) {
    return sync == FS_SYNC && fsync(dirfd) < 0 ? error_errno(e, -errno, "sync the directory of %s", name) : 0;
}

int fs_publish_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, enum fs_sync sync, struct error *e) {
    _cleanup_fd_ int fd = write_unnamed(dirfd, p, n, mode, sync);
    char temporary[32];
    uint64_t random;
    int r;

    if (fd == -EOPNOTSUPP)
        return fs_replace_at(dirfd, name, p, n, mode, sync, e);
    r = fd < 0 ? fd : give_name(fd, dirfd, name);
    if (r == -ENOENT) /* no /proc */
        return fs_replace_at(dirfd, name, p, n, mode, sync, e);
    if (r == -EEXIST) {
        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
            return error_errno(e, -EIO, "write %s", name);
        (void)snprintf(temporary, sizeof(temporary), ".tmp-%016llx", (unsigned long long)random);
        (void)flock(fd, LOCK_EX | LOCK_NB);
        r = give_name(fd, dirfd, temporary);
        if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0) {
            r = -errno;
            (void)unlinkat(dirfd, temporary, 0);
        }
    }
    return r < 0 ? error_errno(e, r, "write %s", name) : sync_dir(dirfd, name, sync, e);
}

int fs_reap_temporary(int dirfd, const char *name, void *unused, struct error *e) {
    _cleanup_fd_ int fd = -1;

    (void)unused;
    (void)e;
    if (strncmp(name, ".tmp-", strlen(".tmp-")) != 0)
        return 0;
    fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(dirfd, name, 0);
    return 0;
}

int fs_create_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, enum fs_sync sync, struct error *e) {
    _cleanup_fd_ int fd = write_unnamed(dirfd, p, n, mode, sync);
    char temporary[32];
    int r = fd < 0 ? fd : give_name(fd, dirfd, name);

    if (r == -EOPNOTSUPP || r == -ENOENT) {
        r = write_temporary(dirfd, p, n, mode, sync, temporary);
        if (r < 0)
            return error_errno(e, r, "write %s", name);
        if (linkat(dirfd, temporary, dirfd, name, 0) < 0)
            r = -errno;
        (void)unlinkat(dirfd, temporary, 0);
    }
    return r < 0 ? error_errno(e, r, "create %s", name) : sync_dir(dirfd, name, sync, e);
}

/* A removal under way. Trees may be deeper than there are descriptors or stack for (nothing limits a container in that): what lies
 * too deep is moved up to the top, and removed from there in another round. */
struct removal {
    int top; /* the directory that is removed; -1 until it is open */
    dev_t device;
    unsigned moved; /* in this round */
};

static int remove_entry(struct removal *m, int dirfd, const char *name, int depth);

static int remove_children(struct removal *m, int fd, int depth) {
    _cleanup_dir_ DIR *d = NULL;
    struct dirent *entry;
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* an offset of its own: a second round begins anew */
    int r = 0;

    if (own < 0)
        return -errno;
    d = fdopendir(own);
    if (!d) {
        r = -errno;
        (void)fd_close(own);
        return r;
    }
    while (errno = 0, (entry = readdir(d))) {
        int one;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        one = remove_entry(m, fd, entry->d_name, depth + 1);
        if (one < 0 && r == 0)
            r = one;
    }
    return r;
}

static int move_to_top(struct removal *m, int dirfd, const char *name) {
    char moved[32];
    int r = temporary_name(moved);

    if (r < 0)
        return r;
    if (syscall(SYS_renameat2, dirfd, name, m->top, moved, 1 /* RENAME_NOREPLACE */) < 0)
        return -errno;
    m->moved++;
    return 0;
}

static int remove_entry(struct removal *m, int dirfd, const char *name, int depth) {
    _cleanup_fd_ int fd = -1;
    struct stat st;
    int r;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
        return -errno;
    if (depth > FS_DEPTH_MAX)
        return move_to_top(m, dirfd, name);
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
        fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_dev != m->device)
        return -EXDEV; /* something is mounted here: not ours to empty */
    if (depth == 0)
        m->top = fd;
    do {
        m->moved = depth == 0 ? 0 : m->moved;
        r = remove_children(m, fd, depth);
    } while (depth == 0 && m->moved > 0);
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno == ENOTEMPTY && r == -EACCES && fchmod(fd, 0700) == 0) {
        r = remove_children(m, fd, depth);
        if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
            return 0;
    }
    return r < 0 ? r : -errno;
}

int fs_remove_tree_at(int dirfd, const char *name, struct error *e) {
    struct removal m = {.top = -1};
    struct stat st;
    int r;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(e, -errno, "remove %s", name);
    m.device = st.st_dev;
    r = remove_entry(&m, dirfd, name, 0);
    return r < 0 ? error_errno(e, r, "remove %s", name) : 0;
}

int fs_unlink_at(int dirfd, const char *name, struct error *e) {
    if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
        return error_errno(e, -errno, "unlink %s", name);
    return 0;
}

int fs_each(int dirfd, const char *path, fs_each_fn *fn, void *arg, struct error *e) {
    _cleanup_dir_ DIR *d = NULL;
    struct dirent *entry;
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(e, -errno, "open directory %s", path);
    d = fdopendir(fd);
    if (!d) {
        int r = error_errno(e, -errno, "read directory %s", path);

        (void)fd_close(fd);
        return r;
    }
    for (;;) {
        int r;

        errno = 0;
        entry = readdir(d);
        if (!entry)
            return errno ? error_errno(e, -errno, "read directory %s", path) : 0;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        r = fn(fd, entry->d_name, arg, e);
        if (r != 0)
            return r;
    }
}

char *fs_fd_path(int fd) {
    char link[64], target[4096];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return NULL;
    target[n] = '\0';
    return strdup(target);
}

int fs_too_deep(int depth_max, const char *path, struct error *e) {
    return error_set(e, -ELOOP, "directories are nested deeper than %d: %.60s…", depth_max, path);
}

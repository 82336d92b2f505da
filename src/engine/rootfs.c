#include "engine/rootfs.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"

#define LINKS_MAX 40

/* One directory of the merged tree: its versions, top first. */
struct merged {
    int fds[ROOTFS_LAYERS_MAX];
    size_t n;
};

static void merged_release(struct merged *m) {
    for (size_t i = 0; i < m->n; i++)
        m->fds[i] = fd_close(m->fds[i]);
    m->n = 0;
}

static bool has_mark(int fd, const char *name) {
    char value[2];
    return fgetxattr(fd, name, value, sizeof(value)) == 1 && value[0] == 'y';
}

bool rootfs_is_whiteout(int dirfd, const char *name, const struct stat *st) {
    if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0))
        return true;
    if (!S_ISREG(st->st_mode) || st->st_size != 0)
        return false;
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char value[2];
    return fd >= 0 && fgetxattr(fd, "user.overlay.whiteout", value, sizeof(value)) >= 0;
}

bool rootfs_is_opaque(int dirfd) {
    return has_mark(dirfd, "user.overlay.opaque") || has_mark(dirfd, "trusted.overlay.opaque");
}

/* The versions of `name` below `in`. On return either ret->n > 0 (a directory), or *ret_fd is what it is instead. */
static int merged_child(const struct merged *in, const char *name, struct merged *ret, int *ret_fd) {
    ret->n = 0;
    for (size_t i = 0; i < in->n; i++) {
        struct stat st;
        if (fstatat(in->fds[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT)
                continue;
            merged_release(ret);
            return -errno;
        }
        bool is_dir = S_ISDIR(st.st_mode);
        if (rootfs_is_whiteout(in->fds[i], name, &st) || (!is_dir && ret->n > 0))
            break;
        int fd =
            openat(in->fds[i], name, is_dir ? O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            merged_release(ret);
            return -errno;
        }
        if (!is_dir) {
            *ret_fd = fd;
            return 0;
        }
        ret->fds[ret->n++] = fd;
        if (i + 1 < in->n && rootfs_is_opaque(fd))
            break;
    }
    return ret->n > 0 ? 0 : -ENOENT;
}

/* Walks `path`; links are put in front of what is left of it. */
struct walk {
    const struct strs *dirs;
    struct merged stack[64]; /* from the root down: ".." pops */
    size_t depth;            /* entries of stack in use; the last is where the walk stands */
    char left[PATH_MAX];
    unsigned links;
};

static void walk_release(struct walk *w) {
    while (w->depth > 0)
        merged_release(&w->stack[--w->depth]);
}

static int walk_root(struct walk *w) {
    struct merged *m = &w->stack[0];
    m->n = 0;
    w->depth = 1;
    for (size_t i = 0; i < w->dirs->n && i < ROOTFS_LAYERS_MAX; i++) {
        int fd = open(w->dirs->v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            m->fds[m->n++] = fd;
        else if (errno != ENOENT)
            return -errno;
    }
    return m->n > 0 ? 0 : -ENOENT;
}

static void walk_rewind(struct walk *w) {
    while (w->depth > 1)
        merged_release(&w->stack[--w->depth]);
}

static int walk_link(struct walk *w, int fd, const char *rest) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
    if (n <= 0)
        return n < 0 ? -errno : -ENOENT;
    target[n] = 0;
    if (++w->links > LINKS_MAX)
        return -ELOOP;
    if (target[0] == '/')
        walk_rewind(w);
    _cleanup_free_ char *tail = strdup(rest);
    if (!tail)
        return -ENOMEM;
    int size = snprintf(w->left, sizeof(w->left), "%s/%s", target, tail);
    return size < (int)sizeof(w->left) ? 0 : -ENAMETOOLONG;
}

/* One component. 1: go on; 0: the walk ended at *ret_fd, which is no directory. */
static int walk_step(struct walk *w, int *ret_fd) {
    char name[NAME_MAX + 1];
    char *p = w->left + strspn(w->left, "/");
    size_t n = strcspn(p, "/");
    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, p, n);
    name[n] = 0;
    char *rest = p + n;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        if (name[1] && w->depth > 1)
            merged_release(&w->stack[--w->depth]);
        memmove(w->left, rest, strlen(rest) + 1);
        return 1;
    }
    if (w->depth == ARRAY_SIZE(w->stack))
        return -ENAMETOOLONG;
    _cleanup_fd_ int fd = -1;
    int r = merged_child(&w->stack[w->depth - 1], name, &w->stack[w->depth], &fd);
    if (r < 0)
        return r;
    if (fd < 0) {
        w->depth++;
        memmove(w->left, rest, strlen(rest) + 1);
        return 1;
    }
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode)) {
        r = walk_link(w, fd, rest);
        return r < 0 ? r : 1;
    }
    if (rest[strspn(rest, "/")])
        return -ENOTDIR;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Runs to the end: *ret_fd >= 0 is a file; else the directory is on top of the stack. */
static int walk_run(struct walk *w, const struct strs *dirs, const char *path, int *ret_fd) {
    w->dirs = dirs;
    if (snprintf(w->left, sizeof(w->left), "%s", path) >= (int)sizeof(w->left))
        return -ENAMETOOLONG;
    int r = walk_root(w);
    while (r >= 0 && w->left[strspn(w->left, "/")]) {
        r = walk_step(w, ret_fd);
        if (r <= 0)
            break;
    }
    return r < 0 ? r : 0;
}

/* The stack is large and is filled as it is used: not cleared. */
static struct walk *walk_new(void) {
    struct walk *w = malloc(sizeof(*w));
    if (w) {
        w->depth = 0;
        w->links = 0;
    }
    return w;
}

int rootfs_open(const struct strs *dirs, const char *path) {
    struct walk *w = walk_new();
    int fd = -1;
    if (!w)
        return -ENOMEM;
    int r = walk_run(w, dirs, path, &fd);
    if (r == 0 && fd < 0)
        fd = TAKE_FD(w->stack[w->depth - 1].fds[0]);
    walk_release(w);
    free(w);
    return r < 0 ? r : fd;
}

int rootfs_open_dirs(const struct strs *dirs, const char *path, int fds[ROOTFS_LAYERS_MAX]) {
    struct walk *w = walk_new();
    _cleanup_fd_ int fd = -1;
    int n = 0;
    if (!w)
        return -ENOMEM;
    if (walk_run(w, dirs, path, &fd) == 0 && fd < 0) {
        struct merged *m = &w->stack[w->depth - 1];
        n = (int)m->n;
        memcpy(fds, m->fds, m->n * sizeof(int));
        m->n = 0; /* handed over */
    }
    walk_release(w);
    free(w);
    return n;
}

int rootfs_read(const struct strs *dirs, const char *path, size_t max, struct buf *ret) {
    _cleanup_fd_ int at = rootfs_open(dirs, path);
    if (at < 0)
        return at;
    struct stat st;
    if (fstat(at, &st) < 0 || !S_ISREG(st.st_mode))
        return -ENOENT;
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
    _cleanup_fd_ int fd = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fs_read_fd(fd, max, ret, NULL);
}

int rootfs_child(const int *parts, size_t n, const char *name, struct stat *ret_st, int ret_fds[ROOTFS_LAYERS_MAX], size_t *ret_n) {
    struct merged in = {.n = MIN_OF(n, (size_t)ROOTFS_LAYERS_MAX)}, found;
    _cleanup_fd_ int fd = -1;
    int r;

    memcpy(in.fds, parts, in.n * sizeof(int));
    r = merged_child(&in, name, &found, &fd);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (fstat(found.n ? found.fds[0] : fd, ret_st) < 0) {
        merged_release(&found);
        return -errno;
    }
    memcpy(ret_fds, found.fds, found.n * sizeof(int));
    *ret_n = found.n;
    return 1;
}

#include "image/worker/tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"

void tree_init(struct tree *t, int root) {
    t->root = root;
    t->depth = 0;
    t->depth_max = TREE_DEPTH_MAX;
    t->root_opaque = false;
    t->keep_kinds = false;
    t->path[0] = '\0';
    t->implicit = NULL;
    t->arg = NULL;
}

static void leave(struct tree *t, size_t depth) {
    while (t->depth > depth)
        (void)fd_close(t->level[--t->depth].fd);
    t->path[t->depth ? t->level[t->depth - 1].end : 0] = '\0';
}

void tree_release(struct tree *t) {
    leave(t, 0);
}

int tree_normalise(const char *name, char *out, struct error *e) {
    size_t used = 0;

    for (const char *s = name; *s;) {
        size_t n = strcspn(s, "/");

        if (n == 2 && s[0] == '.' && s[1] == '.')
            return error_set(e, -EINVAL, "the name \"%.200s\" leads out of the archive", name);
        if (n > NAME_MAX || used + n + 2 > PATH_MAX)
            return error_set(e, -ENAMETOOLONG, "the name \"%.100s…\" is too long", name);
        if (n && !(n == 1 && s[0] == '.')) {
            if (used)
                out[used++] = '/';
            memcpy(out + used, s, n);
            used += n;
        }
        s += n + (s[n] == '/');
    }
    out[used] = '\0';
    return 0;
}

#define WHITEOUT "user.overlay.whiteout"
#define OPAQUE   "user.overlay.opaque"

bool tree_is_whiteout(int dirfd, const char *name, const struct stat *st) {
    _cleanup_fd_ int fd = -1;
    char value[2];

    if (!S_ISREG(st->st_mode) || st->st_size)
        return S_ISCHR(st->st_mode) && st->st_rdev == 0;
    fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && fgetxattr(fd, WHITEOUT, value, sizeof(value)) >= 0;
}

/* Overlay looks for these in directories only that say so (Linux 6.7). */
static int whiteout_file(int dirfd, const char *name, struct error *e) {
    _cleanup_fd_ int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    char value;

    if (fd < 0)
        return errno == EEXIST ? -EEXIST : error_errno(e, -errno, "create whiteout");
    if (fsetxattr(fd, WHITEOUT, "y", 1, 0) < 0 ||
        (fgetxattr(dirfd, OPAQUE, &value, 1) < 0 && fsetxattr(dirfd, OPAQUE, "x", 1, 0) < 0))
        return error_errno(e, -errno, "mark a whiteout");
    return 0;
}

int tree_make_whiteout(int dirfd, const char *name, struct error *e) {
    if (mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno == EPERM)
        return whiteout_file(dirfd, name, e);
    return errno == EEXIST ? -EEXIST : error_errno(e, -errno, "create whiteout");
}

int tree_set_opaque(int fd, const char *path, struct error *e) {
    if (fsetxattr(fd, OPAQUE, "y", 1, 0) < 0)
        return error_errno(e, -errno, "mark %s as opaque", path);
    return 0;
}

int tree_clear(int dirfd, const char *name, struct error *e) {
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR)
        return fs_remove_tree_at(dirfd, name, e);
    return error_errno(e, -errno, "replace %s", name);
}

int tree_open_dir(const struct tree *t, int dirfd, const char *name, bool *ret_made, struct error *e) {
    bool opaque = false;
    struct stat st;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

    *ret_made = false;
    if (fd >= 0)
        return fd;
    if ((errno == ENOTDIR || errno == ELOOP) && t->keep_kinds)
        return error_set(e, -ENOTDIR, "cannot overwrite non-directory \"%s\" with directory", name);
    if (errno == ENOTDIR || errno == ELOOP) {
        opaque = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && tree_is_whiteout(dirfd, name, &st);
        r = tree_clear(dirfd, name, e);
        if (r < 0)
            return r;
    } else if (errno != ENOENT) {
        return error_errno(e, -errno, "open directory %s", name);
    }
    if (mkdirat(dirfd, name, 0755) < 0)
        return error_errno(e, -errno, "create directory %s", name);
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, -errno, "open directory %s", name);
    r = opaque ? tree_set_opaque(fd, name, e) : 0;
    if (r < 0) {
        (void)fd_close(fd);
        return r;
    }
    *ret_made = true;
    return fd;
}

/* How many levels of the present walk the path shares, as whole components. */
static size_t shared_depth(const struct tree *t, const char *path, size_t parent_length) {
    size_t depth = 0;

    for (; depth < t->depth; depth++) {
        size_t end = t->level[depth].end;

        if (end > parent_length || (end < parent_length && path[end] != '/'))
            break;
        if (memcmp(path, t->path, end) != 0)
            break;
    }
    return depth;
}

static int enter(struct tree *t, const char *path, size_t end, struct error *e) {
    size_t start = t->depth ? t->level[t->depth - 1].end : 0;
    char name[NAME_MAX + 1];
    bool made;
    int fd, r;

    if (t->depth == t->depth_max)
        return error_set(e, -ENAMETOOLONG, "directories are nested deeper than %zu (path_depth_max in tare.conf)", t->depth_max);
    start += path[start] == '/';
    memcpy(name, path + start, end - start);
    name[end - start] = '\0';
    fd = tree_open_dir(t, t->depth ? t->level[t->depth - 1].fd : t->root, name, &made, e);
    if (fd < 0)
        return fd;
    memcpy(t->path, path, end);
    t->path[end] = '\0';
    t->level[t->depth++] = (struct tree_level){.fd = fd, .end = end};
    r = made && t->implicit ? t->implicit(t->arg, t->path, e) : 0;
    return r;
}

int tree_parent(struct tree *t, const char *path, int *ret_fd, const char **ret_name, struct error *e) {
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0, at;
    int r;

    leave(t, shared_depth(t, path, length));
    at = t->depth ? t->level[t->depth - 1].end : 0;
    while (at < length) {
        at += path[at] == '/';
        at += strcspn(path + at, "/");
        r = enter(t, path, at, e);
        if (r < 0)
            return r;
    }
    *ret_fd = t->depth ? t->level[t->depth - 1].fd : t->root;
    *ret_name = slash ? slash + 1 : path;
    return 0;
}

int tree_hide_below(struct tree *t, struct error *e) {
    bool *opaque = t->depth ? &t->level[t->depth - 1].opaque : &t->root_opaque;
    int r;

    if (*opaque)
        return 0;
    r = tree_set_opaque(t->depth ? t->level[t->depth - 1].fd : t->root, t->path, e);
    *opaque = r == 0;
    return r;
}

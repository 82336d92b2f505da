#include "engine/tree_owner.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "kernel/selinux.h"
#include "kernel/sys.h"

#define DEPTH_MAX 256 /* a descriptor each */

struct walk {
    uint32_t uid, gid;
    const char *label; /* a context of SELinux instead of an owner; NULL */
    unsigned depth;
};

static int walk_into(int dirfd, const char *name, struct walk *w, struct error *e);

/* The name is the last part of the path, so no link is followed. */
static int set_label(int dirfd, const char *name, const struct walk *w, struct error *e) {
    char path[PATH_MAX], now[SELINUX_CONTEXT_MAX];
    ssize_t n;

    if (snprintf(path, sizeof(path), "/proc/self/fd/%d%s%s", dirfd, *name ? "/" : "", name) >= (int)sizeof(path))
        return error_errno(e, -ENAMETOOLONG, "%s", name);
    n = (*name ? lgetxattr : getxattr)(path, XATTR_NAME_SELINUX, now, sizeof(now) - 1);
    if (n > 0 && strncmp(now, w->label, (size_t)n) == 0 && strlen(w->label) <= (size_t)n)
        return 0;
    if ((*name ? lsetxattr : setxattr)(path, XATTR_NAME_SELINUX, w->label, strlen(w->label) + 1, 0) == 0 || errno == ENOENT)
        return 0;
    return error_errno(e, -errno, "label %s", name);
}

static int set_owner(int dirfd, const char *name, const struct stat *st, const struct walk *w, struct error *e) {
    if (w->label)
        return set_label(dirfd, name, w, e);
    if (st->st_uid == w->uid && st->st_gid == w->gid)
        return 0;
    return fchownat(dirfd, name, w->uid, w->gid, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) < 0 && errno != ENOENT
               ? error_errno(e, -errno, "%s", name)
               : 0;
}

/* A name that is gone, or something else by now, is not ours to mind: the tree is being changed. */
static int visit(int dirfd, const char *name, void *arg, struct error *e) {
    struct walk *w = arg;
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(e, -errno, "%s", name);
    return S_ISDIR(st.st_mode) ? walk_into(dirfd, name, w, e) : set_owner(dirfd, name, &st, w, e);
}

static int walk_into(int dirfd, const char *name, struct walk *w, struct error *e) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    struct stat st;

    if (w->depth >= DEPTH_MAX)
        return error_set(e, -ELOOP, "directories are nested deeper than %d", DEPTH_MAX);
    _cleanup_fd_ int fd = sys_openat2(dirfd, name, &how, sizeof(how));
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, fd < 0 ? fd : -errno, "%s", name);
    w->depth++;
    int r = fs_each(fd, ".", visit, w, e);
    w->depth--;
    return r == 0 ? set_owner(fd, "", &st, w, e) : r;
}

static int walk_tree(int fd, struct walk *w, struct error *e) {
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_errno(e, -errno, "look at the tree");
    return S_ISDIR(st.st_mode) ? walk_into(fd, ".", w, e) : set_owner(fd, "", &st, w, e);
}

int tree_set_owner(int fd, uint32_t uid, uint32_t gid, struct error *e) {
    struct walk w = {.uid = uid, .gid = gid};

    return walk_tree(fd, &w, e);
}

int tree_set_label(int fd, const char *context, struct error *e) {
    struct walk w = {.label = context};
    int r = walk_tree(fd, &w, e);

    return r == -EOPNOTSUPP ? 0 : r; /* a file system whose label is that of its mount */
}

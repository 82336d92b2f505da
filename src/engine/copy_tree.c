#include "engine/copy_tree.h"

#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/arena.h"
#include "base/fs.h"
#include "engine/rootfs.h"

#define COPY_DEPTH_MAX  256
#define COPY_XATTRS_MAX 65536 /* bytes of names, and of one value: the kernel's own limits */

/* A file with several links that was already copied, by its old place. */
struct seen {
    dev_t device;
    ino_t inode;
    const char *path; /* below the destination */
};

struct copy {
    int to; /* the destination */
    struct id_shift owners;
    struct arena arena; /* of seen */
    struct list seen;
    char path[PATH_MAX]; /* of the entry in work, below the destination */
};

static int copy_directory(struct copy *c, const int *parts, size_t n, int to, int depth, struct error *e);

static bool xattr_is_overlays(const char *name) {
    return strncmp(name, "user.overlay.", 13) == 0 || strncmp(name, "trusted.overlay.", 16) == 0;
}

static bool is_opaque(int fd) {
    char value[2];

    return (fgetxattr(fd, "user.overlay.opaque", value, sizeof(value)) == 1 ||
            fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1) &&
           value[0] == 'y';
}

/* A capability counts in the user namespace of who set it, or of the root that it names: the container's. */
static ssize_t own_capability(const struct copy *c, char *value, ssize_t n) {
    struct vfs_ns_cap_data cap = {0};
    uint32_t magic;

    if (!id_shift_is_any(&c->owners) || n != XATTR_CAPS_SZ_2)
        return n;
    memcpy(&cap, value, XATTR_CAPS_SZ_2);
    magic = le32toh(cap.magic_etc);
    cap.magic_etc = htole32(VFS_CAP_REVISION_3 | (magic & VFS_CAP_FLAGS_EFFECTIVE));
    cap.rootid = htole32(id_outside(&c->owners.uids, 0));
    memcpy(value, &cap, XATTR_CAPS_SZ_3);
    return XATTR_CAPS_SZ_3;
}

/* Attributes that the destination does not take (a file system without them) are left out, as cp does. */
static void copy_xattrs(const struct copy *c, int from, int to) {
    _cleanup_free_ char *names = malloc(COPY_XATTRS_MAX), *value = malloc(COPY_XATTRS_MAX);
    ssize_t size = names ? flistxattr(from, names, COPY_XATTRS_MAX) : -1;

    for (const char *name = names; value && size > 0 && name < names + size; name += strlen(name) + 1) {
        ssize_t n = xattr_is_overlays(name) ? -1 : fgetxattr(from, name, value, COPY_XATTRS_MAX);

        if (n >= 0 && strcmp(name, "security.capability") == 0)
            n = own_capability(c, value, n);
        if (n >= 0)
            (void)fsetxattr(to, name, value, (size_t)n, 0);
    }
}

static uid_t owner(const struct copy *c, const struct stat *st) {
    return id_outside(&c->owners.uids, st->st_uid);
}
static gid_t group(const struct copy *c, const struct stat *st) {
    return id_outside(&c->owners.gids, st->st_gid);
}

/* chown before chmod: chown takes the set-uid bit away. */
static int copy_metadata(const struct copy *c, int from, int to, const struct stat *st) {
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    if (fchown(to, owner(c, st), group(c, st)) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return -errno;
    copy_xattrs(c, from, to);
    return futimens(to, times) < 0 ? -errno : 0;
}

/* Another container may be at work in the destination by now: its links are not followed to the first copy. */
static int copy_hard_link(const struct copy *c, const char *first, int to, const char *name) {
    const char *slash = strrchr(first, '/'), *base = slash ? slash + 1 : first;
    char parent[PATH_MAX];
    _cleanup_fd_ int dir = -1;

    (void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - first) : 1, slash ? first : ".");
    dir = fs_open_beneath(c->to, parent, O_PATH | O_DIRECTORY, 0);
    if (dir < 0)
        return dir;
    return linkat(dir, base, to, name, 0) < 0 ? -errno : 0;
}

static int copy_file(struct copy *c, int dir, const char *name, const struct stat *st, int to) {
    _cleanup_fd_ int in = -1, out = -1;
    struct stat opened;
    int r;

    if (st->st_nlink > 1) {
        for (size_t i = 0; i < c->seen.n; i++) {
            const struct seen *s = LIST_AT(struct seen, &c->seen, i);

            if (s->device == st->st_dev && s->inode == st->st_ino)
                return copy_hard_link(c, s->path, to, name);
        }
        *LIST_ADD(&c->arena, struct seen, &c->seen) = (struct seen){st->st_dev, st->st_ino, arena_strdup(&c->arena, c->path)};
    }
    in = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (in < 0 || fstat(in, &opened) < 0)
        return -errno;
    if (!S_ISREG(opened.st_mode))
        return -EAGAIN; /* it was something else a moment ago */
    out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return -errno;
    r = fs_copy_data(in, out, st->st_size);
    return r < 0 ? r : copy_metadata(c, in, out, st);
}

static int copy_link(const struct copy *c, int dir, const char *name, const struct stat *st, int to) {
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return -errno;
    target[n] = '\0';
    if (symlinkat(target, to, name) < 0 || fchownat(to, name, owner(c, st), group(c, st), AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

static int copy_fifo(const struct copy *c, const char *name, const struct stat *st, int to) {
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    char path[32];
    struct stat made;
    _cleanup_fd_ int fd = -1;

    if (mknodat(to, name, st->st_mode & (S_IFMT | 0700), 0) < 0)
        return -errno;
    /* By descriptor: another container may have put a link in its place. */
    fd = openat(to, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &made) < 0)
        return -errno;
    if ((made.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
        return -EAGAIN;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fchownat(fd, "", owner(c, st), group(c, st), AT_EMPTY_PATH) < 0 || chmod(path, st->st_mode & 07777) < 0 ||
        utimensat(AT_FDCWD, path, times, 0) < 0)
        return -errno;
    return 0;
}

/* A directory that something else is mounted on: overlay shows what lies below it, which cannot be reached. */
static bool is_mounted_on(int fd) {
    struct statx stx;

    return syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &stx) == 0 && (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* The parts of `name` in the merged directory, from the part where it was found first. */
static int copy_subdirectory(struct copy *c, const int *parts, size_t n, const char *name, int to, int depth, struct error *e) {
    int below[ROOTFS_LAYERS_MAX], r = 0;
    _cleanup_fd_ int made = -1;
    size_t count = 0;

    for (size_t i = 0; i < n && count < ARRAY_SIZE(below); i++) {
        struct stat st;
        int fd;

        if (fstatat(parts[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        fd = S_ISDIR(st.st_mode) ? openat(parts[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (fd < 0)
            break; /* a whiteout or a file ends what is visible below it */
        if (is_mounted_on(fd)) {
            (void)fd_close(fd);
            continue;
        }
        below[count++] = fd;
        if (is_opaque(fd))
            break;
    }
    if (mkdirat(to, name, count ? 0700 : 0755) < 0)
        r = error_errno(e, -errno, "create %s", c->path);
    else
        made = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (made >= 0 && count)
        r = copy_directory(c, below, count, made, depth + 1, e);
    for (size_t i = 0; i < count; i++)
        (void)fd_close(below[i]);
    return r;
}

static int copy_entry(struct copy *c, const int *parts, size_t n, const char *name, int to, int depth, struct error *e) {
    size_t length = strlen(c->path);
    struct stat st;
    int r = 0;

    if (fstatat(parts[0], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(e, -errno, "stat %s", name);
    if (rootfs_is_whiteout(parts[0], name, &st))
        return 0;
    if (snprintf(c->path + length, sizeof(c->path) - length, "%s%s", length ? "/" : "", name) >= (int)(sizeof(c->path) - length))
        return error_errno(e, -ENAMETOOLONG, "copy %s", name);
    if (S_ISDIR(st.st_mode)) {
        r = copy_subdirectory(c, parts, n, name, to, depth, e);
    } else {
        if (S_ISREG(st.st_mode))
            r = copy_file(c, parts[0], name, &st, to);
        else if (S_ISLNK(st.st_mode))
            r = copy_link(c, parts[0], name, &st, to);
        else if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
            r = copy_fifo(c, name, &st, to);
        if (r < 0)
            r = error_errno(e, r, "copy %s", c->path);
    }
    c->path[length] = '\0';
    return r;
}

/* Was `name` already decided by a part above the i-th? */
static bool decided_above(const int *parts, size_t i, const char *name) {
    struct stat st;

    for (size_t above = 0; above < i; above++)
        if (fstatat(parts[above], name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            return true;
    return false;
}

static int copy_part(struct copy *c, const int *parts, size_t n, size_t i, int to, int depth, struct error *e) {
    _cleanup_dir_ DIR *d = NULL;
    struct dirent *entry;
    int fd = openat(parts[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int r = error_errno(e, -errno, "read the directory %s", c->path);

        (void)fd_close(fd);
        return r;
    }
    while (errno = 0, (entry = readdir(d))) {
        const char *name = entry->d_name;
        int r;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || decided_above(parts, i, name))
            continue;
        r = copy_entry(c, parts + i, n - i, name, to, depth, e);
        if (r < 0)
            return r;
    }
    return errno ? error_errno(e, -errno, "read the directory %s", c->path) : 0;
}

static int copy_directory(struct copy *c, const int *parts, size_t n, int to, int depth, struct error *e) {
    struct stat st;
    int r;

    if (depth > COPY_DEPTH_MAX)
        return fs_too_deep(COPY_DEPTH_MAX, c->path, e);
    for (size_t i = 0; i < n; i++) {
        r = copy_part(c, parts, n, i, to, depth, e);
        if (r < 0)
            return r;
    }
    /* Last, since making entries changes the directory's time and may need rights that its own mode does not give. */
    r = fstat(parts[0], &st) < 0 ? -errno : copy_metadata(c, parts[0], to, &st);
    return r < 0 ? error_errno(e, r, "set owner and mode of %s", c->path[0] ? c->path : "the directory") : 0;
}

int copy_tree_merged(const int *parts, size_t n, int to, const struct id_shift *owners, struct error *e) {
    struct copy c = {.to = to, .owners = *owners};
    int r = n > 0 ? copy_directory(&c, parts, n, to, 0, e) : 0;

    arena_release(&c.arena);
    return r;
}

/* Steps of the child: mounts, devices, what is masked. Inside the container's root everything is resolved once, by openat2(2), and
 * then acted upon by descriptor: the image and the volumes may hold any trick with links, and others may be changing them. */
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "kernel/mountinfo.h"
#include "runtime/copy_up.h"
#include "runtime/executor_state.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#define SYMLINKS_MAX 40 /* as the kernel's own limit of one look-up */

#define IN_ROOT  (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define NO_LINKS (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* ---- Finding and making targets ---- */

/* Where a path of the container is looked up: our own /dev by itself, all else from the root. */
static int base_of(const struct executor *x, const char **path, uint64_t *resolve) {
    if (x->dev_fd >= 0 && strncmp(*path, "/dev/", 5) == 0) {
        *path += 5;
        *resolve = NO_LINKS;
        return x->dev_fd;
    }
    if (*resolve & RESOLVE_BENEATH && **path == '/')
        *path += 1;
    return x->root_fd;
}

/* Makes and opens an entry. -EEXIST: something is there after all (a link that leads to nothing, or another process was faster). */
static int make_entry(int dir, const char *name, bool file) {
    int r = file ? sys_mknodat(dir, name, S_IFREG | 0644, 0) : sys_mkdirat(dir, name, 0755);

    return r < 0 ? r : open_how(dir, name, O_PATH, 0, NO_LINKS);
}

/* A link that leads to nothing: `path` becomes where it leads, so that its target can be made. -ENOENT: there is no link. */
static int follow_dangling(int dir, const char *name, const char *prefix, const char *rest, char path[PATH_MAX]) {
    char text[PATH_MAX], next[PATH_MAX];
    ssize_t n = sys_readlinkat(dir, name, text, sizeof(text) - 1);
    int before = (int)(strlen(prefix) - strlen(name));
    int size;

    if (n < 0)
        return n == -EINVAL ? -ENOENT : (int)n;
    text[n] = '\0';
    size = snprintf(next, sizeof(next), "%.*s%s%s", text[0] == '/' ? 0 : before, prefix, text, rest);
    if (size < 0 || (size_t)size >= sizeof(next))
        return -ENAMETOOLONG;
    memcpy(path, next, (size_t)size + 1);
    return 0;
}

/* Walks `path` below base, making what is missing. 0: `path` was rewritten, walk again. */
static int make_walk(int base, char path[PATH_MAX], bool file, uint64_t resolve) {
    _cleanup_fd_ int dir = -1;
    size_t at = 0;

    for (;;) {
        char prefix[PATH_MAX];
        const char *name;
        size_t end;
        bool last;
        int fd;

        at += strspn(path + at, "/");
        end = at + strcspn(path + at, "/");
        last = path[end + strspn(path + end, "/")] == '\0';
        memcpy(prefix, path, end);
        prefix[end] = '\0';
        name = prefix + at;
        fd = open_how(base, prefix, O_PATH, 0, resolve);
        if (fd == -ENOENT) {
            int r = follow_dangling(dir >= 0 ? dir : base, name, prefix, path + end, path);

            if (r == 0)
                return resolve & RESOLVE_NO_SYMLINKS ? -ELOOP : 0;
            fd = r == -ENOENT ? make_entry(dir >= 0 ? dir : base, name, file && last) : r;
            if (fd == -EEXIST)
                return 0;
        }
        if (fd < 0 || last)
            return fd;
        fd_close(dir);
        dir = fd;
        at = end;
    }
}

/* The usual case: only the last part is missing. */
static int make_last(int base, char path[PATH_MAX], bool file, uint64_t resolve) {
    _cleanup_fd_ int dir = -1;
    char *slash = strrchr(path, '/');

    if (!slash || slash == path || !slash[1])
        return -ENOENT;
    *slash = '\0';
    dir = open_how(base, path, O_PATH | O_DIRECTORY, 0, resolve);
    *slash = '/';
    return dir < 0 ? dir : make_entry(dir, slash + 1, file);
}

static int make_target(int base, const char *given, bool file, uint64_t resolve) {
    char path[PATH_MAX];
    int fd;

    if (strlen(given) >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, given, strlen(given) + 1);
    fd = make_last(base, path, file, resolve);
    if (fd >= 0)
        return fd;
    for (int links = 0; links < SYMLINKS_MAX; links++) {
        fd = make_walk(base, path, file, resolve);
        if (fd != 0)
            return fd;
    }
    return -ELOOP;
}

static int target_error(int r, const char *path, struct error *e) {
    error_errno(e, r, "%s", path);
    if (r == -ELOOP)
        error_hint(e, "a symbolic link stands there");
    return r;
}

int target_open(struct executor *x, const char *path, bool file, bool no_links, struct error *e) {
    uint64_t resolve = no_links ? NO_LINKS : IN_ROOT;
    const char *below = path;
    int base = base_of(x, &below, &resolve);
    int fd = open_how(base, below, O_PATH, 0, resolve);

    if (fd == -ENOENT)
        fd = make_target(base, below, file, resolve);
    return fd < 0 ? target_error(fd, path, e) : fd;
}

int root_open(struct executor *x, const char *path, int flags, struct error *e) {
    int fd = open_how(x->root_fd >= 0 ? x->root_fd : AT_FDCWD, path, flags, 0, IN_ROOT);

    return fd < 0 ? error_errno(e, fd, "%s", path) : fd;
}

static int attach(int mount, int target, const char *path, struct error *e) {
    int r = sys_move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

    if (r < 0) {
        error_errno(e, r, "mount on %s", path);
        if (r == -ENOTDIR)
            error_hint(e, "a directory can only be mounted on a directory, a file only on a file");
    }
    return r;
}

/* ---- File systems ---- */

/* mount(2) takes context="…" so, for the commas in it; fsconfig(2) has no need of it, and takes quotes for a part of the value. */
static const char *unquoted(const char *text, char *room, size_t size) {
    size_t n = strlen(text);

    if (n < 2 || n - 2 >= size || text[0] != '"' || text[n - 1] != '"')
        return text;
    memcpy(room, text + 1, n - 2);
    room[n - 2] = '\0';
    return room;
}

static int configure(int fs, const char *option, struct error *e) {
    const char *equals = strchr(option, '=');
    char key[64], value[256];
    int r;

    if (equals && (size_t)(equals - option) < sizeof(key)) {
        memcpy(key, option, (size_t)(equals - option));
        key[equals - option] = '\0';
        r = sys_fsconfig(fs, FSCONFIG_SET_STRING, key, unquoted(equals + 1, value, sizeof(value)), 0);
    } else {
        r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
    }
    return r < 0 ? error_errno(e, r, "option %s", option) : 0;
}

/* more: one option beside those of the plan; NULL = none. */
static int make_fs(const struct plan *plan, const char *type, const char *source, int64_t options, const char *more, unsigned attr,
                   struct error *e) {
    _cleanup_fd_ int fs = sys_fsopen(type, FSOPEN_CLOEXEC);
    const char *option = plan_first(plan, options);
    uint32_t n = plan ? plan_count(plan, options) : 0;
    int r = 0;

    if (fs < 0)
        return error_errno(e, fs, "file system type %s", type);
    if (source && *source)
        r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0);
    for (uint32_t i = 0; r == 0 && i < n; i++, option = plan_next(option))
        r = configure(fs, option, e);
    if (r == 0 && more)
        r = configure(fs, more, e);
    if (r < 0)
        return e && e->text ? r : error_errno(e, r, "source %s", source);
    r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r == 0)
        r = sys_fsmount(fs, FSMOUNT_CLOEXEC, attr);
    return r < 0 ? error_errno(e, r, "make a %s", type) : r;
}

static int set_propagation(int mount, uint64_t propagation, struct error *e) {
    struct mount_attr attr = {.propagation = propagation & ~(uint64_t)MS_REC};
    int r = propagation ? sys_mount_setattr(mount, "", AT_EMPTY_PATH | (propagation & MS_REC ? (unsigned)AT_RECURSIVE : 0), &attr,
                                            sizeof(attr))
                        : 0;

    return r < 0 ? error_errno(e, r, "set the propagation") : 0;
}

/* Which later steps use the mount. The descriptor keeps meaning this very mount, whatever is put over its path later. */
static int *keeper(struct executor *x, int64_t flags) {
    return flags & STEP_PROC ? &x->proc_fd : flags & STEP_PTS ? &x->pts_fd : flags & STEP_DEV ? &x->dev_fd : NULL;
}

/* The latest mount on /proc or /sys: what is masked there is found from it. By its path it might not be: the root may be shared
 * with others who rename what is in it, and a mount moves with its directory. */
static int *shown_at(struct executor *x, const char *path) {
    return strcmp(path, "/proc") == 0 ? &x->on_proc : strcmp(path, "/sys") == 0 ? &x->on_sys : NULL;
}

static int protected_open(struct executor *x, const char *path, struct error *e) {
    int base = strncmp(path, "/proc/", 6) == 0 ? x->on_proc : strncmp(path, "/sys/", 5) == 0 ? x->on_sys : -1;
    int fd;

    if (base < 0)
        return root_open(x, path, O_PATH, e);
    fd = open_how(base, strchr(path + 1, '/') + 1, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    return fd < 0 ? error_errno(e, fd, "%s", path) : fd;
}

/* The kernel has made the queues of an IPC namespace with it: too late for an option. */
static int label_root(int mount, const char *label, struct error *e) {
    _cleanup_fd_ int fd = sys_openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int r = fd < 0 ? fd : sys_fsetxattr(fd, XATTR_NAME_SELINUX, label, strlen(label) + 1, 0);

    return r < 0 ? error_errno(e, r, "label it %s", label) : 0;
}

/* "mode=710" of the directory that is going to be covered; NULL where there is none yet. */
static const char *mode_at(struct executor *x, const char *path, char text[16]) {
    _cleanup_error_ struct error none = ERROR_INIT;
    _cleanup_fd_ int fd = root_open(x, path, O_PATH, &none);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    (void)snprintf(text, 16, "mode=%o", st.st_mode & 07777);
    return text;
}

int step_mount(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[2]);
    int64_t flags = s->arg[6];
    int *keep = keeper(x, flags);
    _cleanup_fd_ int mount = -1, target = -1;
    char text[16];
    const char *mode = flags & STEP_LIKE_TARGET ? mode_at(x, path, text) : NULL;
    int r;

    r = mount =
        make_fs(x->plan, plan_text(x->plan, s->arg[0]), plan_text(x->plan, s->arg[1]), s->arg[3], mode, (unsigned)s->arg[4], e);
    if (r >= 0 && s->arg[7])
        r = label_root(mount, plan_text(x->plan, s->arg[7]), e);
    if (r >= 0)
        r = target = target_open(x, path, false, flags & STEP_NO_LINKS, e);
    if (r >= 0 && flags & STEP_COPY_UP)
        r = copy_up(target, mount, e);
    if (r >= 0)
        r = set_propagation(mount, (uint64_t)s->arg[5], e);
    if (r >= 0)
        r = attach(mount, target, path, e);
    if (r < 0)
        return error_wrap(e, r, "mount %s", path);
    if (shown_at(x, path))
        *shown_at(x, path) = mount;
    if (keep) {
        fd_close(*keep);
        *keep = mount;
    }
    if (keep || shown_at(x, path))
        mount = -1;
    return 0;
}

static int set_attributes(int mount, uint64_t set, uint64_t clear, bool tree, struct error *e) {
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear};
    int r =
        set || clear ? sys_mount_setattr(mount, "", AT_EMPTY_PATH | (tree ? (unsigned)AT_RECURSIVE : 0), &attr, sizeof(attr)) : 0;

    return r < 0 ? error_errno(e, r, "set the mount's attributes") : 0;
}

int step_dev_seal(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = set_attributes(x->dev_fd, MOUNT_ATTR_RDONLY, 0, false, e);

    (void)s;
    return r < 0 ? error_wrap(e, r, "make /dev read-only") : 0;
}

static bool is_file(int fd) {
    struct stat st;

    return sys_fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int bind_target(struct executor *x, const char *path, int mount, bool no_links, struct error *e) {
    uint64_t resolve = no_links ? NO_LINKS : IN_ROOT;
    const char *below = path;
    int base = base_of(x, &below, &resolve);
    int fd = open_how(base, below, O_PATH, 0, resolve);

    return fd >= 0 ? fd : target_open(x, path, is_file(mount), no_links, e);
}

static int source_open(struct executor *x, const char *source, int64_t flags, struct error *e) {
    const unsigned how = OPEN_TREE_CLONE | O_CLOEXEC | (flags & STEP_RECURSIVE ? (unsigned)AT_RECURSIVE : 0);
    _cleanup_fd_ int at = flags & STEP_IN_ROOT ? root_open(x, source, O_PATH, e) : AT_FDCWD;
    int r;

    if (at < 0 && at != AT_FDCWD)
        return at;
    r = at >= 0 ? sys_open_tree(at, "", how | (unsigned)AT_EMPTY_PATH) : sys_open_tree(AT_FDCWD, source, how);
    return r < 0 ? error_errno(e, r, "open %s", source) : r;
}

int step_bind(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *source = plan_text(x->plan, s->arg[0]), *path = plan_text(x->plan, s->arg[2]);
    int64_t flags = s->arg[8];
    _cleanup_fd_ int opened = -1, target = -1;
    int mount = slot_get(x, s->arg[1]);
    int r = 0;

    if (mount < 0)
        r = mount = opened = source_open(x, source, flags, e);
    if (r >= 0)
        r = set_attributes(mount, (uint64_t)s->arg[3], (uint64_t)s->arg[4], false, e);
    if (r >= 0)
        r = set_attributes(mount, (uint64_t)s->arg[5], (uint64_t)s->arg[6], true, e);
    if (r >= 0)
        r = set_propagation(mount, (uint64_t)s->arg[7], e);
    if (r >= 0)
        r = target = bind_target(x, path, mount, flags & STEP_NO_LINKS, e);
    if (r >= 0)
        r = attach(mount, target, path, e);
    if (r < 0)
        return error_wrap(e, r, "mount %s", path);
    if (shown_at(x, path)) {
        *shown_at(x, path) = mount;
        opened = -1;
    } else if (opened < 0) {
        slot_set(x, s->arg[1], -1); /* the process may be allowed few descriptors */
    }
    return 0;
}

static int reconfigure(struct executor *x, const struct plan_step *s, int mount, struct error *e) {
    const char *option = plan_first(x->plan, s->arg[1]);
    uint32_t n = plan_count(x->plan, s->arg[1]);
    _cleanup_fd_ int fs = n == 0 ? -1 : sys_fspick(mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
    int r = 0;

    if (n == 0)
        return 0;
    if (fs < 0)
        return error_errno(e, fs, "change the file system");
    for (uint32_t i = 0; r == 0 && i < n; i++, option = plan_next(option))
        r = configure(fs, option, e);
    if (r < 0)
        return r;
    r = sys_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
    return r < 0 ? error_errno(e, r, "change the file system") : 0;
}

int step_remount(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]);
    _cleanup_fd_ int mount = root_open(x, path, O_PATH, e);
    int r = mount;

    if (r >= 0)
        r = reconfigure(x, s, mount, e);
    if (r >= 0)
        r = set_attributes(mount, (uint64_t)s->arg[2], (uint64_t)s->arg[3], false, e);
    if (r >= 0)
        r = set_attributes(mount, (uint64_t)s->arg[4], (uint64_t)s->arg[5], true, e);
    if (r >= 0)
        r = set_propagation(mount, (uint64_t)s->arg[6], e);
    if (r == -EINVAL)
        error_hint(e, "remount is for what is mounted there already");
    return r < 0 ? error_wrap(e, r, "remount %s", path) : 0;
}

/* All hierarchies below one tmpfs, whose descriptor and names are ours alone; one call sets the attributes of them all. A bind of
 * the container's own directory shows what a new mount in its cgroup namespace would, for less. */
static int bind_hierarchies(struct executor *x, const struct plan_step *s, int tmpfs, struct error *e) {
    const char *name = plan_first(x->plan, s->arg[1]), *dir = plan_first(x->plan, s->arg[2]);
    uint32_t n = plan_count(x->plan, s->arg[1]);
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < n; i++, name = plan_next(name), dir = plan_next(dir)) {
        int mount = sys_open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | O_CLOEXEC);

        if (mount < 0)
            return error_errno(e, mount, "open cgroup %s", dir);
        r = sys_mkdirat(tmpfs, name, 0755);
        if (r == 0)
            r = sys_move_mount(mount, "", tmpfs, name, MOVE_MOUNT_F_EMPTY_PATH);
        (void)sys_close(mount);
        if (r < 0)
            return error_errno(e, r, "mount cgroup %s", name);
    }
    return 0;
}

/* "cpu" and "cpuacct" for a hierarchy called "cpu,cpuacct". */
static int link_controllers(struct executor *x, const struct plan_step *s, int tmpfs, struct error *e) {
    const char *name = plan_first(x->plan, s->arg[1]);
    uint32_t n = plan_count(x->plan, s->arg[1]);

    for (uint32_t i = 0; i < n; i++, name = plan_next(name)) {
        char part[64];

        for (const char *p = name; strchr(name, ','); p += strcspn(p, ",") + 1) {
            int size = snprintf(part, sizeof(part), "%.*s", (int)strcspn(p, ","), p);
            int r = size > 0 && (size_t)size < sizeof(part) ? sys_symlinkat(name, tmpfs, part) : 0;

            if (r < 0 && r != -EEXIST)
                return error_errno(e, r, "make link %s", part);
            if (!strchr(p, ','))
                break;
        }
    }
    return 0;
}

int step_cgroup_mounts(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]);
    _cleanup_fd_ int tmpfs = make_fs(NULL, "tmpfs", "cgroup", 0, NULL, 0, e), target = -1;
    int r;

    if (tmpfs < 0)
        return tmpfs;
    r = target = target_open(x, path, false, false, e);
    if (r >= 0)
        r = attach(tmpfs, target, path, e); /* before 6.15 nothing can be mounted upon what is detached */
    if (r >= 0)
        r = sys_fchmodat(tmpfs, ".", 0755);
    if (r >= 0)
        r = bind_hierarchies(x, s, tmpfs, e);
    if (r >= 0)
        r = link_controllers(x, s, tmpfs, e);
    if (r >= 0)
        r = set_attributes(tmpfs, (uint64_t)s->arg[3], 0, true, e);
    return r < 0 ? error_wrap(e, r, "mount the cgroups on %s", path) : 0;
}

/* ---- Devices ---- */

static int node_parent(struct executor *x, const char *path, const char **name, int *opened, struct error *e) {
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];

    *name = slash + 1;
    if (x->dev_fd >= 0 && slash == path + 4 && strncmp(path, "/dev/", 5) == 0)
        return x->dev_fd;
    if (slash == path)
        return x->root_fd;
    if ((size_t)(slash - path) >= sizeof(dir))
        return error_errno(e, -ENAMETOOLONG, "%s", path);
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    return *opened = target_open(x, dir, false, false, e);
}

static bool is_device(int dirfd, const char *name, mode_t mode, dev_t dev) {
    struct stat st;

    return sys_newfstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) == 0 &&
           (st.st_mode & S_IFMT) == (mode & S_IFMT) && st.st_rdev == dev;
}

/* In a user namespace nodes cannot be made: the host's own is shown. */
static int bind_device(const struct executor *x, const struct plan_step *s, int dir, const char *name, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]), *other = plan_text(x->plan, s->arg[6]), *source = other ? other : path;
    const mode_t mode = (mode_t)s->arg[1];
    const dev_t dev = (dev_t)s->arg[2];
    _cleanup_fd_ int mount = sys_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | O_CLOEXEC), target = -1;

    if (mount < 0)
        return error_errno(e, mount, "device %s of the host", source);
    if (!is_device(mount, "", mode, dev))
        return error_set(e, -ENODEV, "device %s of the host is not %u:%u", source, major(dev), minor(dev));
    target = make_entry(dir, name, true);
    if (target == -EEXIST)
        target = open_how(dir, name, O_PATH, 0, NO_LINKS);
    return target < 0 ? error_errno(e, target, "make %s", path) : attach(mount, target, path, e);
}

int step_node(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]), *name;
    mode_t mode = (mode_t)s->arg[1];
    dev_t dev = (dev_t)s->arg[2];
    _cleanup_fd_ int opened = -1;
    int dir = node_parent(x, path, &name, &opened, e);
    int r;

    if (dir < 0)
        return dir;
    if (s->arg[5])
        return bind_device(x, s, dir, name, e);
    r = sys_mknodat(dir, name, mode, (unsigned)dev);
    if (r == -EEXIST && is_device(dir, name, mode, dev))
        r = 0;
    if (r == -EPERM)
        return bind_device(x, s, dir, name, e);
    if (r == 0 && (s->arg[3] || s->arg[4]))
        r = sys_fchownat(dir, name, (uid_t)s->arg[3], (gid_t)s->arg[4], AT_SYMLINK_NOFOLLOW);
    return r < 0 ? error_errno(e, r, "make device %s", path) : 0;
}

int step_symlink(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[1]), *name;
    _cleanup_fd_ int opened = -1;
    int dir = node_parent(x, path, &name, &opened, e);
    int r;

    if (dir < 0)
        return dir;
    r = sys_symlinkat(plan_text(x->plan, s->arg[0]), dir, name);
    return r < 0 && r != -EEXIST ? error_errno(e, r, "make link %s", path) : 0;
}

/* ---- Masks ---- */

/* One mount for all masks of a kind: the first is attached itself, the others are clones of it (a detached mount could not be
 * cloned before 6.15). *ret_clone says whether the caller owns what it got. */
static int mask_mount(int *kept, struct error *e) {
    int fd = sys_open_tree(*kept, "", OPEN_TREE_CLONE | O_CLOEXEC | (unsigned)AT_EMPTY_PATH);

    return fd < 0 ? error_errno(e, fd, "clone a mask") : fd;
}

static int empty_directory(struct executor *x, struct error *e) {
    if (x->empty_fd >= 0)
        return mask_mount(&x->empty_fd, e);
    x->empty_fd =
        make_fs(NULL, "tmpfs", "tmpfs", 0, NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);
    return x->empty_fd;
}

static int null_device(struct executor *x, struct error *e) {
    int fd;

    if (x->null_fd >= 0)
        return mask_mount(&x->null_fd, e);
    fd = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | O_CLOEXEC); /* the host's: before pivot_root(2) */
    if (fd < 0)
        return error_errno(e, fd, "open /dev/null");
    if (!is_device(fd, "", S_IFCHR, makedev(1, 3))) {
        fd_close(fd);
        return error_set(e, -ENODEV, "/dev/null of the host is something else");
    }
    return x->null_fd = fd;
}

int step_mask(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]);
    _cleanup_fd_ int target = protected_open(x, path, e);
    struct stat st;
    int mount, r;

    if (target < 0)
        return target;
    r = sys_fstat(target, &st);
    if (r < 0)
        return error_errno(e, r, "%s", path);
    mount = S_ISDIR(st.st_mode) ? empty_directory(x, e) : null_device(x, e);
    if (mount < 0)
        return mount;
    r = attach(mount, target, path, e);
    if (mount != x->empty_fd && mount != x->null_fd)
        (void)sys_close(mount);
    return r < 0 ? error_wrap(e, r, "mask %s", path) : 0;
}

/* What is locked, as all is that a new user namespace was born with, can only be covered. */
static int hide(struct executor *x, const char *path, struct error *e) {
    _cleanup_fd_ int target = -1;
    struct statfs fs;
    int mount, r;

    if (sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    target = sys_openat(AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (target < 0 || sys_fstatfs(target, &fs) < 0 || (fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC))
        return 0; /* the container's, which is not to be seen from here, or another line's */
    mount = is_file(target) ? null_device(x, e) : empty_directory(x, e);
    if (mount < 0)
        return mount;
    r = attach(mount, target, path, e);
    if (mount != x->empty_fd && mount != x->null_fd)
        (void)sys_close(mount);
    return r;
}

int host_hide(struct executor *x, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    const char *at;
    struct mountinfo_line line;
    char path[PATH_MAX];
    int r = mountinfo_read(&text, e);

    at = buf_text(&text);
    while (r == 0 && mountinfo_next(&at, &line))
        if ((mountinfo_is(line.type, "proc") || mountinfo_is(line.type, "sysfs")) &&
            mountinfo_unescape(line.point, path, sizeof(path)))
            r = hide(x, path, e);
    return r < 0 ? error_wrap(e, r, "hide the host's /proc and /sys") : 0;
}

int step_read_only(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]);
    _cleanup_fd_ int target = protected_open(x, path, e), tree = -1;
    int r = 0;

    if (target < 0)
        return target;
    tree = sys_open_tree(target, "", OPEN_TREE_CLONE | O_CLOEXEC | (unsigned)AT_EMPTY_PATH | (unsigned)AT_RECURSIVE);
    if (tree < 0)
        return error_errno(e, tree, "%s", path);
    r = set_attributes(tree, MOUNT_ATTR_RDONLY, 0, true, e);
    if (r == 0)
        r = attach(tree, target, path, e);
    return r < 0 ? error_wrap(e, r, "make %s read-only", path) : 0;
}

/* ---- procfs ---- */

/* The procfs that is seen at /proc by now, if it is one. */
static int proc_seen(struct error *e) {
    struct statfs fs;
    int fd = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0), r;

    if (fd < 0)
        return error_errno(e, fd, "open /proc");
    r = sys_fstatfs(fd, &fs);
    if (r == 0 && fs.f_type == PROC_SUPER_MAGIC)
        return fd;
    (void)sys_close(fd);
    return error_set(e, -EPERM, "no procfs can be made in this user namespace, and /proc is none");
}

/* The container's own, which nothing can stand in for; or a private one that is attached nowhere. A user namespace that shares its
 * pid namespace may make none: it has the one that is there. */
int proc_open(struct executor *x, struct error *e) {
    _cleanup_error_ struct error why = ERROR_INIT;

    if (x->proc_fd >= 0)
        return x->proc_fd;
    x->proc_fd = make_fs(NULL, "proc", "proc", 0, NULL, 0, &why);
    if (x->proc_fd == -EPERM)
        x->proc_fd = proc_seen(e);
    else if (x->proc_fd < 0)
        error_move(e, &why);
    return x->proc_fd;
}

int step_sysctl(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *key = plan_text(x->plan, s->arg[0]), *value = plan_text(x->plan, s->arg[1]);
    int proc = proc_open(x, e);
    char path[256];
    ssize_t n;
    int fd;

    if (proc < 0)
        return proc;
    if ((size_t)snprintf(path, sizeof(path), "sys/%s", key) >= sizeof(path))
        return error_errno(e, -ENAMETOOLONG, "sysctl %s", key);
    for (char *p = path + 4; *p; p++) /* "net.ipv4.conf.eth0/1.x": as sysctl(8), the other separator stands for a dot */
        *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
    fd = open_how(proc, path, O_WRONLY, 0, NO_LINKS);
    if (fd < 0)
        return error_errno(e, fd, "sysctl %s", key);
    n = sys_write(fd, value, strlen(value));
    (void)sys_close(fd);
    return n < 0 ? error_errno(e, (int)n, "set sysctl %s to %s", key, value) : 0;
}

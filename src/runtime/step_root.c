/* Steps of the child: the root file system. */
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/executor_state.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

int step_propagation(struct executor *x, const struct plan_step *s, struct error *e) {
    struct mount_attr attr = {.propagation = (uint64_t)s->arg[0] & ~(uint64_t)MS_REC};
    int r = sys_mount_setattr(AT_FDCWD, "/", s->arg[0] & MS_REC ? AT_RECURSIVE : 0, &attr, sizeof(attr));

    (void)x;
    return r < 0 ? error_errno(e, r, "cut the mounts off from the host's") : 0;
}

/* What the kernel wrote about a failed mount (fsopen(2)): more telling than an errno. */
static void add_kernel_words(int fs, struct error *e) {
    char line[256];
    ssize_t n = sys_read(fs, line, sizeof(line) - 1);

    if (n <= 2)
        return;
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    error_hint(e, "the kernel says: %s", line + 2); /* behind "e " */
}

static int set_text(int fs, const char *key, const char *value, struct error *e) {
    int r = sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);

    if (r < 0) {
        error_errno(e, r, "overlay: %s %s", key, value);
        add_kernel_words(fs, e);
    }
    return r;
}

static int set_fd(int fs, const char *key, int fd, struct error *e) {
    int r = sys_fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd);

    if (r < 0) {
        error_errno(e, r, "overlay: %s by descriptor", key);
        add_kernel_words(fs, e);
    }
    return r;
}

/* What the monitor opened belongs to its namespace until it is attached in ours, and overlay takes no layers from elsewhere. They
 * are attached in a directory each of a tmpfs, which is stacked upon the root for that while and let go at once: were it left
 * there, umount2(2) after pivot_root(2) would take it for the host's root, and leave that where it is. */
struct stage {
    int fd; /* -1: not needed, and not there */
    unsigned used;
};

static int stage_begin(struct stage *st, struct error *e) {
    _cleanup_fd_ int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
    int r = fs;

    if (r >= 0)
        r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r >= 0)
        r = st->fd = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (r >= 0)
        r = sys_move_mount(st->fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? error_errno(e, r, "make a place for the layers") : 0;
}

static int stage_add(struct stage *st, int mount, struct error *e) {
    char name[16];
    int r = 0;

    if (st->fd < 0)
        r = stage_begin(st, e);
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%u", st->used++);
    r = sys_mkdirat(st->fd, name, 0700);
    if (r == 0)
        r = sys_move_mount(mount, "", st->fd, name, MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? error_errno(e, r, "attach a layer") : 0;
}

static int stage_end(struct stage *st, struct error *e) {
    int r;

    if (st->fd < 0)
        return 0;
    st->fd = fd_close(st->fd);
    r = sys_umount2("/", MNT_DETACH); /* of those stacked there, the topmost */
    return r < 0 ? error_errno(e, r, "let go of the layers") : 0;
}

static int set_lower(struct executor *x, struct stage *st, int fs, int64_t slot, const char *path, struct error *e) {
    int mount = slot_get(x, slot);
    int r;

    if (slot < 0)
        return set_text(fs, "lowerdir+", path, e);
    r = stage_add(st, mount, e);
    return r < 0 ? r : set_fd(fs, "lowerdir+", mount, e);
}

static int set_lowers(struct executor *x, const struct plan_step *s, struct stage *st, int fs, struct error *e) {
    const char *lower = plan_first(x->plan, s->arg[0]);
    uint32_t n = plan_count(x->plan, s->arg[0]);

    for (uint32_t i = 0; i < n; i++, lower = plan_next(lower)) {
        int r = set_lower(x, st, fs, s->arg[1] >= 0 ? s->arg[1] + i : -1, lower, e);

        if (r < 0)
            return r;
    }
    return 0;
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int set_upper_fd(int fs, const char *key, int dir, const char *path, struct error *e) {
    _cleanup_fd_ int fd = open_how(dir, last_part(path), O_PATH | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

    return fd < 0 ? error_errno(e, fd, "open %s", path) : set_fd(fs, key, fd, e);
}

/* The usual reason why the upper directory is refused: tare runs inside a container, with its data on that one's root. */
static int explain_upper(const char *upper, int r, struct error *e) {
    _cleanup_fd_ int fd = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;

    if (r != -EINVAL || fd < 0 || sys_fstatfs(fd, &fs) < 0 || (unsigned)fs.f_type != OVERLAYFS_SUPER_MAGIC)
        return r;
    error_release(e);
    error_set(e, r, "the data root lies on an overlay file system, which cannot hold the changes of a container: %s", upper);
    return error_hint(e, "inside a container, mount a volume there: -v NAME:/var/lib/tare");
}

static int set_upper(struct executor *x, const struct plan_step *s, struct stage *st, int fs, struct error *e) {
    const char *upper = plan_text(x->plan, s->arg[2]), *work = plan_text(x->plan, s->arg[3]);
    int dir = slot_get(x, s->arg[4]);
    int r;

    if (!upper)
        return 0;
    if (dir >= 0) {
        r = stage_add(st, dir, e);
        if (r < 0)
            return r;
        r = set_upper_fd(fs, "upperdir", dir, upper, e);
        return r < 0 ? r : set_upper_fd(fs, "workdir", dir, work, e);
    }
    r = set_text(fs, "upperdir", upper, e);
    return r < 0 ? explain_upper(upper, r, e) : set_text(fs, "workdir", work, e);
}

static int create_and_mount(struct executor *x, int fs, const char *what, struct error *e) {
    int r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);

    if (r < 0) {
        error_errno(e, r, "mount %s", what);
        add_kernel_words(fs, e);
        return r;
    }
    r = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (r < 0)
        return error_errno(e, r, "mount %s", what);
    x->root_fd = r;
    return 0;
}

/* ---- Before Linux 6.8 ---- */

/* There, overlay takes all its layers as one option, of which fsconfig(2) lets 255 bytes through; mount(2) takes a page. Names are
 * kept short by working from the directory that most layers are in. */
#define OVERLAY_DATA_MAX 4095

static void add_escaped(struct buf *b, const char *name) {
    for (; *name; name++) {
        if (strchr(":,\\", *name))
            buf_add_char(b, '\\');
        buf_add_char(b, *name);
    }
}

static size_t directory_length(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) : 0;
}

/* From the stage when the layers are mounts of their own, else from the first one's directory. */
static int enter_layers(struct executor *x, const struct plan_step *s, struct stage *st, struct error *e) {
    const char *first = plan_first(x->plan, s->arg[0]);
    char directory[PATH_MAX];
    int r = 0;

    if (s->arg[1] < 0) {
        (void)snprintf(directory, sizeof(directory), "%.*s", (int)directory_length(first), first);
        r = sys_chdir(directory[0] ? directory : "/");
        return r < 0 ? error_errno(e, r, "enter %s", directory) : 0;
    }
    for (uint32_t i = 0; r == 0 && i < plan_count(x->plan, s->arg[0]); i++)
        r = stage_add(st, slot_get(x, s->arg[1] + i), e);
    if (r == 0) {
        r = sys_fchdir(st->fd);
        if (r < 0)
            error_errno(e, r, "enter the layers");
    }
    return r;
}

static void add_lowers(struct executor *x, const struct plan_step *s, struct buf *data) {
    const char *first = plan_first(x->plan, s->arg[0]), *lower = first;
    size_t length = directory_length(first);

    buf_add_str(data, "lowerdir=");
    for (uint32_t i = 0; i < plan_count(x->plan, s->arg[0]); i++, lower = plan_next(lower)) {
        bool beside = directory_length(lower) == length && strncmp(lower, first, length + 1) == 0;

        if (i > 0)
            buf_add_char(data, ':');
        if (s->arg[1] >= 0)
            buf_printf(data, "%u", i);
        else
            add_escaped(data, beside ? lower + length + 1 : lower);
    }
}

static int add_upper(struct executor *x, const struct plan_step *s, struct stage *st, struct buf *data, struct error *e) {
    const char *const paths[] = {plan_text(x->plan, s->arg[2]), plan_text(x->plan, s->arg[3])};
    static const char *const keys[] = {",upperdir=", ",workdir="};
    int dir = slot_get(x, s->arg[4]);
    unsigned name = st->used;
    int r = dir >= 0 && paths[0] ? stage_add(st, dir, e) : 0;

    for (size_t i = 0; r == 0 && paths[0] && i < ARRAY_SIZE(paths); i++) {
        buf_add_str(data, keys[i]);
        if (dir >= 0)
            buf_printf(data, "%u/", name);
        add_escaped(data, dir >= 0 ? last_part(paths[i]) : paths[i]);
    }
    return r;
}

/* mount(2) attaches what it makes: on a directory of this namespace, of which a detached clone is taken at once. */
static int mount_detached(struct executor *x, const char *target, const char *data, struct error *e) {
    int r = sys_mount("overlay", target, "overlay", 0, data), fd;

    if (r < 0)
        return error_errno(e, r, "mount overlay");
    fd = sys_open_tree(AT_FDCWD, target, OPEN_TREE_CLONE | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, fd, "take the mounted overlay");
    x->root_fd = fd;
    r = sys_umount2(target, MNT_DETACH);
    return r < 0 ? error_errno(e, r, "detach the mounted overlay") : 0;
}

static int overlay_in_one(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *upper = plan_text(x->plan, s->arg[2]);
    _cleanup_buf_ struct buf data = BUF_INIT;
    struct stage stage = {.fd = -1};
    const char *target = upper;
    int r = enter_layers(x, s, &stage, e);

    if (r < 0)
        return r;
    add_lowers(x, s, &data);
    r = add_upper(x, s, &stage, &data, e);
    if (r < 0)
        return r;
    buf_add_str(&data, s->arg[5] ? ",userxattr,volatile" : ",userxattr");
    if (s->arg[7]) /* its level may have a comma */
        buf_printf(&data, ",context=\"%s\"", plan_text(x->plan, s->arg[7]));
    if (data.size > OVERLAY_DATA_MAX)
        return error_set(e, -E2BIG,
                         "mount overlay: the names of the layers take %zu bytes, and this kernel takes %d (Linux 6.8 has no limit)",
                         data.size, OVERLAY_DATA_MAX);
    if (stage.fd >= 0) {
        target = "root";
        r = sys_mkdirat(stage.fd, target, 0700);
        if (r < 0)
            return error_errno(e, r, "make a place for the root");
    } else if (!target) {
        target = last_part(plan_first(x->plan, s->arg[0]));
    }
    r = mount_detached(x, target, data.data, e);
    if (r == 0 && sys_chdir("/") < 0)
        r = error_errno(e, -EIO, "leave the layers");
    return r < 0 ? r : stage_end(&stage, e);
}

int step_root_overlay(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *label = plan_text(x->plan, s->arg[7]);
    _cleanup_fd_ int fs = -1;
    struct stage stage = {.fd = -1};
    int r;

    if (s->arg[6])
        return overlay_in_one(x, s, e);
    fs = sys_fsopen("overlay", FSOPEN_CLOEXEC);
    if (fs < 0)
        return error_errno(e, fs, "use overlay (modprobe overlay)");
    r = set_text(fs, "source", "overlay", e);
    if (r == 0)
        r = set_lowers(x, s, &stage, fs, e);
    if (r == 0)
        r = set_upper(x, s, &stage, fs, e);
    /* Layers are unpacked without CAP_SYS_ADMIN, so what overlay notes about files stands in user.* attributes. */
    if (r == 0 && sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
        r = error_set(e, -EINVAL, "this kernel's overlay lacks userxattr (5.11)");
    if (r == 0 && s->arg[5])
        r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
    if (r == 0 && label)
        r = set_text(fs, "context", label, e);
    if (r == 0)
        r = create_and_mount(x, fs, "overlay", e);
    return r < 0 ? r : stage_end(&stage, e);
}

int step_root_bind(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]);
    int slot = slot_get(x, s->arg[1]);
    int fd = slot >= 0 ? slot : sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | (unsigned)AT_RECURSIVE);

    if (fd < 0)
        return error_errno(e, fd, "open root %s", path);
    x->root_fd = fd;
    return 0;
}

/* Stacked upon the root of the namespace: paths keep leading to the host's files until pivot_root(2), while the container's root is
 * an ordinary attached mount, which older kernels (before 6.15) need to mount upon it. */
int step_root_attach(struct executor *x, const struct plan_step *s, struct error *e) {
    struct mount_attr attr = {.propagation = s->arg[1] ? MS_SLAVE : MS_PRIVATE};
    int r = sys_mount_setattr(x->root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
    const char *on = plan_text(x->plan, s->arg[0]);

    if (r == 0 && on) {
        r = sys_move_mount(x->root_fd, "", AT_FDCWD, on, MOVE_MOUNT_F_EMPTY_PATH);
        if (r == 0)
            return 0;
        r = r == -EACCES ? 0 : r; /* root of a user namespace may not get there; its hooks have to do without */
    }
    if (r == 0)
        r = sys_move_mount(x->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? error_errno(e, r, "attach the root") : 0;
}

int step_root_seal(struct executor *x, const struct plan_step *s, struct error *e) {
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    int r = sys_mount_setattr(x->root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr));

    (void)s;
    return r < 0 ? error_errno(e, r, "make the root read-only") : 0;
}

/* moved: the root lies elsewhere than on top of the host's. */
static int enter_by_chroot(struct executor *x, bool moved, struct error *e) {
    int r = moved ? sys_move_mount(x->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) : 0;

    if (r < 0) /* a way out of the chroot would lead to the host's files */
        return error_errno(e, r, "move the root to the top");
    r = host_hide(x, e);
    if (r < 0)
        return r;
    r = sys_chroot(".");
    return r < 0 ? error_errno(e, r, "chroot") : 0;
}

/* pivot_root(".", ".") puts the old root on top of the new one, from where it is let go: no directory for it is needed
 * (pivot_root(2), notes). */
int step_pivot(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sys_fchdir(x->root_fd);

    if (r < 0)
        return error_errno(e, r, "enter the root");
    if (s->arg[0])
        return enter_by_chroot(x, s->arg[1], e);
    r = sys_pivot_root(".", ".");
    if (r < 0)
        return error_errno(e, r, "pivot_root");
    r = sys_umount2(".", MNT_DETACH);
    if (r < 0)
        return error_errno(e, r, "let go of the host's root");
    r = sys_chdir("/");
    return r < 0 ? error_errno(e, r, "enter the new root") : 0;
}

int step_root_propagation(struct executor *x, const struct plan_step *s, struct error *e) {
    struct mount_attr attr = {.propagation = (uint64_t)s->arg[0]};
    int r = sys_mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr));

    (void)x;
    return r < 0 ? error_errno(e, r, "set the root's propagation") : 0;
}

int step_directory(struct executor *x, const struct plan_step *s, struct error *e) {
    int fd = target_open(x, plan_text(x->plan, s->arg[0]), false, false, e);

    if (fd < 0)
        return fd;
    (void)sys_close(fd);
    return 0;
}

/* By mount(2) with all layers in one option: fsconfig(2) takes them one by one since Linux 6.8 only. What mount(2) makes is
 * attached somewhere, and layers with shifted owners have to be, so all of it happens in a mount namespace of a moment's child,
 * from which a detached clone is taken. The child shares our descriptors: that is how the clone gets here. */
#include "engine/view_mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "kernel/sys.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#define DATA_MAX 4095 /* mount(2) takes a page */
#define TEXT_MAX 512

struct answer {
    int fd; /* or a negative errno */
    char text[TEXT_MAX];
};

static int write_map(pid_t pid, const char *file, const char *text, struct error *e) {
    char path[48];
    _cleanup_fd_ int fd = -1;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? error_errno(e, -errno, "write %s", path) : 0;
}

/* A user namespace that is there for its mapping alone. */
static int mapping(const struct view_request *q, struct error *e) {
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    char path[40];
    pid_t pid = sys_clone3(&args, sizeof(args));
    int fd = -1, r;

    if (pid == 0)
        for (;;)
            pause();
    if (pid < 0)
        return error_errno(e, (int)pid, "make a user namespace");
    r = write_map(pid, "uid_map", q->uid_map, e);
    if (r == 0)
        r = write_map(pid, "gid_map", q->gid_map, e);
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    if (r == 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r == 0 && fd < 0)
        r = error_errno(e, -errno, "open %s", path);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return r < 0 ? r : fd;
}

/* A tmpfs stacked upon the root; paths go on leading to what lies below. */
static int make_stage(struct error *e) {
    _cleanup_fd_ int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
    int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), fd = -1;

    if (r >= 0)
        r = fd = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (r >= 0)
        r = sys_move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
    if (r >= 0)
        r = sys_fchdir(fd);
    return r < 0 ? error_errno(e, r, "make a place for the layers") : fd;
}

static int attach(int stage, const char *name, const char *path, int userns, struct error *e) {
    _cleanup_fd_ int fd = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
    int r = fd;

    if (r >= 0 && userns >= 0)
        r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr));
    if (r >= 0)
        r = mkdirat(stage, name, 0700) < 0 ? -errno : sys_move_mount(fd, "", stage, name, MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? error_errno(e, r, "attach %s", path) : 0;
}

static int mount_here(const struct view_request *q, int userns, int stage, struct error *e) {
    _cleanup_buf_ struct buf data = BUF_INIT;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
    int r = 0, fd;

    buf_add_str(&data, "userxattr,lowerdir=");
    if (r == 0 && q->upper) {
        r = attach(stage, "u", q->upper, -1, e);
        buf_add_str(&data, q->lowers->n ? "u:" : "u");
    }
    for (size_t i = 0; r == 0 && i < q->lowers->n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%zu", i);
        buf_printf(&data, "%s%s", i ? ":" : "", name);
        r = attach(stage, name, q->lowers->v[i], userns, e);
    }
    if (r == 0 && q->container) {
        r = attach(stage, "c", q->container, -1, e);
        buf_add_str(&data, ",upperdir=c/upper,workdir=c/work");
    }
    if (r < 0)
        return r;
    if (data.size > DATA_MAX)
        return error_set(e, -E2BIG, "the container has too many layers for one overlay");
    r = mkdirat(stage, "root", 0700) < 0 ? -errno : 0;
    if (r == 0)
        r = sys_mount("overlay", "root", "overlay", q->container ? 0 : MS_RDONLY, buf_text(&data));
    if (r < 0)
        return error_errno(e, r, "mount overlay");
    fd = sys_open_tree(AT_FDCWD, "root", OPEN_TREE_CLONE | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, fd, "take the merged layers");
    if (!q->container)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr));
    return r < 0 ? error_errno(e, r, "restrict the merged layers") : fd;
}

static int in_child(const struct view_request *q, struct error *e) {
    int userns = -1, stage, r;

    /* First: with something stacked upon our root we pass for chrooted, and may make no user namespace. */
    if (q->uid_map) {
        userns = mapping(q, e);
        if (userns < 0)
            return userns;
    }
    if (unshare(CLONE_NEWNS) < 0)
        return error_errno(e, -errno, "make a mount namespace");
    r = sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (r < 0)
        return error_errno(e, r, "cut the mounts off from the host's");
    stage = make_stage(e);
    r = stage < 0 ? stage : mount_here(q, userns, stage, e);
    fd_close(stage); /* the table of descriptors is our parent's, too */
    fd_close(userns);
    return r;
}

int view_mount(const struct view_request *q, struct error *e) {
    struct answer answer = {.fd = -EIO};
    _cleanup_error_ struct error inner = ERROR_INIT;
    int pair[2], status;
    ssize_t n;
    pid_t pid;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    /* Own memory, our descriptors. */
    pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        answer.fd = in_child(q, &inner);
        (void)snprintf(answer.text, sizeof(answer.text), "%s", inner.text ? inner.text : "");
        (void)fs_write_all(pair[1], &answer, sizeof(answer));
        _exit(0);
    }
    if (pid > 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    (void)fd_close(pair[1]);                                   /* or the read waits for ever after one that was killed */
    n = pid > 0 ? read(pair[0], &answer, sizeof(answer)) : -1; /* smaller than a pipe's room: it is there, or never will be */
    (void)fd_close(pair[0]);
    if (n != (ssize_t)sizeof(answer))
        return error_set(e, -EIO, "the process that merges the layers ended early");
    return answer.fd < 0 ? error_set(e, answer.fd, "%s", answer.text) : answer.fd;
}

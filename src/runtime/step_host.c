/* Steps of the monitor: what is done on the host before the child exists, and beside it. */
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include <sys/mman.h>

#include "base/fd_message.h"
#include "base/fs.h"
#include "kernel/cgroup.h"
#include "kernel/link.h"
#include "kernel/userns_map.h"
#include "runtime/executor_state.h"
#include "runtime/holder.h"
#include "runtime/rlimit.h"
#include "runtime/state.h"

#define OLD_PAIR_WAIT_MS 100

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

int step_cgroup(struct executor *x, const struct plan_step *s, struct error *e) {
    struct cgroup_op op = {
        .kind = (enum cgroup_op_kind)s->arg[0],
        .flags = (unsigned)s->arg[1],
        .dir = plan_text(x->plan, s->arg[2]),
        .file = plan_text(x->plan, s->arg[3]),
        .value = plan_text(x->plan, s->arg[4]),
        .other_file = plan_text(x->plan, s->arg[5]),
        .other_value = plan_text(x->plan, s->arg[6]),
        .what = plan_text(x->plan, s->arg[7]),
    };

    op.program = plan_data(x->plan, s->arg[8], &op.program_size);
    return cgroup_op_run(&op, 0, e);
}

/* The number in our own pid namespace (proc_pid_fdinfo(5)). */
static pid_t pid_of(int pidfd) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char path[40];
    const char *at;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    at = fs_read_at(AT_FDCWD, path, 4096, &text, NULL) == 0 ? strstr(buf_text(&text), "\nPid:") : NULL;
    return at ? (pid_t)strtol(at + strlen("\nPid:"), NULL, 10) : -1;
}

int step_cgroup_open(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *dir = plan_text(x->plan, s->arg[1]);
    char path[PATH_MAX];
    int fd, below;

    if (s->arg[2]) {
        fd = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    } else {
        /* `tasks`, not cgroup.procs: a thread that moves itself alone needs no lock of the whole system (and the child has one). */
        if ((size_t)snprintf(path, sizeof(path), "%s/tasks", dir) >= sizeof(path))
            return error_errno(e, -ENAMETOOLONG, "open cgroup %s", dir);
        fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    }
    if (fd < 0)
        return error_errno(e, fd, "open cgroup %s", dir);
    below = s->arg[2] && x->joined_pid >= 0 ? cgroup_open_below(fd, pid_of(x->joined_pid)) : -1;
    if (below >= 0)
        (void)sys_close(fd);
    slot_set(x, s->arg[0], below >= 0 ? below : fd);
    return 0;
}

static int make_owned(const char *path, uid_t uid, gid_t gid, struct error *e) {
    int r = sys_mkdirat(AT_FDCWD, path, 0755);

    if (r < 0 && r != -EEXIST)
        return error_errno(e, r, "create directory %s", path);
    if (uid != 0 || gid != 0) { /* also one that is there: the engine may have made it before the owner was known */
        r = sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
        if (r < 0)
            return error_errno(e, r, "give directory %s to %u:%u", path, uid, gid);
    }
    return 0;
}

int step_upper_make(struct executor *x, const struct plan_step *s, struct error *e) {
    uid_t uid = (uid_t)s->arg[2];
    gid_t gid = (gid_t)s->arg[3];
    int r = make_owned(plan_text(x->plan, s->arg[0]), uid, gid, e);

    return r < 0 ? r : make_owned(plan_text(x->plan, s->arg[1]), uid, gid, e);
}

int step_namespace_open(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[2]);
    int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return error_errno(e, fd, "open namespace %s", path);
    slot_set(x, s->arg[0], fd);
    return 0;
}

int step_namespace_of(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *owner = plan_text(x->plan, s->arg[3]);
    _cleanup_fd_ int dir = sys_openat(AT_FDCWD, owner, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), fd = -1;
    struct container_state state = {0};
    char path[64];
    int r = dir < 0 ? error_errno(e, dir, "open %s", owner) : state_read(-1, dir, &state, e);

    if (r < 0)
        return error_wrap(e, r, "look for the container whose %s namespace is shared", plan_text(x->plan, s->arg[2]));
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", state.pid, plan_text(x->plan, s->arg[2]));
    fd = state.pid > 0 ? sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -ESRCH;
    /* A number may come to mean another process between the state's reading and here; that one began later. */
    if (fd >= 0 && process_start_ticks(state.pid) != state.pid_start_ticks)
        fd = fd_close(fd);
    if (fd < 0)
        return error_set(e, -ESRCH, "cannot join namespace of a non running container: that of %s is gone", owner);
    slot_set(x, s->arg[0], TAKE_FD(fd));
    return 0;
}

/* Keeps a descriptor of the monitor's own, to go back once the child is there. */
static int enter_for_children(struct executor *x, unsigned kind, int fd, struct error *e) {
    const char *own = kind == CLONE_NEWPID ? "/proc/self/ns/pid" : "/proc/self/ns/time";
    int *back = &x->children_ns[kind == CLONE_NEWPID ? 0 : 1];
    int r;

    *back = sys_openat(AT_FDCWD, own, O_RDONLY | O_CLOEXEC, 0);
    if (*back < 0)
        return error_errno(e, *back, "open %s", own);
    r = sys_setns(fd, (int)kind);
    return r < 0 ? error_errno(e, r, "enter the %s namespace", kind == CLONE_NEWPID ? "pid" : "time") : 0;
}

int step_namespace_children(struct executor *x, const struct plan_step *s, struct error *e) {
    return enter_for_children(x, (unsigned)s->arg[1], slot_get(x, s->arg[0]), e);
}

int step_time_offsets(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *text = plan_text(x->plan, s->arg[0]);
    ssize_t n;
    int fd, r;

    x->children_ns[1] = sys_openat(AT_FDCWD, "/proc/self/ns/time", O_RDONLY | O_CLOEXEC, 0);
    if (x->children_ns[1] < 0)
        return error_errno(e, x->children_ns[1], "open the time namespace");
    r = sys_unshare(CLONE_NEWTIME);
    if (r < 0)
        return error_errno(e, r, "make a time namespace");
    fd = sys_openat(AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(e, fd, "open /proc/self/timens_offsets");
    n = sys_write(fd, text, strlen(text));
    (void)sys_close(fd);
    return n < 0 ? error_errno(e, (int)n, "set the clocks' offsets") : 0;
}

/* ---- The child's birth ---- */

static int explain_clone_error(int r, unsigned flags, struct error *e) {
    error_errno(e, r, "create the container's first process");
    if (r == -ENOSPC)
        error_hint(e, "a limit of namespaces is reached: sysctl user.max_*_namespaces, or nesting too deep");
    else if (r == -EPERM && flags & CLONE_NEWUSER)
        error_hint(e, "this host does not let you make user namespaces");
    else if (r == -EACCES)
        error_hint(e, "whose cgroup may not be entered from ours: both have to be below one that is ours, as under systemd-run "
                      "--user --scope");
    else if (r == -EINVAL)
        error_hint(e, "the kernel lacks one of the namespaces");
    return r;
}

static int clone_child(struct executor *x, unsigned flags, int64_t cgroup_slot, uint64_t more, struct error *e) {
    int pidfd = -1;
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | more, /* what the monitor ignores is not ignored inside (5.5) */
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = more & CLONE_PARENT ? 0 : SIGCHLD,
    };
    pid_t pid;

    if (cgroup_slot >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)slot_get(x, cgroup_slot);
    }
    pid = sys_clone3(&args, sizeof(args));
    if (pid < 0)
        return explain_clone_error(pid, flags, e);
    if (pid == 0) {
        x->is_child = true;
        x->pidfd = -1;
        return 0;
    }
    x->pid = pid;
    x->pidfd = pidfd;
    return 0;
}

/* A descriptor, not a number: where the pid namespace is joined, too, the helper lives in it and counts as those in there do. */
static void send_child(int socket, int result, int pidfd) {
    FD_ROOM(1) room = {0};
    struct iovec part = {.iov_base = &result, .iov_len = sizeof(result)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    fd_message_put(&header, &room, &pidfd, result == 0);
    (void)sys_sendmsg(socket, &header, MSG_NOSIGNAL);
}

/* The pidfd, or a negative errno. */
static int receive_child(int socket) {
    FD_ROOM(1) room;
    int result = 0, pidfd;
    struct iovec part = {.iov_base = &result, .iov_len = sizeof(result)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};

    if (sys_recvmsg(socket, &header, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(result))
        return -ECHILD;
    if (fd_message_take(&header, &pidfd, 1) == 0)
        return result < 0 ? result : -ECHILD;
    return pidfd;
}

/* A user namespace that is joined has to own the namespaces that are new: a helper enters it and makes the child there, as a child
 * of the monitor (CLONE_PARENT), which the helper tells of it. */
static int clone_below_user(struct executor *x, unsigned flags, int64_t cgroup_slot, int user_fd, struct error *e) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    int pair[2];
    int status = 0;
    pid_t helper;
    int r;

    r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    if (r < 0)
        return error_errno(e, r, "make a socket pair");
    helper = sys_clone3(&args, sizeof(args));
    if (helper == 0) {
        r = sys_setns(user_fd, CLONE_NEWUSER);
        if (r == 0)
            r = clone_child(x, flags, cgroup_slot, CLONE_PARENT, NULL);
        if (x->is_child)
            return 0;
        send_child(pair[1], r < 0 ? r : 0, x->pidfd);
        _exit(0);
    }
    (void)sys_close(pair[1]);
    r = helper > 0 ? receive_child(pair[0]) : helper;
    (void)sys_close(pair[0]);
    if (helper > 0)
        (void)sys_wait4(helper, &status, 0);
    if (r < 0)
        return explain_clone_error(r, flags | CLONE_NEWUSER, e);
    x->pidfd = r;
    x->pid = pid_of(r);
    return x->pid > 0 ? 0 : error_set(e, -ECHILD, "the container's first process ended before it began");
}

static bool plan_has(const struct plan *plan, uint16_t op) {
    for (size_t i = 0; i < plan->n; i++)
        if (plan->steps[i].op == op)
            return true;
    return false;
}

int step_clone(struct executor *x, const struct plan_step *s, struct error *e) {
    unsigned flags = (unsigned)s->arg[0];
    int user_fd = slot_get(x, s->arg[2]);

    if (x->joined_pid >= 0 && plan_has(x->plan, PLAN_BIRTH)) {
        void *room = mmap(NULL, sizeof(*x->born), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (room == MAP_FAILED)
            return error_errno(e, -errno, "prepare the birth of the process");
        x->born = room;
    }
    if (user_fd >= 0)
        return clone_below_user(x, flags, s->arg[1], user_fd, e);
    return clone_child(x, flags, s->arg[1], 0, e);
}

/* ---- Beside the child ---- */

static int child_dir(struct executor *x, struct error *e) {
    char path[32];

    if (x->child_dir < 0) {
        snprintf(path, sizeof(path), "/proc/%d", x->pid); /* not reaped yet, so the number is still the child's */
        x->child_dir = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    }
    return x->child_dir >= 0 ? x->child_dir : error_errno(e, x->child_dir, "open the child's /proc directory");
}

static int child_write(struct executor *x, const char *file, const char *text, struct error *e) {
    int dir = child_dir(x, e);
    ssize_t n;
    int fd;

    if (dir < 0)
        return dir;
    fd = sys_openat(dir, file, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(e, fd, "open %s of the child", file);
    n = sys_write(fd, text, strlen(text));
    (void)sys_close(fd);
    return n < 0 ? error_errno(e, (int)n, "write %s of the child", file) : 0;
}

int step_id_map(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = child_write(x, "uid_map", plan_text(x->plan, s->arg[0]), e);

    return r < 0 ? r : child_write(x, "gid_map", plan_text(x->plan, s->arg[1]), e);
}

int step_tree_open(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[1]), *below = plan_text(x->plan, s->arg[3]);
    unsigned flags = OPEN_TREE_CLONE | O_CLOEXEC | (s->arg[2] ? (unsigned)AT_RECURSIVE : 0);
    _cleanup_fd_ int base = -1, part = -1;
    int fd;

    if (!below) {
        fd = sys_open_tree(AT_FDCWD, path, flags);
        if (fd < 0)
            return error_errno(e, fd, "open %s", path);
        slot_set(x, s->arg[0], fd);
        return 0;
    }
    /* Containers write to what is above: it is looked up once, cannot lead out, and what was found is what is shown. */
    base = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    part = base < 0 ? base : open_how(base, below, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    fd = part < 0 ? part : sys_open_tree(part, "", flags | AT_EMPTY_PATH);
    if (fd < 0) {
        error_errno(e, fd, "open %s below %s", below, path);
        return fd == -EXDEV ? error_hint(e, "it leads out of the volume") : fd;
    }
    slot_set(x, s->arg[0], fd);
    return 0;
}

static int child_user_ns(struct executor *x, struct error *e) {
    int dir;

    if (x->user_ns >= 0)
        return x->user_ns;
    dir = child_dir(x, e);
    if (dir < 0)
        return dir;
    x->user_ns = sys_openat(dir, "ns/user", O_RDONLY | O_CLOEXEC, 0);
    return x->user_ns >= 0 ? x->user_ns : error_errno(e, x->user_ns, "open the child's user namespace");
}

int step_tree_map(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *uids = plan_text(x->plan, s->arg[2]);
    _cleanup_fd_ int own = -1;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
    int r;

    if (uids)
        r = own = userns_of_maps(uids, plan_text(x->plan, s->arg[3]), e);
    else
        r = s->arg[4] >= 0 ? slot_get(x, s->arg[4]) : child_user_ns(x, e);
    if (r < 0)
        return r;
    attr.userns_fd = (uint64_t)r;
    r = sys_mount_setattr(slot_get(x, s->arg[0]), "", AT_EMPTY_PATH | (s->arg[1] ? (unsigned)AT_RECURSIVE : 0), &attr,
                          sizeof(attr));
    if (r < 0) {
        error_errno(e, r, "shift the owners of a mount");
        if (r == -EINVAL)
            error_hint(e, "the file system cannot be mounted with shifted ids; see mount_setattr(2)");
        return r;
    }
    return 0;
}

int step_link_make(struct executor *x, const struct plan_step *s, struct error *e) {
    struct link link;
    size_t size = 0;
    const void *p = plan_data(x->plan, s->arg[2], &size);
    int r;

    if (size != sizeof(link))
        return error_set(e, -EPROTO, "the plan's interface has a wrong size");
    memcpy(&link, p, sizeof(link));
    r = link_create(&link, -1, x->pid, e);
    if (r != -EEXIST || link.kind != LINK_VETH)
        return r;
    /* A restart: the pair of the last run is still dying with its namespace. Its name is ours, so it may be taken away by hand
     * where something keeps the namespace (a container that shares it). */
    for (int waited_ms = 0; link_index(link.host_name) && waited_ms < OLD_PAIR_WAIT_MS; waited_ms++)
        (void)usleep(1000);
    error_release(e);
    r = link_delete(link.host_name, e);
    return r < 0 ? r : link_create(&link, -1, x->pid, e);
}

int step_names(struct executor *x, const struct plan_step *s, struct error *e) {
    (void)s;
    return names_open(x->pid, x->out->names, e);
}

int step_link_move(struct executor *x, const struct plan_step *s, struct error *e) {
    return link_move(plan_text(x->plan, s->arg[0]), plan_text(x->plan, s->arg[1]), x->pid, e);
}

int step_limit_child(struct executor *x, const struct plan_step *s, struct error *e) {
    return rlimit_raise(x->pid, plan_text(x->plan, s->arg[0]), (uint64_t)s->arg[1], (uint64_t)s->arg[2], e);
}

int step_oom_child(struct executor *x, const struct plan_step *s, struct error *e) {
    char text[16];

    snprintf(text, sizeof(text), "%d", (int)s->arg[0]);
    return child_write(x, "oom_score_adj", text, e);
}

int step_release(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sync_send(x, SYNC_RELEASE, -1);

    (void)s;
    return r < 0 ? error_errno(e, r, "let the child go on") : 0;
}

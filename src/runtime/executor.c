#include "runtime/executor.h"

#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kernel/netns.h"
#include "runtime/executor_state.h"
#include "runtime/explain.h"

#define MESSAGE_TEXT_MAX 4000

/* One datagram of the socket between monitor and child. */
struct message {
    uint32_t kind; /* enum sync_kind */
    int32_t code;
    int32_t status;
    char text[MESSAGE_TEXT_MAX]; /* of an error: text, NUL, hint, NUL */
};
#define MESSAGE_HEAD offsetof(struct message, text)

/* ---- Descriptors that steps share ---- */

int slot_get(const struct executor *x, int64_t slot) {
    return slot >= 0 && (size_t)slot < x->n_slots ? x->slots[slot] : -1;
}

void slot_set(struct executor *x, int64_t slot, int fd) {
    if (slot < 0 || (size_t)slot >= x->n_slots) {
        fd_close(fd);
        return;
    }
    fd_close(x->slots[slot]);
    x->slots[slot] = fd;
}

static size_t slots_needed(const struct plan *plan) {
    int64_t max = -1;

    for (size_t i = 0; i < plan->n; i++)
        for (size_t a = 0; a < PLAN_ARGS; a++)
            if (step_ops[plan->steps[i].op].arg[a].kind == STEP_SLOT)
                max = MAX_OF(max, plan->steps[i].arg[a]);
    return (size_t)(max + 1);
}

int open_how(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve) {
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .mode = mode, .resolve = resolve};
    int r = -EAGAIN;

    for (int tries = 0; tries < 128 && (r == -EAGAIN || r == -EINTR); tries++) /* a rename somewhere raced with the look-up */
        r = sys_openat2(dirfd, path, &how, sizeof(how));
    return r;
}

/* ---- Messages ---- */

static int message_send(struct executor *x, const struct message *m, size_t size, int fd) {
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)m, .iov_len = size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t r;

    if (fd >= 0) {
        control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
        header.msg_control = &control;
        header.msg_controllen = sizeof(control);
    }
    r = sys_sendmsg(x->sync_fd, &header, MSG_NOSIGNAL);
    return r < 0 ? (int)r : 0;
}

/* The size of the datagram, 0 when the other side is gone, or a negative errno. *ret_fd: a descriptor that came along, or -1. */
static int message_receive(struct executor *x, struct message *m, int *ret_fd) {
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = m, .iov_len = sizeof(*m) - 2};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    bool told = false;
    ssize_t r;

    for (;;) {
        r = sys_recvmsg(x->sync_fd, &header, MSG_CMSG_CLOEXEC);
        /* The other side died without having read all: that is told once, before what it said last. */
        if (r != -EINTR && (r != -ECONNRESET || told))
            break;
        told |= r == -ECONNRESET;
    }
    *ret_fd = -1;
    if (r <= 0)
        return r == -ECONNRESET ? 0 : (int)r;
    ((char *)m)[r] = ((char *)m)[r + 1] = '\0';
    if (header.msg_controllen >= CMSG_LEN(sizeof(int)) && control.head.cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(&control.head), sizeof(int));
    return (int)r;
}

int sync_send(struct executor *x, enum sync_kind kind, int fd) {
    const struct message m = {.kind = kind, .code = x->pid};

    return message_send(x, &m, MESSAGE_HEAD, fd);
}

int sync_await(struct executor *x, enum sync_kind kind, struct error *e) {
    struct message m;
    int fd = -1;
    int r = message_receive(x, &m, &fd);

    fd_close(fd);
    if (r < 0)
        return error_errno(e, r, "wait for the monitor");
    if (r == 0 || m.kind != kind)
        return error_set(e, -ECANCELED, "the monitor gave up");
    if (m.code > 0)
        x->own_pid = m.code;
    return 0;
}

static void report_error(struct executor *x, const struct error *e) {
    struct message m = {.kind = SYNC_ERROR, .code = e->code, .status = e->status};
    size_t text = MIN_OF(strlen(e->text ? e->text : ""), sizeof(m.text) / 2);
    size_t hint = MIN_OF(strlen(e->hint ? e->hint : ""), sizeof(m.text) / 2 - 4);

    memcpy(m.text, e->text ? e->text : "", text);
    memcpy(m.text + text + 1, e->hint ? e->hint : "", hint);
    (void)message_send(x, &m, MESSAGE_HEAD + text + 1 + hint + 1, -1);
}

/* ---- Running steps ---- */

static int run_step(struct executor *x, const struct plan_step *s, struct error *e) {
    const struct step_op *op = &step_ops[s->op];
    int r;

    x->step = s;
    if (x->explain)
        explain_step(x->explain, s);
    r = op->run(x, s, e);
    if (x->is_child && s->op == PLAN_CLONE && x->explain)
        buf_clear(&x->explain->text); /* the monitor tells about that step */
    if (x->explain && x->explain->text.size > 0)
        explain_step_done(x->explain, s, r);
    if (r < 0 && s->flags & PLAN_MAY_FAIL && (r == -ENOENT || r == -ENOTDIR || r == -ENOSYS || r == -EOPNOTSUPP)) {
        error_release(e);
        return 0;
    }
    return r;
}

static int run_role(struct executor *x, enum plan_role role, struct error *e) {
    for (size_t i = 0; i < x->plan->n; i++) {
        int r = x->plan->steps[i].role == role ? run_step(x, &x->plan->steps[i], e) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- The child ---- */

static _Noreturn void child_main(struct executor *x) {
    _cleanup_error_ struct error e = ERROR_INIT;

    netns_use(NETNS_OWN);
    fd_close(x->sync_fd); /* the monitor's end: held here too, its death would go unnoticed */
    x->sync_fd = x->other_fd;
    run_role(x, PLAN_CHILD, &e);
    report_error(x, &e);
    if (x->explain)
        explain_end(x->explain);
    _exit(e.status ? e.status : EXIT_ENGINE);
}

/* ---- The monitor ---- */

static int child_reap(struct executor *x) {
    int status = 0;
    int r;

    if (x->pid <= 0) /* somebody else's child (executor_start) */
        return 0;

    do
        r = sys_wait4(x->pid, &status, 0);
    while (r == -EINTR);
    return status;
}

/* The child is dead or about to be; who took its place goes with it. */
static void child_end(struct executor *x) {
    (void)child_reap(x);
    x->pid = 0;
    if (x->born && *x->born > 0) {
        x->pid = *x->born;
        *x->born = 0;
        (void)sys_kill(x->pid, SIGKILL);
        child_end(x);
    }
}

static void child_kill(struct executor *x) {
    if (x->pid <= 0)
        return;
    (void)sys_kill(x->pid, SIGKILL);
    child_end(x);
}

static int error_from(const struct message *m, struct error *e) {
    const char *hint = m->text + strlen(m->text) + 1;
    int code = m->code < 0 ? m->code : -EPROTO;

    error_set(e, code, "%s", m->text);
    if (*hint)
        error_hint(e, "%s", hint);
    if (m->status)
        error_status(e, m->status);
    return code;
}

static int died_in_setup(struct executor *x, struct error *e) {
    int status = child_reap(x);

    x->pid = 0;
    if (WIFSIGNALED(status))
        return error_set(e, -ECHILD, "the first process was killed by signal %d before its program started", WTERMSIG(status));
    return error_set(e, -ECHILD, "the first process ended with status %d before its program started", WEXITSTATUS(status));
}

/* The process that took the child's place is the monitor's child now. */
static int born_take(struct executor *x, struct error *e) {
    if (*x->born <= 0)
        return died_in_setup(x, e);
    (void)child_reap(x);
    x->pid = *x->born;
    *x->born = 0;
    fd_close(x->pidfd);
    x->pidfd = sys_pidfd_open(x->pid, 0); /* not reaped, so the number is still its own */
    return x->pidfd < 0 ? error_errno(e, x->pidfd, "watch the process") : 0;
}

/* Follows the child until it says `until`, its program runs (the socket closes with the execve), or it fails. */
static int child_follow(struct executor *x, enum sync_kind until, struct execution *out, struct error *e) {
    for (;;) {
        struct message m;
        int fd = -1;
        int r = message_receive(x, &m, &fd);

        if (r < 0)
            return error_errno(e, r, "hear from the container's first process");
        if (r == 0)
            return !x->is_ready ? died_in_setup(x, e) : x->born ? born_take(x, e) : 0;
        if (m.kind == SYNC_ERROR) {
            r = error_from(&m, e);
            fd_close(fd);
            child_end(x);
            return r;
        }
        if (m.kind == SYNC_CONSOLE && fd >= 0 && !x->is_ready) {
            fd_close(out->console_fd);
            out->console_fd = TAKE_FD(fd);
        }
        fd_close(fd);
        x->is_ready |= m.kind == SYNC_READY;
        if (m.kind == until)
            return 0;
    }
}

int child_await(struct executor *x, enum sync_kind kind, struct error *e) {
    return child_follow(x, kind, x->out, e);
}

/* The child said what was wrong, or the parent did: what happened first counts. */
static int parent_failed(struct executor *x, int r, struct execution *out, struct error *e) {
    _cleanup_error_ struct error theirs = ERROR_INIT;
    struct pollfd p = {.fd = x->sync_fd, .events = POLLIN};

    if (x->pid <= 0)
        return r;
    if (poll(&p, 1, 0) == 1 && p.revents & POLLIN) {
        int code = child_follow(x, SYNC_READY, out, &theirs);

        if (code < 0) {
            error_move(e, &theirs);
            r = code;
        }
    }
    child_kill(x);
    return r;
}

/* The host's own pid namespace cannot be entered again from a user namespace (its owner is the host's): a rootless worker stays,
 * which costs nothing, as the only children it will ever have are born in the container. */
static int back_to_own_namespaces(struct executor *x, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(x->children_ns); i++) {
        int r;

        if (x->children_ns[i] < 0)
            continue;
        if (x->explain)
            explain_note(x->explain, "parent", "go back, children are no longer to be born there");
        r = sys_setns(x->children_ns[i], 0);
        if (r < 0 && r != -EPERM)
            return error_errno(e, r, "go back to the monitor's own namespace");
    }
    return 0;
}

static int carry_out(struct executor *x, struct execution *out, struct error *e) {
    int pair[2];
    int r;

    r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    if (r < 0)
        return error_errno(e, r, "make a socket pair");
    x->sync_fd = pair[0];
    x->other_fd = pair[1];
    r = run_role(x, PLAN_HOST, e);
    if (r == 0 && x->is_child)
        child_main(x);
    x->other_fd = fd_close(x->other_fd); /* so that the socket ends when the child does */
    if (r == 0)
        r = back_to_own_namespaces(x, e);
    if (r == 0)
        r = run_role(x, PLAN_PARENT, e);
    if (r < 0)
        return parent_failed(x, r, out, e);
    if (x->explain)
        explain_note(x->explain, "parent", "wait, the socket ends when the program runs");
    r = child_follow(x, x->io->hold ? SYNC_READY : SYNC_ERROR, out, e);
    if (r == 0 && !x->io->hold)
        r = run_role(x, PLAN_AFTER, e);
    if (r < 0)
        child_kill(x);
    return r;
}

static void executor_close(struct executor *x) {
    int *const fds[] = {&x->pidfd, &x->sync_fd, &x->other_fd, &x->children_ns[0], &x->children_ns[1], &x->user_ns, &x->child_dir};

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        *fds[i] = fd_close(*fds[i]);
    for (size_t i = 0; i < x->n_slots; i++)
        fd_close(x->slots[i]);
    free(x->slots);
    if (x->born)
        (void)munmap((void *)(uintptr_t)x->born, sizeof(*x->born));
}

static int execute(const struct plan *plan, int joined_pid, const struct executor_io *io, struct execution *ret, struct error *e) {
    struct explain explain = {.fd = -1};
    struct executor x = {
        .plan = plan,
        .io = io,
        .n_slots = slots_needed(plan),
        .agent_slot = -1,
        .pidfd = -1,
        .sync_fd = -1,
        .joined_pid = joined_pid,
        .children_ns = {-1, -1},
        .user_ns = -1,
        .child_dir = -1,
        .other_fd = -1,
        .root_fd = -1,
        .proc_fd = -1,
        .on_proc = -1,
        .on_sys = -1,
        .dev_fd = -1,
        .pts_fd = -1,
        .empty_fd = -1,
        .null_fd = -1,
        .terminal_fd = -1,
        .cwd_fd = -1,
    };
    _cleanup_execution_ struct execution out = EXECUTION_INIT;
    int r;

    x.out = &out;
    x.slots = malloc(sizeof(int) * (x.n_slots + 1));
    if (!x.slots)
        return error_errno(e, -ENOMEM, "prepare");
    for (size_t i = 0; i < x.n_slots; i++)
        x.slots[i] = -1;
    if (io->explain_fd >= 0) {
        explain_begin(&explain, plan, io->explain_fd);
        x.explain = &explain;
    }
    r = carry_out(&x, &out, e);
    if (x.explain)
        explain_end(&explain);
    if (r == 0) {
        out.pid = x.pid;
        out.pidfd = TAKE_FD(x.pidfd);
        if (io->hold)
            out.hold_fd = TAKE_FD(x.sync_fd);
        *ret = out;
        out = (struct execution)EXECUTION_INIT;
    }
    executor_close(&x);
    return r;
}

int executor_run(const struct plan *plan, const struct executor_io *io, struct execution *ret, struct error *e) {
    return execute(plan, -1, io, ret, e);
}

int executor_exec(const struct plan *plan, int pidfd, const struct executor_io *io, struct execution *ret, struct error *e) {
    return execute(plan, pidfd, io, ret, e);
}

int executor_release(struct execution *execution, struct error *e) {
    struct executor x = {.pid = execution->pid, .sync_fd = execution->hold_fd};
    int r = sync_send(&x, SYNC_RELEASE, -1);

    execution->hold_fd = fd_close(execution->hold_fd); /* what was sent stays there to be read */
    return r < 0 ? error_errno(e, r, "let the container's first process go") : 0;
}

int executor_start(int connected_fd, struct error *e) {
    struct execution out = EXECUTION_INIT;
    struct executor x = {.sync_fd = connected_fd, .is_ready = true};
    int r = sync_send(&x, SYNC_RELEASE, -1);

    return r < 0 ? error_errno(e, r, "let the container's program start") : child_follow(&x, SYNC_ERROR, &out, e);
}

void execution_release(struct execution *x) {
    x->pidfd = fd_close(x->pidfd);
    x->console_fd = fd_close(x->console_fd);
    x->hold_fd = fd_close(x->hold_fd);
    for (size_t i = 0; i < HOLDER_NAMES_FDS; i++)
        x->names[i] = fd_close(x->names[i]);
}

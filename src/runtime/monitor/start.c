/* From the launch description to a running program. */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/lock.h"
#include "kernel/cgroup_own.h"
#include "runtime/plan.h"

#define SETTLE_NS (300 * 1000 * 1000LL)

int launch_reload(const struct monitor *m, struct buf *room, struct monitor_launch *ret, struct error *e) {
    int r = fs_read_at(m->l.run_dirfd, LAUNCH_FILE, LAUNCH_SIZE_MAX, room, e);

    if (r < 0)
        return error_wrap(e, r, "read the launch description");
    r = launch_decode(room->data, room->size, ret);
    return r < 0 ? error_set(e, r, "the launch description is damaged") : 0;
}

int monitor_prepare(struct monitor *m, struct error *e) {
    int r;

    m->lock_fd = openat(m->l.run_dirfd, STATE_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m->lock_fd < 0)
        return error_errno(e, -errno, "open the container's lock");
    r = lock_own(m->lock_fd);
    if (r == -EAGAIN)
        return error_set(e, -EALREADY, "container %s is already running", m->l.name ? m->l.name : m->l.id);
    if (r < 0)
        return error_errno(e, r, "take the container's lock");
    boot_id_read(m->state.boot_id);
    m->state.monitor_pid = getpid();
    m->state.restart_count = m->l.restart_count;
    return clients_listen(m, e);
}

static int run_plan(struct monitor *m, const struct monitor_launch *l, const struct stdio_child *child, struct execution *x,
                    struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    struct executor_io io = EXECUTOR_IO_INIT;
    int r = plan_decode(l->plan, l->plan_size, &plan, e);

    if (r < 0)
        return r;
    io.in = child->in;
    io.out = child->out;
    io.err = child->err;
    io.terminal = m->l.tty;
    io.rows = (unsigned short)m->l.rows;
    io.columns = (unsigned short)m->l.cols;
    io.explain_fd = m->l.explain_fd;
    io.init_run = init_run;
    if (m->is_exec)
        return executor_exec(&plan, m->pidfd, &io, x, e);
    return executor_run(&plan, &io, x, e);
}

static void stdio_child_release(struct stdio_child *c) {
    c->in = fd_close(c->in);
    c->out = fd_close(c->out);
    c->err = fd_close(c->err);
}

int monitor_start_program(struct monitor *m, struct error *e) {
    _cleanup_(stdio_child_release) struct stdio_child child = {-1, -1, -1};
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    _cleanup_buf_ struct buf room = BUF_INIT;
    struct monitor_launch l = m->l;
    int r;

    if (!m->is_exec && m->l.plan_size == 0) { /* a restart */
        r = launch_reload(m, &room, &l, e);
        if (r < 0)
            return r;
    }
    if (!m->is_exec) {
        r = log_open(&m->l.log, m->l.container_dirfd, m->l.id, m->l.cgroup, &m->log, e);
        if (r < 0)
            return r;
    }
    r = stdio_make(m, &child, e);
    if (r == 0)
        r = run_plan(m, &l, &child, &x, e);
    if (r < 0)
        return r;
    m->pidfd = fd_close(m->pidfd);
    m->pidfd = TAKE_FD(x.pidfd);
    m->state.pid = x.pid;
    m->phase = PHASE_RUNNING;
    m->started_ns = clock_monotonic_ns();
    for (size_t i = 0; i < HOLDER_NAMES_FDS; i++)
        m->holder.names[i] = TAKE_FD(x.names[i]);
    holder_started(m);
    if (m->l.tty) {
        r = stdio_take_terminal(m, TAKE_FD(x.console_fd), e);
        if (r < 0)
            return r;
    }
    r = stdio_watch(m);
    return r < 0 ? error_errno(e, r, "watch the container's streams") : 0;
}

void monitor_started(struct monitor *m) {
    m->state.started_at = clock_wall();
    m->state.pid_start_ticks = process_start_ticks(m->state.pid);
    m->state.status = STATUS_RUNNING;
    m->state.exit_code = 0;
    m->state.exit_unknown = m->state.oom_killed = false;
    m->state.error[0] = '\0';
    m->state.finished_at = (struct timespec){0};
    m->end_told = false;
    health_begin(m);
    monitor_state_save(m);
    monitor_event(m, "start", NULL);
}

/* Of the launch description in memory only what is small stays. */
static void keep_small(struct monitor *m, struct monitor_launch l) {
    struct buf small = BUF_INIT;
    const uint32_t restart = l.restart, restart_max = l.restart_max;

    l.plan = "";
    l.plan_size = 0;
    if (l.health.plan) {
        l.health.plan = "";
        l.health.plan_size = 0;
    }
    launch_encode(&l, &small);
    if (small.failed || launch_decode(small.data, small.size, &l) < 0) {
        buf_release(&small);
        return;
    }
    l.container_dirfd = m->l.container_dirfd;
    l.run_dirfd = m->l.run_dirfd;
    l.root_fd = m->l.root_fd;
    l.run_root_fd = m->l.run_root_fd;
    l.restart = restart;
    l.restart_max = restart_max;
    m->l = l;
    buf_release(&m->launch);
    m->launch = small;
}

int monitor_rename(struct monitor *m, struct error *e) {
    _cleanup_buf_ struct buf room = BUF_INIT;
    struct monitor_launch now = m->l, file;
    int r = launch_reload(m, &room, &file, e);

    if (r < 0)
        return r;
    now.name = file.name;
    now.event_attributes = file.event_attributes;
    keep_small(m, now);
    return 0;
}

void monitor_settle(struct monitor *m) {
    m->l.explain_fd = fd_close(m->l.explain_fd);
    keeper_start(m);
    if (m->is_exec)
        return;
    /* In the foreground a container often lives for a moment only: what is of use to a longer life comes a little later. */
    if (m->l.attached)
        m->deadline[DEADLINE_SETTLE] = clock_monotonic_ns() + SETTLE_NS;
    else
        monitor_settle_late(m);
}

void monitor_settle_late(struct monitor *m) {
    (void)fs_replace_at(m->l.run_dirfd, LAUNCH_FILE, m->launch.data, m->launch.size, 0600, FS_NO_SYNC, NULL);
    keep_small(m, m->l);
    (void)own_cgroup_enter(m->l.cgroup);
    m->in_own_cgroup = true;
    holder_settled(m);
    monitor_remember(m);
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

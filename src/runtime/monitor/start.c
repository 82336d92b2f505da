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
#include "runtime/plan.h"

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
        r = log_open(&m->l.log, m->l.container_dirfd, m->l.id, m->l.name, &m->log, e);
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
    m->state.oom_killed = false;
    m->state.error[0] = '\0';
    m->state.finished_at = (struct timespec){0};
    health_begin(m);
    monitor_state_save(m);
    monitor_event(m, "start", NULL);
}

/* Keeps the launch description as a file, and of the one in memory only what is small. */
static void shrink_launch(struct monitor *m) {
    struct buf small = BUF_INIT;
    struct monitor_launch l = m->l;
    const uint32_t restart = l.restart, restart_max = l.restart_max;

    (void)fs_replace_at(m->l.run_dirfd, LAUNCH_FILE, m->launch.data, m->launch.size, 0600, FS_NO_SYNC, NULL);
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

void monitor_settle(struct monitor *m) {
    bool may_be_needed = !m->l.attached || m->l.restart != RESTART_NO || m->l.health.plan;

    m->l.explain_fd = fd_close(m->l.explain_fd);
    if (may_be_needed && !m->is_exec) {
        /* The log writer borrows the options from m->l, whose strings move: it reads them through m->l.log. */
        shrink_launch(m);
        (void)malloc_trim(0);
    }
    keeper_start(m);
}

/* ---- roles ---- */

static void take_fds(int fds[LAUNCH_FDS], uint32_t mask, int ret[LAUNCH_FDS]) {
    size_t next = 0;

    for (size_t i = 0; i < LAUNCH_FDS; i++)
        ret[i] = mask & (1u << i) ? fds[next++] : -1;
}

static int receive_launch(struct monitor *m, int socket_fd, struct error *e) {
    int received[LAUNCH_FDS], fds[LAUNCH_FDS];
    struct frame f;
    int r;

    m->launch.max = LAUNCH_SIZE_MAX + 1;
    r = frame_receive(socket_fd, &m->launch, &f, received, LAUNCH_FDS);
    if (r < 0 || f.type != FRAME_LAUNCH)
        return error_errno(e, r < 0 ? r : -EPROTO, "receive the launch description");
    take_fds(received, launch_fd_mask(f.data, f.size), fds);
    r = m->is_exec ? launch_decode_exec(f.data, f.size, &m->x) : launch_decode(f.data, f.size, &m->l);
    if (r < 0)
        return error_set(e, r, "the launch description is damaged");
    m->l.container_dirfd = fds[LAUNCH_FD_CONTAINER];
    m->l.run_dirfd = fds[LAUNCH_FD_RUN];
    m->l.root_fd = fds[LAUNCH_FD_ROOT];
    m->l.run_root_fd = fds[LAUNCH_FD_RUN_ROOT];
    m->l.explain_fd = fds[LAUNCH_FD_EXPLAIN];
    m->l.holder_fd = fds[LAUNCH_FD_HOLDER];
    return 0;
}

static void answer_error(int socket_fd, int code, const struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;

    frame_add_error(&b, code, e);
    (void)frame_send(socket_fd, &b, NULL, 0);
}

/* Tells the starter that it runs; with `attached` the connection goes on as the foreground client. */
static void answer_started(struct monitor *m, int socket_fd) {
    const uint32_t pid = (uint32_t)m->state.pid;
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct client *c;

    frame_add_u32s(&b, FRAME_STARTED, &pid, 1);
    (void)frame_send(socket_fd, &b, NULL, 0);
    if (!m->l.attached) {
        fd_close(socket_fd);
        return;
    }
    c = client_new(m, socket_fd);
    if (!c)
        return;
    c->greeted = c->primary = c->waiting = true;
    c->condition = m->l.auto_remove ? WAIT_REMOVED : WAIT_NEXT_EXIT;
    c->streams =
        (m->l.attach_stdin ? STREAM_IN : 0u) | (m->l.attach_stdout ? STREAM_OUT : 0u) | (m->l.attach_stderr ? STREAM_ERR : 0u);
}

static void monitor_init(struct monitor *m, bool is_exec) {
    *m = (struct monitor){.l = MONITOR_LAUNCH_INIT, .x = MONITOR_EXEC_INIT, .is_exec = is_exec};
    m->lock_fd = m->pidfd = m->epoll_fd = m->slave_fd = -1;
    m->listener.fd = m->signals.fd = m->input.fd = m->health.output.fd = -1;
    for (int i = 0; i < 2; i++)
        m->outputs[i].source.fd = -1;
    m->signals.fd = -1;
    (void)setsid();
    (void)prctl(PR_SET_NAME, is_exec ? "tare-exec" : "tare-monitor");
}

/* What a failed start leaves: nothing but the reason. */
static void start_failed(struct monitor *m, int r, const struct error *e) {
    if (m->state.monitor_pid == 0) /* the lock is somebody else's, so is everything */
        return;
    m->state.status = STATUS_CREATED;
    m->state.exit_code = e->status ? e->status : EXIT_ENGINE;
    m->state.monitor_pid = 0;
    (void)snprintf(m->state.error, sizeof(m->state.error), "%s", e->text ? e->text : errno_text(r));
    stdio_close(m);
    m->log = log_close(m->log);
    monitor_state_save(m);
    loop_remove(m, &m->listener);
    monitor_undo(m);
    m->lock_fd = fd_close(m->lock_fd);
}

/* One container, one process: the monitor lives in static memory. */
static struct monitor the_monitor;

int role_container(int socket_fd) {
    struct monitor *m = &the_monitor;
    _cleanup_error_ struct error e = ERROR_INIT;
    int r;

    monitor_init(m, false);
    r = receive_launch(m, socket_fd, &e);
    if (r == 0)
        r = loop_init(m, &e);
    if (r == 0)
        r = monitor_prepare(m, &e);
    if (r == 0)
        r = monitor_start_program(m, &e);
    if (r < 0) {
        start_failed(m, r, &e);
        answer_error(socket_fd, r, &e);
        monitor_reap_trash(m);
        return EXIT_ENGINE;
    }
    monitor_started(m);
    answer_started(m, socket_fd);
    monitor_settle(m);
    loop_run(m);
    monitor_reap_trash(m);
    return 0;
}

static int open_payload(struct monitor *m, struct error *e) {
    const struct container_state s = {.pid = m->x.pid, .pid_start_ticks = m->x.pid_start_ticks};

    m->pidfd = state_open_pidfd(&s);
    return m->pidfd < 0 ? error_set(e, m->pidfd, "container %.12s is not running", m->x.id) : 0;
}

/* An exec is a monitor of little: no log, no state, no socket, no restart. */
static void adopt_exec_options(struct monitor *m) {
    const struct monitor_exec *x = &m->x;
    struct monitor_launch *l = &m->l;

    l->id = x->id;
    l->plan = x->plan;
    l->plan_size = x->plan_size;
    l->tty = x->tty;
    l->open_stdin = x->open_stdin;
    l->attached = x->attached;
    l->attach_stdin = x->attach_stdin;
    l->attach_stdout = x->attach_stdout;
    l->attach_stderr = x->attach_stderr;
    l->break_stdout = x->break_stdout;
    l->break_stderr = x->break_stderr;
    l->rows = x->rows;
    l->cols = x->cols;
}

/* exec-<id>: what inspect tells of an exec; pid while it runs, then its status. */
static void exec_record(struct monitor *m, const char *format, int value) {
    char name[80], text[32];

    if (m->l.run_dirfd < 0 || !m->x.exec_id || !*m->x.exec_id)
        return;
    (void)snprintf(name, sizeof(name), "exec-%s", m->x.exec_id);
    (void)snprintf(text, sizeof(text), "%s %d\n", format, value);
    (void)fs_replace_at(m->l.run_dirfd, name, text, strlen(text), 0600, FS_NO_SYNC, NULL);
}

int role_exec(int socket_fd) {
    struct monitor *m = &the_monitor;
    _cleanup_error_ struct error e = ERROR_INIT;
    int r;

    monitor_init(m, true);
    r = receive_launch(m, socket_fd, &e);
    if (r == 0) {
        adopt_exec_options(m);
        r = open_payload(m, &e);
    }
    if (r == 0)
        r = loop_init(m, &e);
    if (r == 0)
        r = monitor_start_program(m, &e);
    if (r < 0) {
        answer_error(socket_fd, r, &e);
        return EXIT_ENGINE;
    }
    exec_record(m, "pid", m->state.pid);
    answer_started(m, socket_fd);
    monitor_settle(m);
    loop_run(m);
    exec_record(m, "exit", m->state.exit_code);
    return 0;
}

/* The roles of the program: how each begins, answers whoever started it, and ends. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/fd_message.h"
#include "base/fs.h"
#include "kernel/cgroup_own.h"
#include "kernel/netns.h"
#include "runtime/monitor/monitor.h"

static void take_fds(int fds[LAUNCH_FDS], uint32_t mask, int ret[LAUNCH_FDS]) {
    size_t next = 0;

    for (size_t i = 0; i < LAUNCH_FDS; i++)
        ret[i] = mask & (1u << i) ? fds[next++] : -1;
}

/* An ordinary user's networks are in a namespace of his (network/rootless.h), bound in the run directory: pairs of interfaces are
 * made there, and published ports undone. Root's are where we are, and there is no such file. */
static void use_networks(int run_root_fd) {
    int fd = run_root_fd < 0 ? -1 : openat(run_root_fd, "netns", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd >= 0 && netns_is(fd))
        netns_use(fd);
    else
        (void)fd_close(fd);
}

/* What holds the published ports comes behind the description. */
static int receive_sockets(struct monitor *m, int socket_fd, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    int *sockets = m->l.n_sockets && m->l.n_sockets <= LAUNCH_SOCKETS_MAX ? malloc(m->l.n_sockets * sizeof(int)) : NULL, r = 0;
    size_t n = 0;

    if (!sockets)
        return m->l.n_sockets ? error_set(e, -E2BIG, "receive the sockets of published ports") : 0;
    while (r == 0 && n < m->l.n_sockets) {
        size_t wanted = MIN_OF(m->l.n_sockets - n, (size_t)FD_STREAM_MAX);
        struct frame f;

        r = frame_receive(socket_fd, &b, &f, sockets + n, wanted);
        if (r == 0 && (f.type != FRAME_SOCKETS || sockets[n + wanted - 1] < 0))
            r = -EMFILE; /* the kernel gives as many as there is room for */
        n += wanted;
    }
    if (r == 0)
        r = holder_take(m, sockets, n, m->l.n_watched);
    else
        free(sockets); /* whoever fails here ends */
    return r < 0 ? error_errno(e, r, "receive the sockets of published ports") : 0;
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
    use_networks(fds[LAUNCH_FD_RUN_ROOT]);
    m->l.container_dirfd = fds[LAUNCH_FD_CONTAINER];
    m->l.run_dirfd = fds[LAUNCH_FD_RUN];
    m->l.root_fd = fds[LAUNCH_FD_ROOT];
    m->l.run_root_fd = fds[LAUNCH_FD_RUN_ROOT];
    m->l.explain_fd = fds[LAUNCH_FD_EXPLAIN];
    m->l.holder_fd = fds[LAUNCH_FD_HOLDER];
    return m->is_exec ? 0 : receive_sockets(m, socket_fd, e);
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
    monitor_event(m, "attach", NULL);
    c->streams =
        (m->l.attach_stdin ? STREAM_IN : 0u) | (m->l.attach_stdout ? STREAM_OUT : 0u) | (m->l.attach_stderr ? STREAM_ERR : 0u);
}

static void monitor_init(struct monitor *m, bool is_exec) {
    *m = (struct monitor){.l = MONITOR_LAUNCH_INIT, .x = MONITOR_EXEC_INIT, .is_exec = is_exec};
    m->lock_fd = m->pidfd = m->epoll_fd = m->slave_fd = -1;
    m->adopted.fd = m->holder.child.fd = m->holder.traffic.fd = m->listener.fd = m->signals.fd = m->input.fd = m->health.output.fd =
        m->log_room.fd = -1;
    m->holder.names[0] = m->holder.names[1] = -1;
    for (int i = 0; i < 2; i++)
        m->outputs[i].source.fd = -1;
    m->signals.fd = -1;
    (void)setsid();
    (void)prctl(PR_SET_NAME, is_exec ? "tare-exec" : "tare-monitor");
}

/* What a failed start leaves: nothing but the reason. */
static void start_failed(struct monitor *m, int r, const struct error *e) {
    if (m->state.monitor_pid == 0) /* the lock is somebody else's, so is everything; or we came too late */
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

/* The rest of the monitor's life. */
static int live(struct monitor *m) {
    loop_run(m);
    monitor_reap_trash(m);
    if (m->in_own_cgroup)
        own_cgroup_leave(m->l.cgroup);
    return 0;
}

/* The starter holds the container's pending entry until we answer. Dead before we had our lock: somebody may have found nobody
 * alive and be undoing this start. Alive now: from here on our lock is seen. */
static int check_starter(struct monitor *m, int socket_fd, struct error *e) {
    struct pollfd end = {.fd = socket_fd, .events = POLLRDHUP};

    if (poll(&end, 1, 0) <= 0)
        return 0;
    m->state.monitor_pid = 0; /* nothing is ours */
    return error_set(e, -EPIPE, "the command that wanted container %s started was killed", m->l.id);
}

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
        r = check_starter(m, socket_fd, &e);
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
    return live(m);
}

/* Takes over from a monitor that was killed. */
int role_adopt(int socket_fd) {
    struct monitor *m = &the_monitor;
    _cleanup_error_ struct error e = ERROR_INIT;
    int r;

    monitor_init(m, false);
    r = receive_launch(m, socket_fd, &e);
    if (r == 0)
        r = loop_init(m, &e);
    if (r == 0)
        r = adopt_container(m, &e);
    if (r < 0) {
        answer_error(socket_fd, r, &e);
        return EXIT_ENGINE;
    }
    m->l.attached = false;
    answer_started(m, socket_fd);
    if (m->phase != PHASE_LINGERING)
        monitor_settle(m);
    return live(m);
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
    l->image = x->image;
    l->event_attributes = x->event_attributes;
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

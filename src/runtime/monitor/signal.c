/* Signals, both ways: to the payload, and those that come to the monitor. */
#include "runtime/monitor/monitor.h"

#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "kernel/cgroup.h"

#define FREEZE_TIMEOUT_MS 10000
#define REMOVE_TIMEOUT_MS 2000

int payload_signal(struct monitor *m, int signo) {
    if (m->pidfd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, m->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

/* Through the run root's file where there is one: /proc/self/mountinfo costs every end of a container 0.1 ms. */
static int read_layout(const struct monitor *m, struct cgroup_layout *ret, struct error *e) {
    return m->l.run_root_fd >= 0 ? cgroup_layout_load(m->l.run_root_fd, ret, e) : cgroup_layout_read(ret, e);
}

static void thaw(struct monitor *m) {
    struct cgroup_layout layout;

    if (m->state.status != STATUS_PAUSED || !m->l.cgroup || read_layout(m, &layout, NULL) < 0)
        return;
    (void)cgroup_thaw(&layout, m->l.cgroup, NULL);
    m->state.status = STATUS_RUNNING;
    monitor_event(m, "unpause", NULL);
}

void payload_stop(struct monitor *m, int signo, int timeout_s, bool by_user) {
    char signal_text[32];

    if (by_user && !m->state.stopped_by_user) {
        m->state.stopped_by_user = true;
        monitor_state_save(m);
    }
    m->stop_asked = m->stop_asked || by_user;
    if (m->phase == PHASE_RESTARTING) { /* nothing runs: not starting it again is the stop */
        m->deadline[DEADLINE_RESTART] = 0;
        payload_ended(m, -1);
        return;
    }
    if (signo <= 0)
        signo = m->l.stop_signal ? (int)m->l.stop_signal : SIGTERM;
    thaw(m); /* a frozen process does not see the signal */
    (void)snprintf(signal_text, sizeof(signal_text), "\"signal\":\"%d\"", signo);
    monitor_event(m, "kill", signal_text);
    (void)payload_signal(m, signo);
    if (timeout_s >= 0)
        m->deadline[DEADLINE_KILL] = clock_monotonic_ns() + timeout_s * NS_PER_SEC + 1;
}

void payload_kill_all(struct monitor *m) {
    struct cgroup_layout layout;

    if (m->is_exec || !m->l.cgroup || read_layout(m, &layout, NULL) < 0)
        return;
    (void)cgroup_kill(&layout, m->l.cgroup, NULL);
}

/* Before a restart: kills what is left and removes the groups; the plan makes them anew. A group that was killed by cgroup.kill
 * once must not be cloned into again: up to Linux 6.18 the kernel compares its kill count with that of the parent's group and kills
 * the child at birth. */
void payload_clear_cgroup(struct monitor *m) {
    struct cgroup_layout layout;

    if (!m->l.cgroup || read_layout(m, &layout, NULL) < 0)
        return;
    (void)cgroup_kill(&layout, m->l.cgroup, NULL);
    (void)cgroup_remove(&layout, m->l.cgroup, REMOVE_TIMEOUT_MS, NULL);
}

int payload_pause(struct monitor *m, bool pause, struct error *e) {
    struct cgroup_layout layout;
    int r;

    if (m->phase != PHASE_RUNNING)
        return error_set(e, -ESRCH, "container %s is not running", m->l.name ? m->l.name : m->l.id);
    if (pause == (m->state.status == STATUS_PAUSED))
        return error_set(e, -EALREADY, pause ? "container %s is already paused" : "container %s is not paused",
                         m->l.name ? m->l.name : m->l.id);
    if (!m->l.cgroup)
        return error_set(e, -ENOTSUP, "container %s has no control group, which pausing needs", m->l.name ? m->l.name : m->l.id);
    r = read_layout(m, &layout, e);
    if (r < 0)
        return r;
    r = pause ? cgroup_freeze(&layout, m->l.cgroup, FREEZE_TIMEOUT_MS, e) : cgroup_thaw(&layout, m->l.cgroup, e);
    if (r < 0)
        return r;
    m->state.status = pause ? STATUS_PAUSED : STATUS_RUNNING;
    monitor_state_save(m);
    monitor_event(m, pause ? "pause" : "unpause", NULL);
    return 0;
}

bool payload_was_oom_killed(struct monitor *m) {
    struct cgroup_layout layout;

    return m->l.cgroup && read_layout(m, &layout, NULL) == 0 && cgroup_oom_kills(&layout, m->l.cgroup) > 0;
}

/* SIGTERM is what a machine that goes down sends to everybody: the container gets its orderly stop, and may come back at boot. */
static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ};

void signals_init(struct monitor *m) {
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
        sigaddset(&set, watched[i]);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    m->signals = (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
    if (m->signals.fd >= 0)
        (void)loop_add(m, &m->signals, EPOLLIN);
}

static void reap_children(struct monitor *m) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid <= 0)
            return;
        if (pid == m->state.pid)
            payload_ended(m, status);
        else if (pid == m->state.keeper_pid)
            m->state.keeper_pid = 0;
        else if (!holder_child_ended(m, pid))
            (void)health_child_ended(m, pid, status);
    }
}

void signals_ready(struct monitor *m, struct source *s, uint32_t events) {
    struct signalfd_siginfo info;

    (void)events;
    while (read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGTERM && m->phase != PHASE_LINGERING)
            payload_stop(m, 0, m->l.stop_timeout_s, false);
    }
    reap_children(m);
}

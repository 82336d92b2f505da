/* The keeper: a terminal whose master closes hangs up on the payload, so a second process holds the master while PID 1 lives. It is
 * a fork of the monitor that does nothing; a monitor that takes over gets the master back from it (pidfd_getfd). */
#include "runtime/monitor/monitor.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kernel/cgroup_own.h"

/* Descriptors of the keeper: 0 the master, 1 the pidfd of PID 1. */
static _Noreturn void keep(int master, int pidfd, const char *cgroup) {
    struct pollfd p = {.fd = 1, .events = POLLIN};
    sigset_t none;

    (void)dup2(master, 0);
    (void)dup2(pidfd, 1);
    (void)syscall(SYS_close_range, 2, ~0U, 0);
    (void)prctl(PR_SET_NAME, "tare-keeper");
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (chdir("/") < 0)
        _exit(1);
    (void)own_cgroup_enter(cgroup);
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    own_cgroup_leave(cgroup);
    _exit(0);
}

void keeper_start(struct monitor *m) {
    pid_t pid;

    if (m->is_exec || !m->l.tty || m->state.keeper_pid || m->outputs[0].source.fd < 0 || m->pidfd < 0)
        return;
    pid = fork();
    if (pid == 0)
        keep(m->outputs[0].source.fd, m->pidfd, m->l.cgroup);
    if (pid < 0)
        return;
    m->state.keeper_pid = pid;
    monitor_state_save(m);
}

/* Taking over a container whose monitor was killed. It is not our child: its end is seen by pidfd, and how it ended is asked of the
 * kernel (Linux 6.15 keeps it behind a pidfd that was open then; a zombie shows it in /proc); else it is unknown, and says so. */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "runtime/life_events.h"

/* linux/pidfd.h of Linux 6.15; the first version of the structure is enough. */
struct pidfd_info_v0 {
    uint64_t mask;
    uint64_t cgroup_id;
    uint32_t ids[11];
    int32_t exit_code;
};
#define PIDFD_INFO_EXIT_BIT (1ULL << 3)
#define PIDFD_GET_INFO_V0   _IOWR(0xFF, 11, struct pidfd_info_v0)

static const int sigkill_status = SIGKILL; /* as wait(2) would tell it */

static int wait_status_of(struct monitor *m) {
    struct pidfd_info_v0 info = {.mask = PIDFD_INFO_EXIT_BIT};
    int status;

    if (process_zombie_status(m->state.pid, m->state.pid_start_ticks, &status) == 0)
        return status;
    if (m->pidfd >= 0 && ioctl(m->pidfd, PIDFD_GET_INFO_V0, &info) == 0 && info.mask & PIDFD_INFO_EXIT_BIT)
        return info.exit_code;
    m->state.exit_unknown = true;
    (void)snprintf(m->state.error, sizeof(m->state.error), "%s", state_unseen_end);
    return sigkill_status;
}

static void payload_gone(struct monitor *m, struct source *s, uint32_t events) {
    int status = wait_status_of(m);

    (void)events;
    loop_remove(m, s);
    payload_ended(m, status);
}

/* The terminal's master is with the keeper, whose descriptor 0 it is. */
static int master_from_keeper(const struct monitor *m) {
    _cleanup_fd_ int keeper = (int)syscall(SYS_pidfd_open, m->state.keeper_pid, 0);
    int fd = keeper < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, keeper, 0, 0);
    int number;

    if (fd >= 0 && ioctl(fd, TIOCGPTN, &number) < 0) /* the pid came to mean another process */
        fd = fd_close(fd);
    return fd;
}

static int take_streams(struct monitor *m, struct error *e) {
    struct stdio_child none;
    int master, r;

    if (!m->l.tty) {
        /* The payload's own ends are open: no writer is made here, the FIFOs are only opened for reading. */
        r = stdio_reopen(m);
        return r < 0 ? error_errno(e, r, "open the container's streams") : stdio_watch(m);
    }
    (void)stdio_make(m, &none, NULL);
    master = master_from_keeper(m);
    if (master < 0) /* both were killed: the terminal is gone, and the payload knows by SIGHUP */
        return 0;
    r = stdio_take_terminal(m, master, e);
    return r < 0 ? r : stdio_watch(m);
}

static int adopt_living(struct monitor *m, struct error *e) {
    int r = log_open(&m->l.log, m->l.container_dirfd, m->l.id, m->l.cgroup, &m->log, e);

    if (r == 0)
        r = take_streams(m, e);
    if (r < 0)
        return r;
    m->phase = PHASE_RUNNING;
    m->started_ns = clock_monotonic_ns();
    m->adopted = (struct source){.fd = fcntl(m->pidfd, F_DUPFD_CLOEXEC, 0), .ready = payload_gone};
    r = loop_add(m, &m->adopted, EPOLLIN);
    if (r < 0)
        return error_errno(e, r, "watch the container's first process");
    holder_ensure(m);
    health_begin(m);
    monitor_state_save(m);
    return 0;
}

/* What the one before did not come to tell. */
static void tell_missing(struct monitor *m, const struct container_state *claim) {
    struct life_events life;
    char code[32];

    if (m->l.run_root_fd < 0)
        return;
    life_events_look(m->l.run_root_fd, m->l.id, claim, &life);
    m->end_told = life.told_end;
    for (const char *const *action = life.missing; *action; action++) {
        bool end = strcmp(*action, "die") == 0;

        (void)snprintf(code, sizeof(code), "\"exitCode\":\"%d\"", claim->exit_code);
        monitor_event(m, *action, end ? code : NULL);
        m->end_told |= end;
    }
}

/* The run directory lies where a boot does not empty it: nobody who is named there lives, and it is for `system start-at-boot run`
 * to start what comes back. */
static void forget_other_boot(struct monitor *m, struct container_state *claim) {
    if (state_is_of_this_boot(claim))
        return;
    claim->pid = claim->keeper_pid = 0;
    if (claim->status == STATUS_RESTARTING)
        claim->status = STATUS_EXITED;
    m->l.restart = RESTART_NO;
}

int adopt_container(struct monitor *m, struct error *e) {
    struct container_state claim;
    int r = state_read_claim(m->l.run_dirfd, &claim, e);

    if (r < 0)
        return error_wrap(e, r, "take over container %s", m->l.name ? m->l.name : m->l.id);
    r = monitor_prepare(m, e);
    if (r < 0)
        return r;
    r = state_read_claim(m->l.run_dirfd, &claim, e); /* again, now that nobody else can change it */
    if (r < 0)
        return r;
    claim.monitor_pid = m->state.monitor_pid;
    m->healing = true;
    tell_missing(m, &claim);
    forget_other_boot(m, &claim);
    if (claim.status != STATUS_RUNNING && claim.status != STATUS_PAUSED && claim.status != STATUS_RESTARTING) {
        m->state = claim; /* it ended in order, only the undoing was cut short */
        m->phase = PHASE_RESTARTING;
        m->state.status = STATUS_EXITED;
        payload_ended(m, sigkill_status);
        return 0;
    }
    m->state = claim;
    m->pidfd = state_open_pidfd(&claim);
    if (claim.status == STATUS_RESTARTING) {
        m->phase = PHASE_RESTARTING;
        payload_ended(m, sigkill_status);
        return 0;
    }
    if (m->pidfd >= 0 && process_zombie_status(claim.pid, claim.pid_start_ticks, &r) == -EBUSY)
        return adopt_living(m, e);
    m->phase = PHASE_RUNNING;
    payload_ended(m, wait_status_of(m));
    return 0;
}

/* How a container ends. The order matters:
 *
 *   1. the state file, before anything else: the exit status must not be lost, whoever dies next
 *   2. what the payload still had to say: streams drained, log closed
 *   3. the journals are undone: cgroups, addresses, ports; with --rm the container's name and directory
 *   4. the record lock is given up: from here on the container may be started or removed by others
 *   5. only now are clients told, so that what they do next finds everything free
 *   6. unlinking in the trash, which nobody waits for */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/event_change.h"
#include "base/fs.h"
#include "base/id.h"
#include "runtime/end_hooks.h"
#include "runtime/journal.h"

#define JOURNAL_NAME       "journal"
#define TRASH_DIR          "trash"
#define RUN_CONTAINERS_DIR "containers"

void monitor_state_save(struct monitor *m) {
    if (!m->is_exec)
        (void)state_write(m->l.run_dirfd, &m->state, NULL);
}

static void tell(struct monitor *m, const char *action, const char *more) {
    const struct event ev = {.type = "container",
                             .action = action,
                             .id = m->l.id,
                             .image = m->l.image,
                             .attributes = m->l.event_attributes,
                             .more = more};

    if (m->l.run_root_fd >= 0)
        (void)event_append(m->l.run_root_fd, &ev, NULL);
}

void monitor_event(struct monitor *m, const char *action, const char *more) {
    if (!m->is_exec)
        tell(m, action, more);
}

static void remove_run_dir(struct monitor *m) {
    _cleanup_fd_ int dir = fs_open_beneath(m->l.run_root_fd, RUN_CONTAINERS_DIR, O_DIRECTORY | O_RDONLY, 0);

    if (dir >= 0)
        (void)fs_remove_tree_at(dir, m->l.id, NULL);
}

static bool was_destroyed(const struct monitor *m) {
    struct event_last last;

    event_last(m->l.run_root_fd, m->l.id, &last);
    return strcmp(last.action, "destroy") == 0;
}

/* A hook that fails keeps nothing from ending; `inspect` tells of it. */
static void run_end_hooks(struct monitor *m, bool last) {
    _cleanup_error_ struct error e = ERROR_INIT;

    if (m->l.run_dirfd < 0 || end_hooks_run(m->l.run_dirfd, last, &e) == 0)
        return;
    (void)snprintf(m->state.error, sizeof(m->state.error), "%s", e.text ? e.text : "");
    monitor_state_save(m);
}

void monitor_undo(struct monitor *m) {
    _cleanup_error_ struct error e = ERROR_INIT;
    int r = journal_undo(m->l.run_dirfd, JOURNAL_NAME, &e);

    /* Who changed its networks may have been killed before he told all of it. */
    bool changed = faccessat(m->l.run_dirfd, STATE_NETWORKS_CHANGED, F_OK, 0) == 0;
    if (changed)
        event_changes_heal(m->l.run_root_fd, m->l.root_fd);
    event_tell_prepared(m->l.run_root_fd, m->l.run_dirfd, STATE_END_EVENTS, m->healing || changed);
    holder_release(m);
    run_end_hooks(m, true);
    if (r == 0 && m->l.auto_remove)
        r = journal_undo(m->l.container_dirfd, JOURNAL_NAME, &e);
    if (r < 0) { /* the journal stays: the next command heals */
        (void)snprintf(m->state.error, sizeof(m->state.error), "cleaning up: %s", e.text ? e.text : errno_text(r));
        monitor_state_save(m);
    } else if (m->l.auto_remove) {
        if (!m->healing || !was_destroyed(m))
            monitor_event(m, "destroy", NULL);
        remove_run_dir(m);
        return;
    }
    (void)unlinkat(m->l.run_dirfd, STATE_SOCKET_FILE, 0);
    if (m->l.auto_remove)
        return;
    /* What the user stopped must not come back after a power cut. */
    if (m->l.restart == RESTART_UNLESS_STOPPED && m->state.stopped_by_user)
        (void)state_write_lasting(m->l.container_dirfd, &m->state, NULL);
    else
        (void)state_write(m->l.container_dirfd, &m->state, NULL);
}

void monitor_remember(struct monitor *m) {
    if (m->is_exec || m->l.auto_remove || m->l.container_dirfd < 0)
        return;
    if (m->l.restart != RESTART_NO)
        (void)state_write_lasting(m->l.container_dirfd, &m->state, NULL);
    else
        (void)state_write(m->l.container_dirfd, &m->state, NULL);
}

void monitor_reap_trash(struct monitor *m) {
    _cleanup_fd_ int dir = -1;

    if (!m->l.auto_remove || m->l.root_fd < 0)
        return;
    dir = fs_open_beneath(m->l.root_fd, TRASH_DIR, O_DIRECTORY | O_RDONLY, 0);
    if (dir >= 0)
        (void)fs_remove_tree_at(dir, m->l.id, NULL);
}

static int exit_code_of(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/* Told by the worker, not by the command that asked: that one may have detached, or be dead. */
static void exec_died(struct monitor *m) {
    char more[ID_LENGTH + 48];

    (void)snprintf(more, sizeof(more), "\"execID\":\"%s\",\"exitCode\":\"%d\"", m->x.exec_id ? m->x.exec_id : "",
                   m->state.exit_code);
    tell(m, "exec_die", more);
}

/* Right behind the state: only a kill between the two leaves the telling to the next command. */
static void tell_end(struct monitor *m, int wait_status) {
    char code[32];

    /* A shell whose child was killed ends with 137 itself: whatever did not end well is looked at. */
    if (wait_status != 0 && payload_was_oom_killed(m)) {
        m->state.oom_killed = true;
        monitor_state_save(m);
        monitor_event(m, "oom", NULL);
    }
    (void)snprintf(code, sizeof(code), "\"exitCode\":\"%d\"", m->state.exit_code);
    if (!m->end_told)
        monitor_event(m, "die", code);
    m->end_told = false;
}

/* Step 1 and 2. */
static void record_end(struct monitor *m, int wait_status) {
    m->state.exit_code = exit_code_of(wait_status);
    m->state.finished_at = clock_wall();
    m->state.pid = 0;
    m->state.status = m->restart_asked || restart_wanted(&m->l, &m->state) ? STATUS_RESTARTING : STATUS_EXITED;
    m->state.health = HEALTH_NONE;
    monitor_state_save(m);
    if (!m->is_exec)
        tell_end(m, wait_status);
    m->pidfd = fd_close(m->pidfd);
    health_stop(m);
    stdio_drain(m);
    stdio_close(m);
    m->log = log_close(m->log);
    if (m->is_exec) {
        exec_died(m);
        return;
    }
    holder_ended(m);
    if (m->state.status == STATUS_RESTARTING) {
        payload_clear_cgroup(m); /* the journal, whose undoing would do it, stays */
        run_end_hooks(m, false);
    }
}

/* Steps 3 to 5. */
static void end_for_good(struct monitor *m) {
    m->phase = PHASE_LINGERING;
    for (int i = 0; i < DEADLINES; i++)
        m->deadline[i] = 0;
    if (!m->is_exec) {
        m->state.status = STATUS_EXITED;
        loop_remove(m, &m->listener);
        if (m->stop_asked)
            monitor_event(m, "stop", NULL);
        monitor_undo(m);
        m->lock_fd = fd_close(m->lock_fd);
    }
    clients_tell_exit(m, true);
}

void payload_ended(struct monitor *m, int wait_status) {
    int64_t ran_ns = clock_monotonic_ns() - m->started_ns;

    m->deadline[DEADLINE_KILL] = 0;
    if (m->phase == PHASE_RUNNING)
        record_end(m, wait_status);
    if (m->is_exec || m->state.status != STATUS_RESTARTING || (m->state.stopped_by_user && !m->restart_asked)) {
        m->state.status = STATUS_EXITED;
        if (m->phase == PHASE_RESTARTING)
            monitor_state_save(m);
        end_for_good(m);
        return;
    }
    m->phase = PHASE_RESTARTING;
    m->backoff_ns = m->restart_asked ? 0 : restart_backoff_ns(m->backoff_ns, ran_ns);
    m->deadline[DEADLINE_RESTART] = clock_monotonic_ns() + m->backoff_ns + 1;
    clients_tell_exit(m, false);
}

static void restart_failed(struct monitor *m, const struct error *e) {
    m->state.exit_code = e->status ? e->status : EXIT_ENGINE;
    (void)snprintf(m->state.error, sizeof(m->state.error), "%s", e->text ? e->text : "");
    m->state.status = STATUS_EXITED;
    monitor_state_save(m);
    end_for_good(m);
}

void restart_now(struct monitor *m) {
    _cleanup_error_ struct error e = ERROR_INIT;
    bool asked = m->restart_asked;

    m->phase = PHASE_STARTING;
    m->restart_asked = false;
    if (asked)
        m->state.stopped_by_user = false;
    else
        m->state.restart_count++;
    if (monitor_start_program(m, &e) < 0) {
        stdio_close(m);
        m->log = log_close(m->log);
        restart_failed(m, &e);
        return;
    }
    monitor_started(m);
    if (asked)
        monitor_event(m, "restart", NULL);
    clients_tell_restarted(m);
    keeper_start(m);
}

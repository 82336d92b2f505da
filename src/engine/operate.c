#include "engine/operate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "engine/connect.h"
#include "engine/container_event.h"
#include "engine/container_journal.h"
#include "engine/heal.h"
#include "engine/hold.h"
#include "engine/launch.h"
#include "engine/lookup.h"
#include "engine/orphan.h"
#include "engine/pending.h"
#include "engine/start.h"
#include "engine/volume.h"
#include "image/image.h"
#include "kernel/cgroup.h"
#include "model/signal_name.h"
#include "runtime/journal.h"

/* A monitor's answer, or its silence, when the container ended after we had connected. */
static bool has_ended(int r) {
    return r == -ECONNRESET || r == -EPIPE || r == -ESRCH;
}

/* 1: connected; 0: there is no monitor; negative: failure. */
static int connect_monitor(const struct container *c, struct monitor_conn *ret, struct error *e) {
    if (c->run_dirfd < 0)
        return 0;
    struct error why = ERROR_INIT;
    int r = monitor_connect(c->run_dirfd, ret, &why);
    /* Its last moment: the socket was still there. Soon it either answers or is gone. */
    for (int tries = 0; (r == -ECONNRESET || r == -EPIPE) && tries < 50; tries++) {
        (void)poll(NULL, 0, 10);
        r = monitor_connect(c->run_dirfd, ret, &why);
    }
    if (r == -ENOENT || r == -ECONNREFUSED || has_ended(r)) {
        error_release(&why);
        return 0;
    }
    error_move(e, &why);
    return r < 0 ? r : 1;
}

/* --- without a monitor ----------------------------------------------------------------------------------------------------- */

static int wait_pidfd(int pidfd, int64_t timeout_ms) {
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int r = poll(&p, 1, timeout_ms > INT32_MAX || timeout_ms < 0 ? -1 : (int)timeout_ms);
    return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* The end of a container that nobody watches: what its monitor would have done is done here. */
static int end_orphan(struct engine *engine, struct container *c, struct error *e) {
    struct container_state state;
    int r = container_state(c, &state, e);
    if (r == 0)
        r = undo_run_journal(engine, c->id, c->run_dirfd, e);
    if (r < 0)
        return r;
    state.stopped_by_user = true;
    (void)state_write(c->dirfd, &state, NULL);
    if (!c->record.host.auto_remove)
        return 0;
    r = journal_undo(c->dirfd, "journal", e);
    int runs = r == 0 ? engine_run_dir(engine, e) : -1;
    if (r == 0 && runs >= 0)
        r = fs_remove_tree_at(runs, c->id, e);
    if (r == 0)
        trash_reap(engine, c->id);
    return r;
}

#define KILL_WAIT_MS    10000
#define ORPHAN_PAUSE_MS 2

static int stop_orphan(struct engine *engine, struct container *c, const struct container_state *state, int signo, int timeout_s,
                       struct error *e) {
    _cleanup_fd_ int pidfd = state_open_pidfd(state);
    if (pidfd >= 0) {
        int own = c->record.config.stop_signal ? signal_parse(c->record.config.stop_signal) : SIGTERM;
        const struct opt_i64 *stop = &c->record.config.stop_timeout;
        int64_t seconds = timeout_s == INT32_MIN ? (stop->set ? stop->value : 10) : timeout_s;
        (void)syscall(SYS_pidfd_send_signal, pidfd, signo ? signo : own ? own : SIGTERM, NULL, 0);
        if (wait_pidfd(pidfd, seconds < 0 ? -1 : seconds * 1000) == -ETIMEDOUT) {
            (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
            (void)wait_pidfd(pidfd, KILL_WAIT_MS);
        }
    }
    return end_orphan(engine, c, e);
}

static bool is_up(const struct container_state *s) {
    return container_is_alive(s) || s->status == STATUS_RESTARTING;
}

/* The monitor of a program that has ended listens no more while it undoes and runs the hooks. Not for one of the next run. */
static void wait_undone(const struct container *c) {
    struct container_state now;
    pid_t monitor = state_monitor(c->run_dirfd);
    while (monitor > 0 && state_monitor(c->run_dirfd) == monitor && container_state(c, &now, NULL) == 0 && !is_up(&now))
        (void)poll(NULL, 0, ORPHAN_PAUSE_MS);
}

/* --- stop, kill, pause, wait ----------------------------------------------------------------------------------------------- */

int container_stop(struct engine *engine, struct container *c, int signo, int timeout_s, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    struct container_state state;
    int r = container_state(c, &state, e);
    if (r < 0)
        return r;
    if (!is_up(&state)) {
        wait_undone(c);
        return 0;
    }
    r = connect_monitor(c, &conn, e);
    if (r < 0)
        return r;
    if (r == 0)
        return stop_orphan(engine, c, &state, signo, timeout_s, e);
    r = monitor_stop(&conn, signo, timeout_s, e);
    if (!has_ended(r))
        return r;
    error_release(e);
    return 0;
}

static int not_running(const struct container *c, const char *doing, struct error *e) {
    return error_set(e, -EINVAL, "cannot %s container: %s: container %s is not running", doing, c->record.name, c->id);
}

/* As Docker's kill does: who asks next finds it ended. Not for ever (a process in the kernel may take its time), and not for the
 * next run, which another command may have started. */
static void wait_killed(const struct container *c, const struct container_state *before) {
    _cleanup_fd_ int pidfd = state_open_pidfd(before);
    struct container_state now;
    if (pidfd >= 0 && wait_pidfd(pidfd, KILL_WAIT_MS) < 0)
        return;
    for (int i = 0; i < KILL_WAIT_MS / ORPHAN_PAUSE_MS; i++) {
        if (container_state(c, &now, NULL) < 0 || !container_is_alive(&now) || now.pid != before->pid ||
            now.pid_start_ticks != before->pid_start_ticks)
            return;
        (void)poll(NULL, 0, ORPHAN_PAUSE_MS);
    }
}

int container_kill(struct engine *engine, struct container *c, int signo, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    struct container_state state;
    int r = container_state(c, &state, e);
    if (r < 0)
        return r;
    if (!container_is_alive(&state))
        return not_running(c, "kill", e);
    r = connect_monitor(c, &conn, e);
    if (r > 0) {
        r = monitor_signal(&conn, signo, e);
        if (r == 0 && signo == SIGKILL)
            wait_killed(c, &state);
        return has_ended(r) ? not_running(c, "kill", e) : r;
    }
    if (r < 0)
        return r;
    _cleanup_fd_ int pidfd = state_open_pidfd(&state);
    if (pidfd < 0)
        return not_running(c, "kill", e);
    if (syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0)
        return error_errno(e, -errno, "cannot kill container %s", c->record.name);
    container_event(engine, &c->record, "kill", (char *)NULL);
    if (signo == SIGKILL && wait_pidfd(pidfd, KILL_WAIT_MS) == 0)
        return end_orphan(engine, c, e);
    return 0;
}

static int pause_not_running(const struct container *c, struct error *e) {
    return error_set(e, -ESRCH, "container %s is not running", c->id);
}

/* A frozen container needs a group to be frozen; that of one which ends goes before its monitor does. */
static int explain_pause(const struct engine *engine, const struct container *c, int r, struct error *e) {
    if (r == -ENOENT && engine->roots->rootless)
        return error_hint(
            e, "an ordinary user can pause only where cgroups are delegated to him: cgroup version 2 under `systemd --user`");
    return r == -ENOENT || r == -ENODEV ? pause_not_running(c, e) : r;
}

int container_pause(struct engine *engine, struct container *c, bool pause, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    struct container_state state;
    int r = container_state(c, &state, e);
    if (r < 0)
        return r;
    if (!container_is_alive(&state))
        return pause_not_running(c, e);
    if (pause == (state.status == STATUS_PAUSED))
        return error_set(e, -EINVAL, pause ? "container %s is already paused" : "container %s is not paused", c->id);
    r = connect_monitor(c, &conn, e);
    if (r > 0) {
        r = monitor_pause(&conn, pause, e);
        return has_ended(r) ? pause_not_running(c, e) : explain_pause(engine, c, r, e);
    }
    if (r < 0)
        return r;
    struct arena a = ARENA_INIT;
    struct cgroup_layout layout;
    const char *path;
    r = cgroup_layout_read(&layout, e);
    if (r == 0)
        r = cgroup_path(engine->roots->tag, c->record.host.cgroup_parent, c->id, &a, &path, e);
    if (r == 0)
        r = pause ? cgroup_freeze(&layout, path, KILL_WAIT_MS, e) : cgroup_thaw(&layout, path, e);
    arena_release(&a);
    if (r == 0)
        container_event(engine, &c->record, pause ? "pause" : "unpause", (char *)NULL);
    return explain_pause(engine, c, r, e);
}

/* Waits with its monitor; when that one is killed, with the next. 1: there is none (*ret: what is true then). */
static int wait_with_monitors(struct engine *engine, struct container *c, enum wait_condition until, struct container_state *ret,
                              int *ret_exit_code, struct error *e) {
    for (;;) {
        _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
        int r = connect_monitor(c, &conn, e);
        if (r > 0)
            r = monitor_wait(&conn, until, ret_exit_code, e);
        else if (r == 0)
            r = -ECONNRESET;
        if (!has_ended(r))
            return r;
        error_release(e);
        (void)orphan_look_after(engine, c);
        r = container_state(c, ret, e);
        if (r < 0)
            return r;
        if (!is_up(ret))
            wait_undone(c);
        if (!is_up(ret) || state_monitor(c->run_dirfd) == 0)
            return 1;
        (void)poll(NULL, 0, ORPHAN_PAUSE_MS); /* it does not listen yet, or no more */
    }
}

int container_wait(struct engine *engine, struct container *c, enum wait_condition until, int *ret_exit_code, struct error *e) {
    struct container_state state = {0};
    int r = wait_with_monitors(engine, c, until, &state, ret_exit_code, e);
    if (r <= 0)
        return r;
    _cleanup_fd_ int pidfd = container_is_alive(&state) ? state_open_pidfd(&state) : -1;
    r = 0;
    if (pidfd >= 0) {
        (void)wait_pidfd(pidfd, -1);
        r = end_orphan(engine, c, e);
        if (r == 0)
            r = container_state(c, &state, e);
    }
    *ret_exit_code = state.exit_code;
    return r;
}

static int restart(struct engine *engine, struct container *c, int signo, int timeout_s, struct arena *a, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT, started = MONITOR_CONN_INIT;
    struct container_state state;
    int r = container_state(c, &state, e);
    if (r == 0)
        r = connect_monitor(c, &conn, e);
    /* The monitor starts it as it was started: with other networks now, and unless its end removes it, it is started anew. */
    bool anew = faccessat(c->run_dirfd, STATE_NETWORKS_CHANGED, F_OK, 0) == 0 && !c->record.host.auto_remove;
    if (r > 0 && container_is_alive(&state) && !anew) {
        r = monitor_restart(&conn, signo, timeout_s, e);
        if (!has_ended(r))
            return r;
        error_release(e); /* it ended meanwhile: what is left is the start */
        r = 0;
    }
    if (r < 0)
        return r;
    r = container_stop(engine, c, signo, timeout_s, e);
    if (r < 0)
        return r;
    const struct start_options o = START_OPTIONS_INIT;
    r = engine_start(engine, c, &o, a, &started, e);
    if (r == -EALREADY) { /* somebody else did it meanwhile */
        error_release(e);
        return 0;
    }
    return r;
}

int container_restart(struct engine *engine, struct container *c, int signo, int timeout_s, struct arena *a, struct error *e) {
    int r = restart(engine, c, signo, timeout_s, a, e);
    if (r >= 0)
        container_event(engine, &c->record, "restart", (char *)NULL);
    return r;
}

/* --- rm, rename ------------------------------------------------------------------------------------------------------------ */

static int remove_now(struct engine *engine, struct container *c, bool volumes, struct error *e) {
    int r = c->run_dirfd >= 0 ? undo_run_journal(engine, c->id, c->run_dirfd, e) : 0;
    for (size_t i = 0; i < c->record.mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &c->record.mounts, i);
        if (strcmp(m->type, "volume") == 0 && m->name)
            (void)volume_release(engine->roots, m->name, c->id, NULL);
    }
    if (r == 0)
        r = journal_undo(c->dirfd, "journal", e);
    /* A power cut must not bring it back: with a restart policy it would run again. */
    if (r == 0 && fsync(engine_containers_dir(engine, NULL)) < 0)
        r = error_errno(e, -errno, "sync the containers' directory");
    if (r < 0)
        return r;
    for (size_t i = 0; volumes && i < c->record.mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &c->record.mounts, i);
        if (m->anonymous)
            (void)volume_remove(engine->roots, m->name, false, NULL);
    }
    tell_destroyed(engine, &c->record); /* by its monitor it may have been, with --rm */
    int runs = engine_run_dir(engine, NULL);
    _cleanup_fd_ int trash = openat(engine->roots->root_fd, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (runs >= 0)
        (void)fs_remove_tree_at(runs, c->id, NULL);
    if (trash >= 0)
        (void)fs_remove_tree_at(trash, c->id, NULL);
    return 0;
}

#define STOP_TRIES 20

static int stop_and_remove(struct engine *engine, struct container *c, const char *name_or_id, bool force, bool volumes,
                           int pending, struct container_state state, struct error *e) {
    int r = 0;
    /* Again while others start it: their commands go to the monitor and do not wait for us. */
    for (int tries = 0; r == 0 && is_up(&state); tries++) {
        if (!force && state.status == STATUS_PAUSED)
            r = error_set(e, -EBUSY, "cannot remove container \"%s\": container is paused and must be unpaused first", name_or_id);
        else if (!force)
            r = error_set(e, -EBUSY,
                          "cannot remove container \"%s\": container is %s: stop the container before removing or force remove",
                          name_or_id, status_text(state.status));
        else if (tries == STOP_TRIES)
            r = error_set(e, -EBUSY, "cannot remove container \"%s\": it is restarted again and again by another command",
                          name_or_id);
        else
            r = container_stop(engine, c, SIGKILL, 0, e);
        if (r == 0)
            r = container_settled(c, &state, e);
    }
    if (r == 0)
        r = pending_become(pending, PENDING_REMOVE, e);
    return r < 0 ? r : remove_now(engine, c, volumes, e);
}

int container_remove(struct engine *engine, const char *name_or_id, bool force, bool volumes, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct arena a = ARENA_INIT;
    struct container_state state;
    int pending, r = container_open(engine, name_or_id, &a, &c, e);
    if (r == 0) {
        r = pending = container_hold(engine, &c, PENDING_STOP, &a, &state, e);
        if (pending >= 0)
            r = stop_and_remove(engine, &c, name_or_id, force, volumes, pending, state, e);
        pending_end(engine, c.id, pending);
    }
    arena_release(&a);
    return r;
}

static int rename_held(struct engine *engine, struct container *c, const char *name, struct arena *a, struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    const char *old = c->record.name;
    if (strcmp(old, name) == 0)
        return error_set(e, -EINVAL, "Renaming a container with the same name as its current name");
    /* Both names stand in the journal while both may be taken. */
    int r = container_journal_write(engine, c, name, true, a, e);
    if (r == 0)
        r = name_take(engine, name, c->id, e);
    if (r < 0)
        return r;
    c->record.name = name;
    const char *more = arena_printf(a, "\"oldName\":\"/%s\"", old); /* with the slash that Docker's names have inside */
    container_event_begin(engine, &c->record, "rename", more, &change);
    r = container_record_write(c, true, e);
    if (r < 0) {
        name_release(engine, name, c->id);
        return r;
    }
    name_release(engine, old, c->id);
    (void)container_journal_write(engine, c, NULL, true, a, NULL);
    container_event_rename(c);
    event_change_tell(&change);
    return 0;
}

int container_rename(struct engine *engine, struct container *c, const char *name, struct arena *a, struct error *e) {
    struct container_state state;
    int r = name_check("container name", name, e);
    if (r < 0)
        return r;
    int pending = container_hold(engine, c, PENDING_CHANGE, a, &state, e);
    if (pending < 0)
        return pending;
    r = rename_held(engine, c, name, a, e);
    pending_end(engine, c->id, pending);
    return r;
}

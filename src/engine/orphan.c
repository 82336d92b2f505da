#include "engine/orphan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/container_event.h"
#include "engine/heal.h"
#include "engine/limits.h"
#include "engine/pending.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_plan.h"
#include "runtime/journal.h"
#include "runtime/monitor_client.h"

/* An unfinished removal, which healing finishes. Without waiting: whoever works on it now does it as well. */
static bool remove_leftover(struct engine *engine, struct container *c) {
    enum pending_kind kind;
    int fd = pending_seize(engine, c->id, &kind);
    if (fd == -ENOENT)
        fd = pending_begin(engine, c->id, PENDING_REMOVE, NULL);
    else if (fd >= 0 && pending_become(fd, PENDING_REMOVE, NULL) < 0)
        fd = fd_close(fd);
    if (fd < 0)
        return false;
    fd_close(fd);
    engine_heal_later(engine);
    return true;
}

static bool claims_life(const struct container_state *s) {
    return s->status == STATUS_RUNNING || s->status == STATUS_PAUSED || s->status == STATUS_RESTARTING;
}

/* --- without a run directory ------------------------------------------------------------------------------------------------- */

/* PID 1 is the first that was born in the group. */
static pid_t first_born(const struct list *pids, uint64_t *ret_ticks) {
    pid_t first = 0;
    for (size_t i = 0; i < pids->n; i++) {
        pid_t pid = *LIST_AT(pid_t, pids, i);
        uint64_t ticks = process_start_ticks(pid);
        if (ticks && (!first || ticks < *ret_ticks)) {
            first = pid;
            *ret_ticks = ticks;
        }
    }
    return first;
}

static struct timespec wall_of_ticks(uint64_t ticks) {
    struct timespec now = clock_wall(), boot;
    int64_t age = clock_gettime(CLOCK_BOOTTIME, &boot) == 0 ? boot.tv_sec - (int64_t)ticks / sysconf(_SC_CLK_TCK) : 0;
    now.tv_sec -= age > 0 ? age : 0;
    return now;
}

static int write_run_dir(const struct container *c, const struct cgroup_layout *layout, const char *cgroup,
                         const struct container_state *state, struct arena *a) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    struct strs groups = {0};
    cgroup_plan_dirs(layout, cgroup, a, &groups);
    for (size_t i = 0; i < groups.n; i++)
        journal_add(&j, JOURNAL_CGROUP, groups.v[i]);
    int r = journal_write(c->run_dirfd, "journal", &j, false, NULL);
    return r < 0 ? r : state_write(c->run_dirfd, state, NULL);
}

static void put_back(struct engine *engine, struct container *c) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const struct cgroup_layout *layout;
    const char *cgroup, *parent = c->record.host.cgroup_parent;
    struct container_state state = {.status = STATUS_RUNNING};
    struct list pids = {0};
    int runs = engine_run_dir(engine, NULL);
    if (runs < 0 || engine_layout(engine, &layout, NULL) < 0 ||
        cgroup_path(engine->roots->tag, parent && *parent ? parent : NULL, c->id, &a, &cgroup, NULL) < 0 ||
        !cgroup_exists(layout, cgroup) || cgroup_pids(layout, cgroup, &a, &pids, NULL) < 0)
        return;
    state.pid = first_born(&pids, &state.pid_start_ticks);
    /* EEXIST: it is just being started, or somebody was faster. */
    if (state.pid == 0 || pending_is_held(engine, c->id) || mkdirat(runs, c->id, 0700) < 0)
        return;
    boot_id_read(state.boot_id);
    state.started_at = wall_of_ticks(state.pid_start_ticks);
    c->run_dirfd = openat(runs, c->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->run_dirfd >= 0 && write_run_dir(c, layout, cgroup, &state, &a) == 0)
        log_warn("container %s runs, but its run directory was removed: put back, without its addresses and ports", c->record.name);
}

bool orphan_look_after(struct engine *engine, struct container *c) {
    struct container_state state;
    if (c->run_dirfd < 0)
        put_back(engine, c);
    /* The lock first: a monitor has written the end before it lets go of it. */
    if (c->run_dirfd < 0 || state_monitor(c->run_dirfd) != 0 || state_read_claim(c->run_dirfd, &state, NULL) < 0)
        return true;
    if (claims_life(&state))
        (void)monitor_adopt(c->dirfd, c->run_dirfd, engine->roots->root_fd, engine->roots->run_fd,
                            restart_policy_of(&c->record.host.restart), (uint32_t)c->record.host.restart.maximum_retry_count, NULL);
    if (!c->record.host.auto_remove || state_monitor(c->run_dirfd) != 0 || container_state(c, &state, NULL) < 0 ||
        state.status != STATUS_EXITED)
        return true;
    return !remove_leftover(engine, c);
}

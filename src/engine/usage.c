#include "engine/usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "engine/container_event.h"
#include "engine/hold.h"
#include "engine/host_limits.h"
#include "engine/limits.h"
#include "engine/spec.h"

#define PROC_FILE_MAX ((size_t)1 << 20)

static int running(const struct container *c, struct container_state *ret, struct error *e) {
    int r = container_state(c, ret, e);

    if (r < 0)
        return r;
    return container_is_alive(ret) ? 0 : error_set(e, -EINVAL, "container %s is not running", c->id);
}

static int group_of(struct engine *engine, const struct container *c, struct arena *a, const char **ret, struct error *e) {
    const char *parent = c->record.host.cgroup_parent;

    return cgroup_path(engine->roots->tag, parent && *parent ? parent : NULL, c->id, a, ret, e);
}

/* --- samples -------------------------------------------------------------------------------------------------------------------
 */

/* proc(5), net/dev: "  eth0: bytes packets errs drop fifo frame compressed multicast | bytes …" */
static void add_network(pid_t pid, struct usage_sample *s) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
    if (fs_read_at(AT_FDCWD, path, PROC_FILE_MAX, &text, NULL) < 0)
        return;
    for (const char *line = buf_text(&text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *name = line + strspn(line, " "), *colon = strchr(name, ':');
        uint64_t in, out;

        if (!colon || colon > line + strcspn(line, "\n") || strncmp(name, "lo:", 3) == 0)
            continue;
        if (sscanf(colon + 1, "%" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &in, &out) == 2) {
            s->network_in += in;
            s->network_out += out;
        }
    }
}

int usage_sample(struct engine *engine, const struct container *c, const struct cgroup_layout *layout, struct usage_sample *ret,
                 struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct container_state state;
    struct usage_sample s = {0};
    const char *group;
    int r = running(c, &state, e);

    if (r == 0)
        r = group_of(engine, c, &a, &group, e);
    if (r == 0)
        r = cgroup_stats(layout, group, &s.group, e);
    if (r < 0)
        return r;
    s.monotonic_ns = clock_monotonic_ns();
    if (!c->record.host.network_mode || strcmp(c->record.host.network_mode, "host") != 0)
        add_network(state.pid, &s);
    *ret = s;
    return 0;
}

double usage_cpu_percent(const struct usage_sample *before, const struct usage_sample *after) {
    double used = (double)(after->group.cpu_ns - before->group.cpu_ns),
           passed = (double)(after->monotonic_ns - before->monotonic_ns);

    return passed > 0 && after->group.cpu_ns > before->group.cpu_ns ? used / passed * 100 : 0;
}

/* --- processes -----------------------------------------------------------------------------------------------------------------
 */

int usage_processes(struct engine *engine, const struct container *c, struct arena *a, struct list *ret, struct error *e) {
    struct container_state state;
    struct cgroup_layout layout;
    struct list pids = {0};
    const char *group;
    int r = running(c, &state, e);

    if (r == 0)
        r = group_of(engine, c, a, &group, e);
    if (r == 0)
        r = cgroup_layout_load(engine->roots->run_fd, &layout, e);
    if (r == 0 && engine->roots->rootless)
        cgroup_layout_keep_writable(&layout);
    if (r == 0 && (layout.count == 0 || cgroup_pids(&layout, group, a, &pids, NULL) < 0))
        *LIST_ADD(a, pid_t, &pids) = state.pid; /* without a group of its own only the first process is known for sure */
    if (r < 0)
        return r;
    processes_read(&pids, a, ret);
    return 0;
}

/* --- update --------------------------------------------------------------------------------------------------------------------
 */

/* Takes over what is set. Zero means "not given" in Docker's request. */
static void merge_limits(struct host_config *to, const struct host_config *from) {
#define TAKE(member)                                                                                                               \
    if (from->member)                                                                                                              \
    to->member = from->member
    TAKE(memory);
    TAKE(memory_swap);
    TAKE(memory_reservation);
    TAKE(cpu_shares);
    TAKE(cpu_period);
    TAKE(cpu_quota);
    TAKE(nano_cpus);
    TAKE(blkio_weight);
#undef TAKE
    if (from->cpuset_cpus && *from->cpuset_cpus)
        to->cpuset_cpus = from->cpuset_cpus;
    if (from->cpuset_mems && *from->cpuset_mems)
        to->cpuset_mems = from->cpuset_mems;
    if (from->pids_limit.set)
        to->pids_limit = from->pids_limit;
    if (from->restart.name && *from->restart.name)
        to->restart = from->restart;
}

static int update_held(struct engine *engine, struct container *c, const struct host_config *changes, bool alive, struct arena *a,
                       struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    struct host_config merged = c->record.host;

    merge_limits(&merged, changes);
    int r = host_limits_check(&merged, e);
    if (r == 0)
        r = restart_rule_check(&changes->restart, merged.auto_remove, e);
    if (r < 0)
        return r;
    if (merged.memory > 0 && merged.memory_swap > 0 && merged.memory_swap < merged.memory)
        return error_set(
            e, -EINVAL, "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time");
    if (alive)
        r = limits_prepare(engine, c, changes, a, e);
    if (r == 0 && alive)
        r = limits_apply(engine, c, &merged, a, e);
    if (r == 0 && alive && changes->restart.name && *changes->restart.name)
        r = limits_tell_policy(c, &changes->restart, e);
    if (r < 0)
        return error_wrap(e, r, "Cannot update container %s", c->id);
    c->record.host = merged;
    container_event_begin(engine, &c->record, "update", NULL, &change);
    r = container_record_write(c, true, e);
    if (r == 0)
        event_change_tell(&change);
    return r;
}

int container_update(struct engine *engine, struct container *c, const struct host_config *changes, struct arena *a,
                     struct error *e) {
    struct container_state state;
    int pending = container_hold(engine, c, PENDING_CHANGE, a, &state, e), r;

    if (pending < 0)
        return pending;
    r = update_held(engine, c, changes, container_is_alive(&state), a, e);
    if (r < 0)
        limits_take_back(engine, c, a);
    else
        limits_done(c);
    pending_end(engine, c->id, pending);
    return r;
}

#include "engine/limits.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "engine/spec.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_plan.h"
#include "runtime/launch.h"
#include "runtime/monitor_client.h"

uint32_t restart_policy_of(const struct restart_rule *r) {
    static const char *const names[] = {[RESTART_NO] = "no",
                                        [RESTART_ALWAYS] = "always",
                                        [RESTART_UNLESS_STOPPED] = "unless-stopped",
                                        [RESTART_ON_FAILURE] = "on-failure"};
    for (uint32_t i = 0; r->name && i < ARRAY_SIZE(names); i++)
        if (strcmp(r->name, names[i]) == 0)
            return i;
    return RESTART_NO;
}

int limits_apply(struct engine *engine, const struct container *c, const struct host_config *limits, struct arena *a,
                 struct error *e) {
    const char *parent = c->record.host.cgroup_parent, *group;
    struct oci_resources resources = {0};
    struct cgroup_layout layout;
    struct list ops = {0};
    int r = cgroup_path(engine->roots->tag, parent && *parent ? parent : NULL, c->id, a, &group, e);

    spec_limits(limits, a, &resources);
    if (r == 0)
        r = cgroup_layout_load(engine->roots->run_fd, &layout, e);
    if (r == 0)
        r = cgroup_plan_update(&layout, group, &resources, a, &ops, e);
    return r < 0 ? r : cgroup_ops_run(&ops, 0, e);
}

/* --- taking back ------------------------------------------------------------------------------------------------------------ */

#define BEFORE_FILE     "limits-before"
#define BEFORE_SIZE_MAX ((size_t)64 << 10)
#define SHARES_NONE     1024 /* what the kernel gives a new group */
#define WEIGHT_NONE     500
#define PERIOD_NONE     100000

/* All that there is: a group's own set is empty when it was given none. */
static const char *all_of(const char *path, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (fs_read_at(AT_FDCWD, path, BEFORE_SIZE_MAX, &text, NULL) < 0 || text.size == 0)
        return NULL;
    return arena_strndup(a, text.data, strcspn(text.data, "\n"));
}

/* Version 1: no limit to fall back to; version 2: less than a page of protection. */
static int64_t no_reservation(struct engine *engine) {
    const struct cgroup_layout *layout;

    return engine_layout(engine, &layout, NULL) >= 0 && layout->of[CGROUP_MEMORY] == layout->unified ? 1 : -1;
}

/* Of each limit that is changed the value of before; where none was set, what a group without it has. */
static void before(struct engine *engine, const struct host_config *changes, const struct host_config *old, struct arena *a,
                   struct host_config *ret) {
#define BEFORE(member, none)                                                                                                       \
    if (changes->member)                                                                                                           \
    ret->member = old->member ? old->member : none
    *ret = (struct host_config){.pids_limit = old->pids_limit, .privileged = old->privileged};
    if (changes->pids_limit.set && !old->pids_limit.set && old->privileged)
        ret->pids_limit = changes->pids_limit, ret->pids_limit.value = -1;
    BEFORE(memory, -1);
    if (changes->memory || changes->memory_swap)
        ret->memory_swap = old->memory_swap ? old->memory_swap : old->memory > 0 ? old->memory * 2 : -1;
    BEFORE(memory_reservation, no_reservation(engine));
    BEFORE(cpu_shares, SHARES_NONE);
    BEFORE(blkio_weight, WEIGHT_NONE);
    BEFORE(cpu_period, PERIOD_NONE);
    if (changes->nano_cpus || changes->cpu_quota) {
        ret->nano_cpus = old->nano_cpus;
        ret->cpu_quota = old->nano_cpus ? 0 : old->cpu_quota ? old->cpu_quota : -1;
    }
    if (changes->cpuset_cpus && *changes->cpuset_cpus)
        ret->cpuset_cpus = old->cpuset_cpus && *old->cpuset_cpus ? old->cpuset_cpus : all_of("/sys/devices/system/cpu/online", a);
    if (changes->cpuset_mems && *changes->cpuset_mems)
        ret->cpuset_mems = old->cpuset_mems && *old->cpuset_mems ? old->cpuset_mems : all_of("/sys/devices/system/node/online", a);
#undef BEFORE
}

int limits_prepare(struct engine *engine, const struct container *c, const struct host_config *changes, struct arena *a,
                   struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct host_config back;

    before(engine, changes, &c->record.host, a, &back);
    json_encode(&host_config_table, &back, 0, &text);
    return fs_replace_at(c->run_dirfd, BEFORE_FILE, buf_text(&text), text.size, 0600, FS_NO_SYNC, e);
}

void limits_take_back(struct engine *engine, const struct container *c, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct host_config back = {0};

    if (c->run_dirfd < 0 || fs_read_at(c->run_dirfd, BEFORE_FILE, BEFORE_SIZE_MAX, &text, NULL) < 0)
        return;
    if (json_decode(&host_config_table, buf_text(&text), text.size, a, &back, NULL) == 0)
        (void)limits_apply(engine, c, &back, a, NULL);
    limits_done(c);
}

void limits_done(const struct container *c) {
    if (c->run_dirfd >= 0)
        (void)fs_unlink_at(c->run_dirfd, BEFORE_FILE, NULL);
}

/* The monitor decides at the end of the container, so it has to know. */
int limits_tell_policy(const struct container *c, const struct restart_rule *rule, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    int r = monitor_connect(c->run_dirfd, &conn, e);

    return r < 0 ? r : monitor_update_restart(&conn, restart_policy_of(rule), (uint32_t)rule->maximum_retry_count, e);
}

#include "engine/limits.h"

#include <string.h>

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

/* The monitor decides at the end of the container, so it has to know. */
int limits_tell_policy(const struct container *c, const struct restart_rule *rule, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    int r = monitor_connect(c->run_dirfd, &conn, e);

    return r < 0 ? r : monitor_update_restart(&conn, restart_policy_of(rule), (uint32_t)rule->maximum_retry_count, e);
}

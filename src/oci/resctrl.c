/* linux.intelRdt: the container's group in resctrl, made and entered by the plan's steps for control groups, which look the same.
 */
#include "kernel/resctrl.h"

#include <string.h>

#include "kernel/mountinfo.h"
#include "oci/oci.h"
#include "runtime/journal.h"
#include "runtime/plan.h"

#define FIELD "linux.intelRdt"

static struct cgroup_op *add(struct oci_call *call, struct plan_context *context, enum cgroup_op_kind kind, const char *dir) {
    struct cgroup_op *op = LIST_ADD(&call->arena, struct cgroup_op, &context->cgroup_ops);

    *op = (struct cgroup_op){.kind = kind, .dir = dir, .what = FIELD};
    return op;
}

void oci_resctrl_join(struct oci_call *call, const struct oci_own_state *own, struct strs *dirs) {
    if (own->resctrl)
        strs_add(&call->arena, dirs, own->resctrl);
    if (own->resctrl_monitor) /* who is in the group above may enter it */
        strs_add(&call->arena, dirs, own->resctrl_monitor);
}

int oci_resctrl_plan(struct oci_call *call, const struct oci_spec *spec, struct oci_container *c, struct plan_context *context,
                     struct journal *journal, struct error *e) {
    const struct oci_intel_rdt *rdt = spec->linux_->intel_rdt;
    _cleanup_buf_ struct buf mounts = BUF_INIT;
    struct resctrl_group group;
    const char *mount;
    int r;

    if (!rdt)
        return 0;
    r = mountinfo_read(&mounts, e);
    if (r >= 0)
        r = resctrl_mount_find(buf_text(&mounts), &call->arena, &mount, e);
    if (r < 0)
        return error_wrap(e, r, FIELD);
    r = resctrl_group_choose(mount, c->id, rdt, &call->arena, &group, e);
    if (r < 0)
        return r;
    if (group.make)
        add(call, context, CGROUP_MKDIR, group.dir);
    if (group.own)
        journal_add(journal, JOURNAL_RMDIR, group.dir);
    if (group.schemata) {
        struct cgroup_op *write = add(call, context, CGROUP_WRITE, group.dir);

        write->file = "schemata";
        write->value = group.schemata;
    }
    if (group.monitor) {
        add(call, context, CGROUP_MKDIR, group.monitor);
        journal_add(journal, JOURNAL_RMDIR, group.monitor);
    }
    c->state.own.resctrl = group.dir;
    c->state.own.resctrl_monitor = group.monitor;
    oci_resctrl_join(call, &c->state.own, &context->cgroup_join);
    return 0;
}

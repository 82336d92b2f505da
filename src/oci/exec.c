/* exec: one more process in a container that runs. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/fs.h"
#include "oci/oci.h"
#include "runtime/executor.h"
#include "runtime/rootless.h"

static int parse_user(const char *text, struct oci_user *user, struct error *e) {
    char *end;
    unsigned long uid = strtoul(text, &end, 10), gid = 0;
    bool bad = end == text || uid > UINT32_MAX;

    if (!bad && *end == ':') {
        text = end + 1;
        gid = strtoul(text, &end, 10);
        bad = end == text || gid > UINT32_MAX;
    }
    if (bad || *end)
        return error_set(e, -EINVAL, "--user: %s is not of the form UID[:GID]", text);
    *user = (struct oci_user){.uid = (uint32_t)uid, .gid = (uint32_t)gid};
    return 0;
}

/* The rights that --cap names come to those that the process has; as runc, not to the ambient ones. */
static void add_capabilities(struct arena *a, const struct strs *caps, struct oci_process *p) {
    struct oci_capabilities *c = arena_new(a, struct oci_capabilities);
    struct strs *sets[] = {&c->bounding, &c->permitted, &c->effective};

    if (caps->n == 0)
        return;
    if (p->capabilities)
        *c = *p->capabilities;
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        for (size_t k = 0; k < caps->n; k++)
            strs_add(a, sets[i], caps->v[k]);
    p->capabilities = c;
}

static int add_groups(struct arena *a, const struct strs *groups, struct oci_user *user, struct error *e) {
    for (size_t i = 0; i < groups->n; i++) {
        char *end;
        unsigned long gid = strtoul(groups->v[i], &end, 10);

        if (*end || end == groups->v[i] || gid > UINT32_MAX)
            return error_set(e, -EINVAL, "--additional-gids: %s is not a group's number", groups->v[i]);
        *LIST_ADD(a, uint32_t, &user->additional_gids) = (uint32_t)gid;
    }
    return 0;
}

static int read_process(struct oci_call *call, const char *path, struct oci_process *p, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = fd < 0 ? error_errno(e, -errno, "read %s", path) : fs_read_fd(fd, OCI_CONFIG_MAX, &text, e);

    return r < 0 ? r : json_decode(&oci_process_table, buf_text(&text), text.size, &call->arena, p, e);
}

/* From --process, else the container's own with what the flags change. */
static int make_process(struct oci_call *call, const struct oci_spec *spec, struct oci_process *p, struct error *e) {
    struct oci_options *o = &call->o;
    int r = 0;

    if (o->process) {
        r = read_process(call, o->process, p, e);
        if (r < 0)
            return r;
    } else {
        *p = *spec->process;
        p->terminal = false;
        p->console_size = NULL;
        p->args = (struct strs){o->args.v + 1, o->args.n - 1};
        for (size_t i = 0; i < o->env.n; i++)
            strs_add(&call->arena, &p->env, o->env.v[i]);
        if (o->cwd)
            p->cwd = o->cwd;
        if (o->user)
            r = parse_user(o->user, &p->user, e);
        if (r >= 0)
            r = add_groups(&call->arena, &o->groups, &p->user, e);
        add_capabilities(&call->arena, &o->caps, p);
        if (o->apparmor)
            p->apparmor_profile = o->apparmor;
        if (o->process_label)
            p->selinux_label = o->process_label;
    }
    p->terminal |= o->tty;
    p->no_new_privileges |= o->no_new_privileges;
    return r;
}

static unsigned namespaces_of(const struct oci_spec *spec) {
    unsigned flags = 0;

    for (size_t i = 0; i < spec->linux_->namespaces.n; i++)
        flags |= oci_namespace_flag(LIST_AT(struct oci_namespace, &spec->linux_->namespaces, i)->type);
    return flags;
}

/* The group of the container, or the one below it that --cgroup names. */
static int choose_cgroup(struct oci_call *call, const char *cgroup, const char **ret, struct error *e) {
    const char *below = call->o.cgroup;

    *ret = cgroup;
    if (!below)
        return 0;
    if (strchr(below, ':'))
        return error_set(e, -ENOTSUP, "--cgroup: a path for each controller is not supported");
    if (strstr(below, ".."))
        return error_set(e, -EINVAL, "--cgroup: %s does not lie below the container's group", below);
    *ret = arena_printf(&call->arena, "%s/%s", cgroup, below + strspn(below, "/"));
    return 0;
}

static int make_plan(struct oci_call *call, const struct oci_spec *spec, const struct oci_state *state, const struct oci_process *p,
                     struct plan *plan, struct error *e) {
    static struct cgroup_layout layout;
    const struct oci_linux *l = spec->linux_;
    struct plan_exec_context x = {.namespaces = namespaces_of(spec),
                                  .personality = l->personality ? l->personality->domain : NULL,
                                  .memory_policy = l->memory_policy};
    struct plan_context groups = {0};
    struct oci_filter filter;
    struct rootless user;
    const char *cgroup;
    int r = rootless_enter("/nonexistent", false, &user, e); /* it only looks around: we are root of something */

    if (r >= 0)
        r = cgroup_layout_read(&layout, e);
    if (r >= 0)
        r = choose_cgroup(call, state->own.cgroup, &cgroup, e);
    if (r >= 0)
        r = plan_context_cgroups(&groups, &layout, cgroup, NULL, &call->arena, e);
    if (r >= 0)
        r = oci_filter(call, spec, state, &filter, e);
    if (r < 0)
        return r;
    x.cgroup_join = groups.cgroup_join;
    oci_resctrl_join(call, &state->own, &x.cgroup_join);
    x.cgroup_unified = groups.cgroup_unified;
    x.single_id = user.single_id;
    x.seccomp = filter.program.code;
    x.seccomp_size = filter.program.n * sizeof(*filter.program.code);
    x.seccomp_flags = filter.program.flags;
    x.agent_path = filter.agent_path;
    x.agent_head = filter.agent_head;
    return plan_build_exec(p, &x, plan, e);
}

static int publish(struct oci_call *call, struct oci_worker *w, const struct execution *x, struct error *e) {
    int r = call->o.console_socket ? oci_console_send(call->o.console_socket, x->console_fd, e) : 0;

    if (r == 0 && call->o.pid_file)
        r = oci_pid_file(call->o.pid_file, x->pid, e);
    if (r < 0) {
        oci_worker_drop(w);
        return r;
    }
    if (call->born)
        call->born(call->born_arg, x->pid, x->console_fd);
    r = oci_worker_release(w, e);
    if (r == 0)
        r = oci_worker_end(w, e);
    if (r < 0 || call->o.detach)
        return r;
    return oci_wait(x->pid);
}

int oci_exec(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    _cleanup_fd_ int pidfd = -1;
    struct oci_process p;
    struct oci_worker w;
    struct oci_spec spec;
    int r;

    if (call->o.args.n == 0 || (call->o.args.n == 1 && !call->o.process))
        return error_set(e, -EINVAL, "exec: a container id and a command (or --process) are expected");
    r = oci_container_open(call, call->o.args.v[0], &c, e);
    if (r == 0)
        r = pidfd = oci_container_pidfd(&c, e);
    if (r >= 0 && oci_is(&c, "paused") && !call->o.ignore_paused)
        r = error_set(e, -EBUSY, "cannot exec in a paused container (use --ignore-paused to override)");
    if (r >= 0)
        r = oci_container_config(call, &c, &spec, e);
    if (r >= 0)
        r = make_process(call, &spec, &p, e);
    if (r >= 0)
        r = oci_check_process(&p, e);
    if (r >= 0)
        oci_capabilities_fit(call, oci_spec_namespace(&spec, "user"), &p);
    if (r >= 0 && !call->born && p.terminal != !!call->o.console_socket)
        r = error_set(e, -EINVAL,
                      p.terminal ? "exec: a terminal needs --console-socket" : "exec: --console-socket needs a terminal");
    if (r >= 0)
        r = make_plan(call, &spec, &c.state, &p, &plan, e);
    if (r >= 0 && !call->o.detach && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        r = error_errno(e, -errno, "become the process's parent");
    if (r >= 0)
        oci_streams_give(&spec, p.user.uid);
    if (r >= 0)
        r = oci_worker_run(call, c.id, &plan, -1, pidfd, p.terminal, &w, &x, e);
    return r < 0 ? r : publish(call, &w, &x, e);
}

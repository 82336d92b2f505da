/* exec: one more process in a container that runs. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/fs.h"
#include "kernel/seccomp_filter.h"
#include "oci/oci.h"
#include "runtime/executor.h"

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

/* From --process, else the container's own with what the flags change. */
static int make_process(struct oci_call *call, const struct oci_spec *spec, struct oci_process *p, struct error *e) {
    struct oci_options *o = &call->o;
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    if (o->process) {
        _cleanup_fd_ int fd = open(o->process, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        r = fd < 0 ? error_errno(e, -errno, "read %s", o->process) : fs_read_fd(fd, OCI_CONFIG_MAX, &text, e);
        if (r >= 0)
            r = json_decode(&oci_process_table, buf_text(&text), text.size, &call->arena, p, e);
        if (r < 0)
            return r;
    } else {
        *p = *spec->process;
        p->terminal = false;
        p->args = (struct strs){o->args.v + 1, o->args.n - 1};
        for (size_t i = 0; i < o->env.n; i++)
            strs_add(&call->arena, &p->env, o->env.v[i]);
        if (o->cwd)
            p->cwd = o->cwd;
        if (o->user && (r = parse_user(o->user, &p->user, e)) < 0)
            return r;
    }
    if (o->caps.n)
        return error_set(e, -ENOTSUP, "exec: --cap is not supported");
    p->terminal |= o->tty;
    p->no_new_privileges |= o->no_new_privileges;
    return 0;
}

static unsigned namespaces_of(const struct oci_spec *spec) {
    static const struct {
        const char *type;
        unsigned flag;
    } types[] = {{"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},      {"network", CLONE_NEWNET},
                 {"uts", CLONE_NEWUTS},   {"ipc", CLONE_NEWIPC},  {"cgroup", CLONE_NEWCGROUP}};
    unsigned flags = 0;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (oci_spec_namespace(spec, types[i].type))
            flags |= types[i].flag;
    return flags;
}

static int make_plan(struct oci_call *call, const struct oci_spec *spec, const char *cgroup, const struct oci_process *p,
                     struct plan *plan, struct error *e) {
    static struct cgroup_layout layout;
    struct plan_exec_context x = {.namespaces = namespaces_of(spec)};
    struct plan_context groups = {0};
    struct seccomp_program filter;
    int r = cgroup_layout_read(&layout, e);

    if (r == 0)
        r = plan_context_cgroups(&groups, &layout, cgroup, NULL, &call->arena, e);
    if (r < 0)
        return r;
    x.cgroup_join = groups.cgroup_join;
    x.cgroup_unified = groups.cgroup_unified;
    if (spec->linux_->seccomp) {
        r = seccomp_compile(spec->linux_->seccomp, &call->arena, &filter, e);
        if (r < 0)
            return error_wrap(e, r, "linux.seccomp");
        x.seccomp = filter.code;
        x.seccomp_size = filter.n * sizeof(*filter.code);
        x.seccomp_flags = filter.flags;
    }
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
    if (r >= 0 && oci_is(&c, "paused"))
        r = error_set(e, -EBUSY, "cannot exec in a paused container");
    if (r >= 0)
        r = oci_container_config(call, &c, &spec, e);
    if (r >= 0)
        r = make_process(call, &spec, &p, e);
    if (r >= 0 && !call->born && p.terminal != !!call->o.console_socket)
        r = error_set(e, -EINVAL,
                      p.terminal ? "exec: a terminal needs --console-socket" : "exec: --console-socket needs a terminal");
    if (r >= 0)
        r = make_plan(call, &spec, c.state.own.cgroup, &p, &plan, e);
    if (r >= 0 && !call->o.detach && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        r = error_errno(e, -errno, "become the process's parent");
    if (r >= 0)
        oci_streams_give(&spec, p.user.uid);
    if (r >= 0)
        r = oci_worker_run(call, c.id, &plan, -1, pidfd, p.terminal, &w, &x, e);
    return r < 0 ? r : publish(call, &w, &x, e);
}

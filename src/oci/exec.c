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

/* The rights that --cap names come to those that the process has; as runc has it, to the ambient ones only where they are
 * inheritable. */
static void add_capabilities(struct arena *a, const struct strs *caps, struct oci_process *p) {
    struct oci_capabilities *c = arena_new(a, struct oci_capabilities);
    struct strs *sets[] = {&c->bounding, &c->permitted, &c->effective, &c->ambient};

    if (caps->n == 0)
        return;
    if (p->capabilities)
        *c = *p->capabilities;
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        for (size_t k = 0; k < caps->n; k++)
            if (sets[i] != &c->ambient || strs_has(&c->inheritable, caps->v[k]))
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
    oci_env_once(&call->arena, &p->env);
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

/* The hierarchies (bit n: layout->hierarchies[n]) that keep one of the controllers "cpu,cpuacct", named as in version 1 or 2. */
static int hierarchies_of(const struct cgroup_layout *layout, const char *names, size_t n, unsigned *ret, struct error *e) {
    *ret = 0;
    for (size_t at = 0, word; at < n; at += word + 1) {
        unsigned found = 0;

        word = strcspn(names + at, ",:");
        for (int i = 0; i < layout->count; i++) {
            const char *slash = strrchr(layout->hierarchies[i].mount, '/'); /* name=systemd is mounted on "systemd" */

            if (slash && strncmp(slash + 1, names + at, word) == 0 && !slash[1 + word])
                found |= 1U << i;
        }
        for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS; c++) {
            const char *name = cgroup_controller_name(c);

            if (layout->of[c] != CGROUP_NONE && strncmp(name, names + at, word) == 0 && !name[word])
                found |= 1U << layout->of[c];
        }
        if (!found)
            return error_set(e, -EINVAL, "--cgroup: unknown controller %.*s", (int)word, names + at);
        *ret |= found;
    }
    return 0;
}

/* The groups of the container, or those below it that --cgroup names: PATH in all hierarchies, CONTROLLER[,…]:PATH in some. */
static int choose_cgroups(struct oci_call *call, const struct cgroup_layout *layout, const char *cgroup,
                          struct plan_exec_context *x, struct error *e) {
    const char *below[CGROUP_HIERARCHIES_MAX] = {NULL};

    if (!cgroup && call->o.cgroups.n)
        return error_set(e, -EINVAL, "--cgroup: the container has no control group");
    for (size_t k = 0; k < call->o.cgroups.n; k++) {
        const char *word = call->o.cgroups.v[k], *colon = strchr(word, ':'), *path = colon ? colon + 1 : word;
        unsigned which = ~0U;
        int r = colon ? hierarchies_of(layout, word, (size_t)(colon - word), &which, e) : 0;

        if (r < 0)
            return r;
        if (strstr(path, ".."))
            return error_set(e, -EINVAL, "--cgroup: bad sub cgroup path %s", path);
        for (int i = 0; i < layout->count; i++)
            if (which & 1U << i)
                below[i] = path + strspn(path, "/");
    }
    for (int i = 0; cgroup && i < layout->count; i++) {
        const char *path = below[i] && *below[i] ? arena_printf(&call->arena, "%s/%s", cgroup, below[i]) : cgroup;
        const char *dir = cgroup_dir(layout, i, path, &call->arena);

        if (i == layout->unified)
            x->cgroup_unified = dir;
        else
            strs_add(&call->arena, &x->cgroup_join, dir);
    }
    return 0;
}

static int make_plan(struct oci_call *call, const struct oci_spec *spec, const struct oci_state *state, const struct oci_process *p,
                     struct plan *plan, struct error *e) {
    static struct cgroup_layout layout;
    const struct oci_linux *l = spec->linux_;
    struct plan_exec_context x = {.fill_home = true,
                                  .all_processors = true,
                                  .namespaces = namespaces_of(spec),
                                  .personality = l->personality ? l->personality->domain : NULL,
                                  .memory_policy = l->memory_policy};
    struct oci_filter filter;
    struct rootless user;
    int r = rootless_enter("/nonexistent", false, &user, e); /* it only looks around: we are root of something */

    if (r >= 0)
        r = cgroup_layout_read(&layout, e);
    if (r >= 0)
        r = choose_cgroups(call, &layout, state->own.cgroup, &x, e);
    if (r >= 0)
        r = oci_filter(call, spec, state, &filter, e);
    if (r < 0)
        return r;
    oci_resctrl_join(call, &state->own, &x.cgroup_join);
    x.single_id = user.single_id;
    x.keep_groups = oci_keeps_groups(spec);
    x.seccomp = filter.program.code;
    x.seccomp_size = filter.program.n * sizeof(*filter.program.code);
    x.seccomp_flags = filter.program.flags;
    x.agent_path = filter.agent_path;
    x.agent_head = filter.agent_head;
    return plan_build_exec(p, &x, plan, e);
}

static int publish(struct oci_call *call, struct oci_worker *w, const struct execution *x, struct error *e) {
    _cleanup_oci_foreground_ struct oci_foreground f = OCI_FOREGROUND_INIT;
    const char *socket = call->o.console_socket;
    int r = socket ? oci_fd_send("--console-socket", socket, "/dev/ptmx", x->console_fd, e) : 0;

    if (r == 0)
        r = oci_pidfd_send(&call->o, x->pid, e);
    if (r == 0 && call->o.pid_file)
        r = oci_pid_file(call->o.pid_file, x->pid, e);
    if (r < 0) {
        oci_worker_drop(w);
        return r;
    }
    if (call->born)
        call->born(call->born_arg, x->pid, x->console_fd);
    if (!call->o.detach)
        oci_foreground_begin(&f, call, socket ? -1 : x->console_fd);
    r = oci_worker_release(w, e);
    if (r == 0)
        r = oci_worker_end(w, e);
    return r < 0 || call->o.detach ? r : oci_foreground_wait(&f, x->pid);
}

static int run(struct oci_call *call, struct error *e) {
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
    if (r >= 0)
        r = oci_console_check(call, call->o.detach, p.terminal, e);
    if (r >= 0)
        r = make_plan(call, &spec, &c.state, &p, &plan, e);
    if (r >= 0 && !call->o.detach && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        r = error_errno(e, -errno, "become the process's parent");
    if (r >= 0)
        oci_streams_give(&spec, p.user.uid);
    if (r >= 0)
        r = oci_worker_run(call, c.id, &plan, (struct oci_worker_fds){-1, pidfd, -1}, p.terminal, &w, &x, e);
    return r < 0 ? r : publish(call, &w, &x, e);
}

/* Of a failure that is the runtime's, so that it is not taken for the process's. */
#define EXEC_FAILED 255

int oci_exec(struct oci_call *call, struct error *e) {
    int r = run(call, e);

    if (r < 0)
        error_status(e, EXEC_FAILED);
    return r;
}

/* create, start, run. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/roots.h"
#include "oci/oci.h"
#include "runtime/executor.h"
#include "runtime/journal.h"
#include "runtime/rootless.h"
#include "runtime/state.h"

#define SMALL_MEMORY (4 << 20) /* bytes */

/* The group that the bundle names, else one below tare's own parent: never below the caller's, so that nothing of a container is
 * accounted to a session or a service that happened to call. */
static int choose_cgroup(struct oci_call *call, const struct oci_spec *spec, const struct cgroup_layout *layout,
                         struct oci_container *c, struct error *e) {
    const char *path = spec->linux_->cgroups_path;
    _cleanup_roots_ struct roots names = ROOTS_INIT;
    int r;

    if (call->o.systemd_cgroup)
        return oci_scope_choose(call, spec, layout, c, e);
    if (path && strchr(path, ':'))
        return error_set(e, -EINVAL, "linux.cgroupsPath: %s is of systemd's form, which needs --systemd-cgroup", path);
    if (path && *path) {
        c->state.own.cgroup = arena_printf(&call->arena, "%s%s", *path == '/' ? "" : "/", path);
        return 0;
    }
    r = roots_name(NULL, oci_root(&call->o), 0, &names, e);
    if (r == 0)
        r = cgroup_path(names.tag, NULL, c->id, &call->arena, &c->state.own.cgroup, e);
    c->state.own.own_parent = r == 0;
    return r;
}

static int plan_limits(struct oci_call *call, const struct oci_spec *spec, const struct oci_container *c,
                       const struct cgroup_layout *layout, struct plan_context *context, struct error *e) {
    int r = plan_context_cgroups(context, layout, c->state.own.cgroup, spec->linux_->resources, &call->arena, e);

    return r < 0 ? error_wrap(e, r, "linux.resources") : 0;
}

/* --cgroup-manager disabled: the process stays in its caller's group, whose limits are not ours to set. */
static int plan_no_cgroup(const struct oci_spec *spec, struct error *e) {
    const struct oci_resources *r = spec->linux_->resources;

    if (r && (r->unified.n || r->memory || r->cpu || r->pids || r->block_io || r->hugepage_limits.n || r->network || r->rdma.n))
        return error_set(e, -EINVAL, "linux.resources: --cgroup-manager disabled leaves no group to limit");
    return 0;
}

static int plan_own_cgroup(struct oci_call *call, const struct oci_spec *spec, const struct cgroup_layout *layout,
                           struct oci_container *c, struct plan_context *context, struct error *e) {
    int r = choose_cgroup(call, spec, layout, c, e);

    if (r == 0 && cgroup_is_populated(layout, c->state.own.cgroup))
        r = error_set(e, -EBUSY, "cgroup %s holds processes already", c->state.own.cgroup);
    if (r == 0 && oci_group_is_frozen(c->state.own.cgroup)) /* the process would never get to its program */
        r = error_set(e, -EBUSY, "cgroup %s is frozen", c->state.own.cgroup);
    return r < 0 ? r : plan_limits(call, spec, c, layout, context, e);
}

/* Writes down what `delete` undoes, before any of it is there. */
static int plan_cgroup(struct oci_call *call, const struct oci_spec *spec, struct oci_container *c, struct plan_context *context,
                       struct error *e) {
    _cleanup_journal_ struct journal journal = JOURNAL_INIT;
    static struct cgroup_layout layout;
    struct strs dirs = {0};
    int r = call->o.no_cgroup ? plan_no_cgroup(spec, e) : cgroup_layout_read(&layout, e);

    if (r == 0 && !call->o.no_cgroup)
        r = plan_own_cgroup(call, spec, &layout, c, context, e);
    if (r == 0)
        r = oci_resctrl_plan(call, spec, c, context, &journal, e);
    if (r < 0)
        return r;
    if (c->state.own.cgroup)
        cgroup_plan_dirs(&layout, c->state.own.cgroup, &call->arena, &dirs);
    for (size_t i = 0; i < dirs.n; i++)
        journal_add(&journal, JOURNAL_CGROUP, dirs.v[i]);
    if (c->state.own.scope) /* undone first: systemd removes the group of its unit */
        journal_add(&journal, JOURNAL_SCOPE, c->state.own.scope);
    return journal_write(c->dir_fd, OCI_JOURNAL_FILE, &journal, false, e);
}

static int make_plan(struct oci_call *call, const struct oci_spec *spec, struct oci_container *c, struct plan *plan,
                     struct error *e) {
    struct plan_context context = {.id = c->id,
                                   .dev_fill = !call->keeper,
                                   .new_keyring = !call->o.no_new_keyring,
                                   .no_pivot = call->o.no_pivot,
                                   .check_program = !call->keeper,
                                   .init_alone = call->keeper,
                                   .fill_home = !call->keeper,
                                   .all_processors = true};
    struct oci_filter filter;
    struct rootless user;
    int r = rootless_enter("/nonexistent", false, &user, e);

    if (call->o.rootless && strcmp(call->o.rootless, "auto") != 0)
        user.active = strcmp(call->o.rootless, "true") == 0;
    /* Programs that guard devices are root's to load; what the user may not open, the container may not. */
    if (r == 0 && user.active && spec->linux_->resources)
        spec->linux_->resources->devices = (struct list){0};
    if (r == 0)
        r = plan_cgroup(call, spec, c, &context, e);
    if (r < 0)
        return r;
    context.rootless = user.active;
    context.single_id = user.single_id;
    context.keep_groups = oci_keeps_groups(spec);
    context.rootfs.kind = oci_spec_namespace(spec, "mount") ? PLAN_ROOTFS_BIND : PLAN_ROOTFS_NONE;
    context.rootfs.path = spec->root ? spec->root->path : NULL;
    context.state_head = oci_state_head(call, &c->state);
    r = oci_filter(call, spec, &c->state, &filter, e);
    if (r < 0)
        return r;
    context.seccomp = filter.program.code;
    context.seccomp_size = filter.program.n * sizeof(*filter.program.code);
    context.seccomp_flags = filter.program.flags;
    context.agent_path = filter.agent_path;
    context.agent_head = filter.agent_head;
    return plan_build(spec, &context, plan, e);
}

static int listen_for_start(const struct oci_container *c, struct error *e) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    _cleanup_fd_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/" OCI_SOCKET_FILE, c->dir_fd);
    if (s < 0 || bind(s, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(s, 64) < 0)
        return error_errno(e, -errno, "make the socket for the start");
    return TAKE_FD(s);
}

/* The process stands; now the rest of the world learns of it, and then it is let go. */
static int publish(struct oci_call *call, struct oci_container *c, struct execution *x, struct oci_worker *w, struct error *e) {
    const struct oci_options *o = &call->o;
    char now[TIME_TEXT_MAX];
    int r = 0;

    if (o->console_socket)
        r = oci_fd_send("--console-socket", o->console_socket, "/dev/ptmx", x->console_fd, e);
    if (r == 0)
        r = oci_pidfd_send(o, x->pid, e);
    time_format(clock_wall(), now);
    c->state.status = "created";
    c->state.pid = x->pid;
    c->state.own.start_ticks = process_start_ticks(x->pid);
    c->state.own.creator = 0;
    c->state.own.creator_ticks = 0;
    c->state.own.created = arena_strdup(&call->arena, now);
    if (r == 0)
        r = oci_container_save(c, e);
    if (r == 0 && o->pid_file)
        r = oci_pid_file(o->pid_file, x->pid, e);
    if (r < 0) {
        oci_worker_drop(w);
        return r;
    }
    if (call->born)
        call->born(call->born_arg, x->pid, x->console_fd);
    return oci_worker_release(w, e);
}

/* The sockets that we were activated by are the first that the process inherits. */
static void hand_sockets_on(struct oci_call *call, struct oci_spec *spec) {
    struct strs *env = &spec->process->env;

    if (call->listen_fds == 0)
        return;
    strs_add(&call->arena, env, arena_printf(&call->arena, "LISTEN_FDS=%d", call->listen_fds));
    strs_add(&call->arena, env, "LISTEN_PID=1");
    if (call->listen_names)
        strs_add(&call->arena, env, arena_printf(&call->arena, "LISTEN_FDNAMES=%s", call->listen_names));
    oci_env_once(&call->arena, env);
}

/* Before anything is made: who deletes what we leave when we are killed has to know of hooks and groups. */
static int announce(struct oci_call *call, struct oci_container *c, struct error *e) {
    char boot[40];

    boot_id_read(boot);
    c->state.own.boot_id = arena_strdup(&call->arena, boot);
    c->state.own.creator = getpid();
    c->state.own.creator_ticks = process_start_ticks(getpid());
    return oci_container_save(c, e);
}

/* A group that is too small for what comes before the program has the kernel kill it. */
static void explain_death(const struct oci_spec *spec, struct error *e) {
    const struct oci_resources *r = spec->linux_->resources;

    if (r && r->memory && r->memory->limit.set && r->memory->limit.value > 0 && r->memory->limit.value < SMALL_MEMORY)
        (void)error_hint(e, "linux.resources.memory.limit of %lld bytes may be too little", (long long)r->memory->limit.value);
}

/* *ret_console: the terminal, where nobody else was given it; owned by the caller. */
static int make_process(struct oci_call *call, struct oci_container *c, bool detach, struct oci_worker *w, int *ret_console,
                        struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    _cleanup_oci_scope_ struct oci_scope_keeper keeper = OCI_SCOPE_KEEPER_INIT;
    _cleanup_fd_ int listener = -1;
    struct oci_spec spec;
    int r = oci_bundle_read(call, c, &spec, e);

    if (r == 0)
        hand_sockets_on(call, &spec);
    if (r == 0)
        r = oci_notify_prepare(call, c, &spec, e);
    if (r == 0)
        r = oci_console_check(call, detach, spec.process->terminal, e);
    if (r == 0)
        r = make_plan(call, &spec, c, &plan, e);
    if (r == 0)
        r = announce(call, c, e);
    if (r == 0 && c->state.own.scope)
        r = oci_scope_enter(call, &spec, c, &keeper, e);
    if (r < 0)
        return r;
    listener = listen_for_start(c, e);
    if (listener < 0)
        return listener;
    oci_streams_give(&spec, spec.process->user.uid);
    r = oci_worker_run(call, c->id, &plan, (struct oci_worker_fds){listener, -1, c->dir_fd}, spec.process->terminal, w, &x, e);
    if (r == -ECHILD)
        explain_death(&spec, e);
    if (r == 0)
        r = publish(call, c, &x, w, e);
    if (r == 0 && !call->o.console_socket)
        *ret_console = TAKE_FD(x.console_fd);
    return r;
}

static int one_id(struct oci_call *call, const char **ret, struct error *e) {
    if (call->o.args.n != 1)
        return error_set(e, -EINVAL, "%s: one container id is expected", call->o.verb);
    *ret = call->o.args.v[0];
    return 0;
}

/* Its poststop hooks run, too: the specification has a failed creation go on as a deletion does. */
static void abandon(struct oci_call *call, struct oci_container *c) {
    _cleanup_error_ struct error e = ERROR_INIT;

    if (oci_container_remove(call, c, &e) < 0)
        oci_warn(call, &e);
}

/* The worker is still about to end (oci_worker_end()). */
static int create(struct oci_call *call, struct oci_container *c, bool detach, struct oci_worker *w, int *ret_console,
                  struct error *e) {
    const char *id = NULL;
    int r = one_id(call, &id, e);

    if (r == 0)
        r = oci_container_make(call, id, c, e);
    if (r < 0)
        return r;
    r = make_process(call, c, detach, w, ret_console, e);
    if (r < 0)
        abandon(call, c);
    return r;
}

int oci_create(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    _cleanup_fd_ int console = -1;
    struct oci_worker w;
    int r = create(call, &c, true, &w, &console, e);

    if (r < 0)
        return r;
    r = oci_worker_end(&w, e);
    if (r < 0)
        abandon(call, &c);
    return r;
}

static int reach_process(const struct oci_container *c, struct error *e) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_fd_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/" OCI_SOCKET_FILE, c->dir_fd);
    if (s < 0 || connect(s, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return error_errno(e, -errno, "reach the container's process");
    return TAKE_FD(s);
}

/* *ret_ended: a hook failed, or what the runtime does before the program, and the container has to go (runtime.md, "Lifecycle", 7
 * and 9); a program that cannot be executed is a container that stopped. */
static int start(struct oci_call *call, struct oci_container *c, bool *ret_ended, struct error *e) {
    _cleanup_fd_ int s = reach_process(c, e);
    struct oci_spec spec;
    int r;

    *ret_ended = false;
    if (s < 0)
        return s;
    r = executor_start(s, e);
    *ret_ended = r < 0 && e->status == 0;
    if (r < 0 || !c->state.own.poststart)
        return r;
    r = oci_container_config(call, c, &spec, e);
    if (r == 0 && spec.hooks)
        r = oci_hooks_run(call, &c->state, &spec.hooks->poststart, "poststart", "running", false, e);
    *ret_ended = r < 0;
    return r;
}

int oci_start(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    const char *id = NULL;
    _cleanup_fd_ int listener = -1;
    bool ended = false;
    int r = one_id(call, &id, e);

    if (r == 0)
        r = oci_container_open(call, id, &c, e);
    if (r < 0)
        return r;
    if (!oci_is(&c, "created"))
        return error_set(e, -EINVAL, "cannot start a container that is %s", c.state.status);
    r = oci_notify_listen(call, &c, &listener, e);
    if (r == 0)
        r = start(call, &c, &ended, e);
    if (ended && oci_container_kill(&c, NULL) == 0)
        abandon(call, &c);
    if (r == 0)
        oci_notify_wait(call, listener, &c);
    return r;
}

int oci_run(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    _cleanup_oci_foreground_ struct oci_foreground f = OCI_FOREGROUND_INIT;
    _cleanup_fd_ int console = -1;
    struct oci_worker w;
    bool ended;
    int r, end = 0, status = 0;

    if (!call->o.detach && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) /* the worker ends, its child is ours then */
        return error_errno(e, -errno, "become the container's parent");
    r = create(call, &c, call->o.detach, &w, &console, e);
    if (r < 0)
        return r;
    r = oci_notify_listen(call, &c, &f.notify, e);
    if (!call->o.detach)
        oci_foreground_begin(&f, call, console);
    if (r == 0)
        r = start(call, &c, &ended, e); /* while the worker ends: on a machine with a second processor, that is no time of ours */
    end = oci_worker_end(&w, r == 0 ? e : NULL);
    if (r == 0)
        r = end;
    if (call->o.no_subreaper)
        (void)prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (r == 0 && call->o.detach) {
        oci_notify_wait(call, f.notify, &c);
        return 0;
    }
    if (r == 0)
        status = oci_foreground_wait(&f, c.state.pid);
    else
        (void)oci_container_kill(&c, NULL);
    if (r < 0) {
        abandon(call, &c);
        return r;
    }
    return !call->o.keep && oci_container_remove(call, &c, e) < 0 ? -EIO : status;
}

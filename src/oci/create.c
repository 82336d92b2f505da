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
#include "kernel/seccomp_filter.h"
#include "oci/oci.h"
#include "runtime/executor.h"
#include "runtime/journal.h"
#include "runtime/rootless.h"
#include "runtime/state.h"

/* What a bundle may say relative to itself. */
static void make_absolute(struct arena *a, const char *bundle, struct oci_spec *spec) {
    if (spec->root && spec->root->path && spec->root->path[0] != '/')
        spec->root->path = arena_printf(a, "%s/%s", bundle, spec->root->path);
    for (size_t i = 0; i < spec->mounts.n; i++) {
        struct oci_mount *m = LIST_AT(struct oci_mount, &spec->mounts, i);
        bool bind = strs_has(&m->options, "bind") || strs_has(&m->options, "rbind");

        if (bind && m->source && m->source[0] != '/')
            m->source = arena_printf(a, "%s/%s", bundle, m->source);
    }
}

/* The devices that the specification promises to every container (config-linux.md, "Default Devices") and its terminals stay
 * allowed after the bundle's own rules, and nodes of any kind may be made, as callers of runc are used to. */
static void allow_default_devices(struct arena *a, struct oci_resources *r) {
    static const struct {
        const char *type, *access;
        int major, minor;
    } rules[] = {
        {"c", "m", -1, -1}, {"b", "m", -1, -1}, {"c", "rwm", 1, 3}, {"c", "rwm", 1, 5}, {"c", "rwm", 1, 7},
        {"c", "rwm", 1, 8}, {"c", "rwm", 1, 9}, {"c", "rwm", 5, 0}, {"c", "rwm", 5, 2}, {"c", "rwm", 136, -1},
    };

    const bool rules_given = r && r->devices.n > 0;

    for (size_t i = 0; rules_given && i < ARRAY_SIZE(rules); i++) {
        struct oci_device_rule *rule = LIST_ADD(a, struct oci_device_rule, &r->devices);

        *rule = (struct oci_device_rule){.allow = true, .type = rules[i].type, .access = rules[i].access};
        rule->major = (struct opt_i64){rules[i].major >= 0, rules[i].major};
        rule->minor = (struct opt_i64){rules[i].minor >= 0, rules[i].minor};
    }
}

/* What is not carried out is refused by its name, not passed over. */
static int refuse(const struct oci_spec *spec, struct error *e) {
    const struct oci_hooks *h = spec->hooks;
    const struct oci_linux *l = spec->linux_;

    if (h &&
        h->prestart.n + h->create_runtime.n + h->create_container.n + h->start_container.n + h->poststart.n + h->poststop.n > 0)
        return error_set(e, -ENOTSUP, "hooks: are not supported");
    if (l && l->seccomp && l->seccomp->listener_path)
        return error_set(e, -ENOTSUP, "linux.seccomp.listenerPath: is not supported");
    if (l && l->cgroups_path && strchr(l->cgroups_path, ':'))
        return error_set(e, -ENOTSUP, "linux.cgroupsPath: %s is systemd's form, which is not supported", l->cgroups_path);
    return 0;
}

static int read_bundle(struct oci_call *call, struct oci_container *c, struct oci_spec *spec, struct error *e) {
    const char *bundle = call->o.bundle ? call->o.bundle : ".";
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int dir = fs_open_dir(AT_FDCWD, bundle, e);
    _cleanup_free_ char *path = dir < 0 ? NULL : fs_fd_path(dir);
    int r;

    if (dir < 0)
        return error_wrap(e, dir, "open the bundle");
    r = fs_read_at(dir, OCI_CONFIG_FILE, OCI_CONFIG_MAX, &text, e);
    if (r == 0)
        r = oci_spec_decode(buf_text(&text), text.size, &call->arena, spec, e);
    if (r == 0 && (!path || !spec->process || !spec->linux_))
        r = error_set(e, -EINVAL, "%s: process and linux are needed", OCI_CONFIG_FILE);
    if (r == 0)
        r = refuse(spec, e);
    if (r < 0)
        return r;
    make_absolute(&call->arena, path, spec);
    allow_default_devices(&call->arena, spec->linux_->resources);
    c->state.bundle = arena_strdup(&call->arena, path);
    c->state.annotations = spec->annotations;
    return fs_replace_at(c->dir_fd, OCI_CONFIG_FILE, text.data, text.size, 0600, FS_NO_SYNC, e);
}

/* The group that the bundle names, else one below tare's own parent: never below the caller's, so that nothing of a container is
 * accounted to a session or a service that happened to call. */
static int choose_cgroup(struct oci_call *call, const struct oci_spec *spec, struct oci_container *c, struct error *e) {
    const char *path = spec->linux_->cgroups_path;
    _cleanup_roots_ struct roots names = ROOTS_INIT;
    int r;

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

/* Writes down what `delete` undoes, before any of it is there. */
static int plan_cgroup(struct oci_call *call, const struct oci_spec *spec, struct oci_container *c, struct plan_context *context,
                       struct error *e) {
    _cleanup_journal_ struct journal journal = JOURNAL_INIT;
    static struct cgroup_layout layout;
    struct strs dirs = {0};
    int r = cgroup_layout_read(&layout, e);

    if (r == 0)
        r = choose_cgroup(call, spec, c, e);
    if (r == 0 && cgroup_is_populated(&layout, c->state.own.cgroup))
        r = error_set(e, -EBUSY, "cgroup %s holds processes already", c->state.own.cgroup);
    if (r == 0)
        r = plan_context_cgroups(context, &layout, c->state.own.cgroup, spec->linux_->resources, &call->arena, e);
    if (r < 0)
        return r;
    cgroup_plan_dirs(&layout, c->state.own.cgroup, &call->arena, &dirs);
    for (size_t i = 0; i < dirs.n; i++)
        journal_add(&journal, JOURNAL_CGROUP, dirs.v[i]);
    return journal_write(c->dir_fd, OCI_JOURNAL_FILE, &journal, false, e);
}

static int make_plan(struct oci_call *call, const struct oci_spec *spec, struct oci_container *c, struct plan *plan,
                     struct error *e) {
    struct plan_context context = {
        .id = c->id, .dev_fill = true, .new_keyring = !call->o.no_new_keyring, .no_pivot = call->o.no_pivot};
    struct seccomp_program filter;
    struct rootless user;
    int r = rootless_enter("/nonexistent", false, &user, e);

    if (r == 0)
        r = plan_cgroup(call, spec, c, &context, e);
    if (r < 0)
        return r;
    context.rootless = user.active;
    context.single_id = user.single_id;
    context.rootfs.kind = oci_spec_namespace(spec, "mount") ? PLAN_ROOTFS_BIND : PLAN_ROOTFS_NONE;
    context.rootfs.path = spec->root ? spec->root->path : NULL;
    if (spec->linux_->seccomp) {
        r = seccomp_compile(spec->linux_->seccomp, &call->arena, &filter, e);
        if (r < 0)
            return error_wrap(e, r, "linux.seccomp");
        context.seccomp = filter.code;
        context.seccomp_size = filter.n * sizeof(*filter.code);
        context.seccomp_flags = filter.flags;
    }
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

static int check_console(const struct oci_call *call, bool terminal, struct error *e) {
    const struct oci_options *o = &call->o;

    if (terminal && !o->console_socket && !call->born)
        return error_set(e, -EINVAL, "cannot allocate tty if runc will detach without setting console socket");
    if (!terminal && o->console_socket)
        return error_set(e, -EINVAL, "cannot use console socket if runc will not detach or allocate tty");
    return 0;
}

/* The process stands; now the rest of the world learns of it, and then it is let go. */
static int publish(struct oci_call *call, struct oci_container *c, struct execution *x, struct oci_worker *w, struct error *e) {
    const struct oci_options *o = &call->o;
    char now[TIME_TEXT_MAX], boot[40];
    int r = 0;

    if (o->console_socket)
        r = oci_console_send(o->console_socket, x->console_fd, e);
    time_format(clock_wall(), now);
    boot_id_read(boot);
    c->state.status = "created";
    c->state.pid = x->pid;
    c->state.own.start_ticks = process_start_ticks(x->pid);
    c->state.own.boot_id = arena_strdup(&call->arena, boot);
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

static int make_process(struct oci_call *call, struct oci_container *c, struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    _cleanup_fd_ int listener = -1;
    struct oci_worker w;
    struct oci_spec spec;
    int r = read_bundle(call, c, &spec, e);

    if (r == 0)
        r = check_console(call, spec.process->terminal, e);
    if (r == 0)
        r = make_plan(call, &spec, c, &plan, e);
    if (r < 0)
        return r;
    listener = listen_for_start(c, e);
    if (listener < 0)
        return listener;
    oci_streams_give(&spec, spec.process->user.uid);
    r = oci_worker_run(call, c->id, &plan, listener, -1, spec.process->terminal, &w, &x, e);
    return r < 0 ? r : publish(call, c, &x, &w, e);
}

static int one_id(struct oci_call *call, const char **ret, struct error *e) {
    if (call->o.args.n != 1)
        return error_set(e, -EINVAL, "%s: one container id is expected", call->o.verb);
    *ret = call->o.args.v[0];
    return 0;
}

static int create(struct oci_call *call, struct oci_container *c, struct error *e) {
    const char *id = NULL;
    int r = one_id(call, &id, e);

    if (r == 0)
        r = oci_container_make(call, id, c, e);
    if (r < 0)
        return r;
    r = make_process(call, c, e);
    if (r < 0)
        (void)oci_container_remove(c, NULL);
    return r;
}

int oci_create(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;

    return create(call, &c, e);
}

static int start(const struct oci_container *c, struct error *e) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_fd_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/" OCI_SOCKET_FILE, c->dir_fd);
    if (s < 0 || connect(s, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return error_errno(e, -errno, "reach the container's process");
    return executor_start(s, e);
}

int oci_start(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    const char *id = NULL;
    int r = one_id(call, &id, e);

    if (r == 0)
        r = oci_container_open(call, id, &c, e);
    if (r < 0)
        return r;
    if (!oci_is(&c, "created"))
        return error_set(e, -EINVAL, "cannot start a container that is %s", c.state.status);
    return start(&c, e);
}

int oci_run(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    int r, status = 0;

    if (!call->o.detach && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) /* the worker ends, its child is ours then */
        return error_errno(e, -errno, "become the container's parent");
    r = create(call, &c, e);
    if (r < 0)
        return r;
    r = start(&c, e);
    if (r == 0 && call->o.detach)
        return 0;
    if (r == 0)
        status = oci_wait(c.state.pid);
    if (oci_container_remove(&c, r < 0 ? NULL : e) < 0 && r == 0)
        return -EIO;
    return r < 0 ? r : status;
}

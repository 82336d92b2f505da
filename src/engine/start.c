#include "engine/start.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/event_log.h"
#include "base/fs.h"
#include "base/kernel.h"
#include "engine/bundle.h"
#include "engine/cdi.h"
#include "engine/container_journal.h"
#include "engine/gather.h"
#include "engine/heal.h"
#include "engine/hold.h"
#include "engine/launch.h"
#include "engine/limits.h"
#include "engine/mount_sources.h"
#include "engine/pending.h"
#include "engine/resource_events.h"
#include "engine/secret.h"
#include "engine/start_cni.h"
#include "engine/start_network.h"
#include "engine/start_ports.h"
#include "engine/userns.h"
#include "kernel/landlock.h"
#include "network/network.h"
#include "network/pasta.h"
#include "network/port.h"
#include "runtime/journal.h"
#include "runtime/rootless.h"

/* --- the run directory ----------------------------------------------------------------------------------------------------- */

static int make_run_dir(struct engine *engine, struct container *c, struct error *e) {
    int dir = engine_run_dir(engine, e);
    if (dir < 0)
        return dir;
    if (c->run_dirfd >= 0) {
        /* Left by an earlier run: what its monitor could not undo is undone now. */
        int r = undo_run_journal(engine, c->id, c->run_dirfd, e);
        if (r < 0)
            return r;
        c->run_dirfd = fd_close(c->run_dirfd);
        r = fs_remove_tree_at(dir, c->id, e);
        if (r < 0)
            return r;
    }
    if (mkdirat(dir, c->id, 0700) < 0)
        return errno == EEXIST ? error_set(e, -EBUSY, "container %s is being started by another command", c->record.name)
                               : error_errno(e, -errno, "make the run directory");
    c->run_dirfd = openat(dir, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->run_dirfd < 0 ? error_errno(e, -errno, "open the run directory") : 0;
}

/* --- the plan -------------------------------------------------------------------------------------------------------------- */

static void set_rootfs(const struct engine *engine, const struct container_record *c, struct arena *a, struct plan_rootfs *ret) {
    if (c->host.rootfs && c->host.rootfs_writable) {
        ret->kind = PLAN_ROOTFS_BIND;
        ret->path = c->host.rootfs;
        return;
    }
    if (c->own_files) {
        ret->kind = PLAN_ROOTFS_BIND;
        ret->path = container_path(engine, c->id, CONTAINER_FILES, a);
        return;
    }
    ret->kind = PLAN_ROOTFS_OVERLAY;
    if (c->host.rootfs)
        strs_add(a, &ret->lowers, c->host.rootfs);
    ret->upper = container_path(engine, c->id, CONTAINER_UPPER, a);
    ret->work = container_path(engine, c->id, "work", a);
    ret->is_volatile = c->host.auto_remove;
    ret->in_one = !kernel_is_at_least(6, 8);
}

/* Defaults that need a cgroup which an ordinary user does not have. What he asked for stays, and fails by name. */
static void drop_default_limits(struct container *c, const struct cgroup_layout *layout, struct arena *a, struct oci_resources *r) {
    /* The user's own rights on the host's devices are the rule, and version 2's programs are root's to load. */
    if (layout->of[CGROUP_DEVICES] == CGROUP_NONE)
        r->devices = (struct list){0};
    if (layout->of[CGROUP_PIDS] == CGROUP_NONE && r->pids && !c->record.host.pids_limit.set) {
        r->pids = NULL;
        *LIST_ADD(a, struct adjustment, &c->record.adjustments) =
            (struct adjustment){"pids limit", "default", "none: no cgroup is delegated to this user"};
    }
}

/* What has no cgroup to stand in is not silently left out. */
static int check_groups(const struct host_config *h, const struct cgroup_layout *layout, struct error *e) {
    bool any = layout->unified != CGROUP_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(layout->of); i++)
        any |= layout->of[i] != CGROUP_NONE;
    const char *what = !any && h->cgroup_parent && *h->cgroup_parent                           ? "--cgroup-parent"
                       : h->device_cgroup_rules.n && layout->of[CGROUP_DEVICES] == CGROUP_NONE ? "--device-cgroup-rule"
                                                                                               : NULL;
    return what ? error_set(e, -EPERM, "%s: no cgroup is delegated to this user", what) : 0;
}

static int build_plan(struct engine *engine, struct container *c, struct start_context *x, struct arena *a, struct plan *ret,
                      struct error *e) {
    const struct container_record *record = &c->record;
    bool files = record->host.isolate.n == 0 || strs_has(&record->host.isolate, "mount");
    int r = spec_build(&x->input, a, &x->spec, &c->record.adjustments, e);
    if (r < 0)
        return r;
    x->plan.id = c->id;
    x->plan.dev_fill = true;
    x->plan.new_keyring = true;
    if (!record->host.privileged && !oci_spec_namespace(&x->spec, "network"))
        x->plan.scopes |= LANDLOCK_SCOPE_ABSTRACT;
    if (!record->host.privileged && !oci_spec_namespace(&x->spec, "pid"))
        x->plan.scopes |= LANDLOCK_SCOPE_SIGNALS;
    x->plan.init = record->init;
    x->plan.rootless = engine->roots->rootless;
    x->plan.single_id = engine->roots->single_id;
    if (files)
        set_rootfs(engine, record, a, &x->plan.rootfs);
    else
        x->plan.rootfs.kind = PLAN_ROOTFS_NONE;
    r = x->spec.hooks ? bundle_make(engine, c, x, a, e) : 0;
    if (r < 0)
        return r;
    x->plan.rootfs.id_map = x->input.shifts_mounts && !record->own_files; /* its owners are those of the host */
    for (size_t i = 0; i < x->attachments.n; i++)
        *LIST_ADD(a, struct link, &x->plan.links) = LIST_AT(struct network_attachment, &x->attachments, i)->link;
    x->plan.names = start_network_names(x);
    r = engine->roots->rootless ? check_groups(&record->host, &x->layout, e) : 0;
    if (r < 0)
        return r;
    if (engine->roots->rootless && x->spec.linux_->resources)
        drop_default_limits(c, &x->layout, a, x->spec.linux_->resources);
    r = plan_context_cgroups(&x->plan, &x->layout, x->cgroup, x->spec.linux_->resources, a, e);
    if (r < 0 && engine->roots->rootless)
        error_hint(e,
                   "an ordinary user can limit only in cgroups that are delegated to him: on cgroup version 2 by `systemd --user`, "
                   "with the controllers that Delegate= of user@.service names");
    if (r == 0)
        r = start_seccomp(engine, record, record->host.privileged, a, &x->plan.seccomp, &x->plan.seccomp_size,
                          &x->plan.seccomp_flags, e);
    return r < 0 ? r : plan_build(&x->spec, &x->plan, ret, e);
}

/* --- what will stand on the host ------------------------------------------------------------------------------------------- */

static int write_run_journal(const struct engine *engine, const struct container *c, const struct start_context *x, struct arena *a,
                             struct error *e) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    struct strs groups = {0};
    for (size_t i = 0; i < x->attachments.n; i++) {
        const struct network_attachment *n = LIST_AT(struct network_attachment, &x->attachments, i);
        for (size_t k = 0; k < n->leases.n; k++)
            journal_add(&j, JOURNAL_LEASE, n->leases.v[k], c->id);
        sources_journal(engine, c->id, n, &j);
    }
    ports_journal(engine, c->id, &x->ports, a, &j);
    if (x->cni) {
        cni_journal_namespace(engine, c->id, a, &j);
        cni_journal(engine, c->id, a, &j);
    }
    secrets_journal(engine, c, a, &j);
    cgroup_plan_dirs(&x->layout, x->cgroup, a, &groups);
    for (size_t i = 0; i < groups.n; i++)
        journal_add(&j, JOURNAL_CGROUP, groups.v[i]);
    return journal_write(c->run_dirfd, "journal", &j, false, e);
}

static void remove_run_dir(struct engine *engine, struct container *c) {
    int dir = engine_run_dir(engine, NULL);
    if (dir >= 0)
        (void)fs_remove_tree_at(dir, c->id, NULL);
    c->run_dirfd = fd_close(c->run_dirfd);
    if (c->record.host.auto_remove && journal_undo(c->dirfd, "journal", NULL) == 0)
        trash_reap(engine, c->id);
}

/* A start that failed before its journal was written. */
static void take_back(struct engine *engine, struct container *c, const struct start_context *x) {
    port_release(&x->ports);
    for (size_t i = 0; i < x->attachments.n; i++)
        network_detach(engine->roots, LIST_AT(struct network_attachment, &x->attachments, i));
    remove_run_dir(engine, c);
}

/* One that failed afterwards. Without a journal the monitor has undone it already, and somebody else may have the addresses now. */
static void undo_start(struct engine *engine, struct container *c) {
    if (faccessat(c->run_dirfd, "journal", F_OK, 0) < 0)
        return;
    (void)undo_run_journal(engine, c->id, c->run_dirfd, NULL);
    remove_run_dir(engine, c);
}

/* Before the plan: the container joins the namespace. */
static int start_pasta(const struct container *c, struct arena *a, struct start_context *x, struct error *e) {
    struct pasta_network n;
    int r = pasta_start(&x->ports, x->cgroup, c->run_dirfd, a, &n, e);

    if (r < 0)
        return r;
    x->holder_fd = n.holder_fd;
    x->input.shared.network = n.pid;
    return 0;
}

static int prepare(struct engine *engine, struct container *c, bool dry_run, struct arena *a, struct start_context *x,
                   struct plan *plan, struct error *e) {
    int r = start_gather_shared(engine, c, a, x, e);
    if (r == 0)
        r = start_gather(engine, c, c->record.config.user, a, x, e);
    if (r == 0)
        r = userns_layers(engine, c, !dry_run, a, &x->plan.rootfs.lowers, e);
    if (r == 0)
        r = cdi_gather(engine, &c->record.host, a, &x->input, e);
    if (r == 0)
        r = secrets_gather(engine, c, false, a, &x->input, e);
    if (r == 0)
        r = mount_sources_prepare(engine, c, &x->input, dry_run, e);
    if (r == 0)
        r = start_network(engine, c, a, x, e);
    if (r == 0)
        r = ports_take(engine, c, a, x, e);
    if (r == 0 && x->pasta && !dry_run)
        r = start_pasta(c, a, x, e);
    if (r == 0)
        r = build_plan(engine, c, x, a, plan, e);
    if (r == 0)
        r = write_run_journal(engine, c, x, a, e);
    if (r == 0 && !dry_run)
        r = secrets_place(engine, c, &x->input, e);
    return r;
}

static int start_locked(struct engine *engine, struct container *c, const struct start_options *o, struct arena *a,
                        struct monitor_conn *ret, struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    struct start_context *x = arena_new(a, struct start_context);
    int r = make_run_dir(engine, c, e);
    if (r < 0)
        return r;
    x->holder_fd = -1;
    r = prepare(engine, c, o->dry_run, a, x, &plan, e);
    if (r < 0 || o->dry_run) {
        if (r == 0)
            plan_print(&plan, o->dry_run);
        x->holder_fd = fd_close(x->holder_fd);
        take_back(engine, c, x);
        return r;
    }
    r = ports_activate(engine, x, a, e);
    if (r == 0 && x->cni)
        r = cni_start(engine, c, a, x, e);
    if (r == 0) {
        resources_begin(engine, c, x);
        r = launch_monitor(engine, c, x, &plan, o, a, ret, e);
    }
    x->holder_fd = fd_close(x->holder_fd);
    port_close(&x->ports);
    if (r < 0)
        undo_start(engine, c);
    return r;
}

static void forget_shutdown(const struct container *c) {
    if (restart_policy_of(&c->record.host.restart) == RESTART_UNLESS_STOPPED)
        (void)unlinkat(c->dirfd, STOPPED_BY_SHUTDOWN, 0);
}

int engine_start(struct engine *engine, struct container *c, const struct start_options *o, struct arena *a,
                 struct monitor_conn *ret, struct error *e) {
    struct container_state state;
    int fd = c->pending_fd >= 0 ? TAKE_FD(c->pending_fd) : container_hold(engine, c, PENDING_START, a, &state, e);
    if (fd < 0)
        return fd;
    int r = start_locked(engine, c, o, a, ret, e);
    rootless_entered();
    if (r == 0 && !o->dry_run)
        forget_shutdown(c);
    if (r < 0 && c->record.host.auto_remove)
        trash_reap(engine, c->id); /* what the monitor has put there */
    if (r < 0 && faccessat(c->run_dirfd, "journal", F_OK, 0) == 0)
        fd_close(fd); /* could not be undone: the entry stays, for the next command */
    else
        pending_end(engine, c->id, fd);
    return r;
}

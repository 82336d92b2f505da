#include "engine/gather.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fs.h"
#include "engine/host_lsm.h"
#include "engine/lookup.h"
#include "engine/mount_sources.h"
#include "engine/rootfs.h"
#include "engine/spec_parts.h"
#include "engine/userns.h"
#include "engine/volume.h"
#include "kernel/capability.h"
#include "kernel/netns.h"
#include "kernel/seccomp_filter.h"
#include "kernel/sys.h"
#include "model/network_mode.h"
#include "runtime/rootless.h"

/* --- user ------------------------------------------------------------------------------------------------------------------ */

static int read_user_file(const struct strs *dirs, const char *path, struct buf *text, struct error *e) {
    int r = rootfs_read(dirs, path, USER_FILE_MAX, text);
    if (r == -EFBIG)
        return error_set(e, r, "%s of the container is too large", path);
    return 0; /* absent, or no regular file: there are no entries */
}

static int gather_user(struct engine *engine, const struct container *c, const char *user, struct arena *a, struct identity *ret,
                       struct error *e) {
    _cleanup_buf_ struct buf passwd = BUF_INIT, group = BUF_INIT;
    struct strs dirs = {0};
    container_rootfs_dirs(engine, &c->record, a, &dirs);
    int r = read_user_file(&dirs, "/etc/passwd", &passwd, e);
    if (r == 0)
        r = read_user_file(&dirs, "/etc/group", &group, e);
    return r < 0 ? r : identity_resolve(user, &c->record.host.group_add, buf_text(&passwd), buf_text(&group), a, ret, e);
}

/* Whom nobody can become here: the kernel would say EINVAL. */
static int check_user(const struct engine *engine, const struct container *c, const struct spec_input *in, struct arena *a,
                      struct error *e) {
    const struct roots *roots = engine->roots;
    const struct identity *id = &in->user;
    uint32_t group = 0;
    if (!roots->rootless || in->id_maps_uid.n)
        return 0; /* mappings are looked at where the plan is made */
    for (size_t i = 0; i < id->groups.n; i++)
        group = MAX_OF(group, *LIST_AT(uint32_t, &id->groups, i));
    if (roots->single_id && (id->uid || id->gid || c->record.host.group_add.n)) {
        const char *why = rootless_why_single(roots->uid, a);
        error_set(e, -EINVAL, "%s %u:%u: you have no ranges of ids, so only root, who is you, can be in a container",
                  id->uid || id->gid ? "user" : "groups for user", id->uid, id->gid);
        return why ? error_hint(e, "%s", why) : -EINVAL;
    }
    if (id->uid < roots->uids && id->gid < roots->gids && (roots->single_id || group < roots->gids))
        return 0;
    error_set(e, -EINVAL, "user %u:%u%s: you have %u ids and %u ids of groups for a container, and it is beyond these", id->uid,
              id->gid, group < roots->gids ? "" : " with its groups", roots->uids, roots->gids);
    return error_hint(e, "an administrator adds ranges to /etc/subuid and /etc/subgid: usermod --add-subuids, --add-subgids");
}

/* --- other containers' namespaces ------------------------------------------------------------------------------------------ */

/* The namespace of another container (NULL: none) that `mode` names, of OCI's `type`. */
static int shared_pid(struct engine *engine, const char *mode, const char *type, struct arena *a, struct start_context *x,
                      int32_t *ret, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct container_state state;
    const char *target = mode_container(mode);
    if (!target)
        return 0;
    int r = container_open(engine, target, a, &c, e);
    if (r >= 0)
        r = container_state(&c, &state, e);
    if (r < 0)
        return r;
    if (!container_is_alive(&state))
        return error_set(e, -ESRCH, "cannot join namespace of a non running container: container %s is %s", target,
                         status_text(state.status));
    map_set(a, &x->plan.owners, type, container_run_path(engine, c.id, "", a));
    *ret = state.pid;
    return 0;
}

static bool is_own(int netns_fd) {
    struct stat own, other;
    return stat("/proc/self/ns/net", &own) == 0 && fstat(netns_fd, &other) == 0 && own.st_dev == other.st_dev &&
           own.st_ino == other.st_ino;
}

static int shared_path(const char *mode, const char **ret, struct error *e) {
    const char *path = network_mode_path(mode);
    if (!path)
        return 0;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, -errno, "join network namespace %s", path);
    if (!netns_is(fd)) {
        error_set(e, -EINVAL, "join network namespace %s: it is no network namespace", path);
        return error_hint(e, "`ip netns add NAME` makes one at /run/netns/NAME");
    }
    if (is_own(fd)) {
        error_set(e, -EINVAL, "join network namespace %s: it is the host's own", path);
        return error_hint(e, "--network host");
    }
    *ret = path;
    return 0;
}

int start_gather_shared(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x,
                        struct error *e) {
    const struct host_config *h = &c->record.host;
    struct spec_shared *s = &x->input.shared;
    const struct {
        const char *type, *mode;
        int32_t *pid;
    } kinds[] = {
        {"network", h->network_mode, &s->network},
        {"ipc", h->ipc_mode, &s->ipc},
        {"pid", h->pid_mode, &s->pid},
        {"uts", h->uts_mode, &s->uts},
        {"cgroup", h->cgroupns_mode, &s->cgroup},
    };
    int r = shared_path(h->network_mode, &s->network_path, e);
    if (network_mode_kind(h->network_mode, NULL) == NETWORK_MODE_CNI) {
        s->network_path = container_run_path(engine, c->id, CONTAINER_NETNS, a);
        s->network_is_ours = true;
    }
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
        r = shared_pid(engine, kinds[i].mode, kinds[i].type, a, x, kinds[i].pid, e);
    return r;
}

/* --- devices --------------------------------------------------------------------------------------------------------------- */

static int add_device(struct arena *a, struct list *to, const char *host_path, const char *inside, const char *access,
                      struct error *e) {
    struct stat st;
    if (stat(host_path, &st) < 0)
        return error_errno(e, -errno, "error gathering device information while adding custom device \"%s\"", host_path);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(e, -ENODEV, "error gathering device information while adding custom device \"%s\": not a device node",
                         host_path);
    *LIST_ADD(a, struct spec_device, to) = (struct spec_device){.path = inside && *inside ? inside : host_path,
                                                                .host_path = host_path,
                                                                .type = S_ISBLK(st.st_mode) ? 'b' : 'c',
                                                                .major = major(st.st_rdev),
                                                                .minor = minor(st.st_rdev),
                                                                .mode = st.st_mode & 07777,
                                                                .uid = st.st_uid,
                                                                .gid = st.st_gid,
                                                                .access = access && *access ? access : "rwm"};
    return 0;
}

static int one_of_all(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    static const char *const ours[] = {"console", "ptmx",    "tty", "null", "zero",   "full",
                                       "random",  "urandom", "pts", "shm",  "mqueue", "fd"};
    struct {
        struct arena *a;
        struct list *to;
    } *x = arg;
    struct stat st;
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (strcmp(ours[i], name) == 0)
            return 0;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
        return 0;
    const char *path = arena_printf(x->a, "/dev/%s", name);
    (void)add_device(x->a, x->to, path, NULL, NULL, NULL);
    return 0;
}

static int gather_devices(const struct host_config *h, struct arena *a, struct spec_input *in, struct error *e) {
    struct {
        struct arena *a;
        struct list *to;
    } all = {a, &in->all_devices};
    for (size_t i = 0; i < h->devices.n; i++) {
        const struct device_mapping *d = LIST_AT(struct device_mapping, &h->devices, i);
        int r = add_device(a, &in->devices, d->path_on_host, d->path_in_container, d->cgroup_permissions, e);
        if (r < 0)
            return r;
    }
    return h->privileged ? fs_each(AT_FDCWD, "/dev", one_of_all, &all, e) : 0;
}

/* --- volumes --------------------------------------------------------------------------------------------------------------- */

static int gather_volumes(const struct roots *roots, const struct list *mounts, struct arena *a, struct list *ret,
                          struct error *e) {
    for (size_t i = 0; i < mounts->n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, mounts, i);
        struct volume v;
        if (strcmp(m->type, "volume") != 0 || !m->name)
            continue;
        int r = volume_open(roots, m->name, a, &v, e);
        if (r == 0 && v.options.n)
            r = volume_mount(&v, m->destination, a, LIST_ADD(a, struct oci_mount, ret), e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- all of it ------------------------------------------------------------------------------------------------------------- */

#define CAP_SYS_RESOURCE_BIT CAPABILITY_BIT(24)

static void gather_host(const struct roots *roots, struct spec_input *in) {
    struct capability_sets sets;
    for (int i = 0; i < SPEC_RLIMITS; i++) {
        struct rlimit64 limit;
        bool known = sys_prlimit64(0, i, NULL, &limit) == 0 && limit.rlim_max != RLIM_INFINITY;
        in->rlimit_hard[i] = known ? (uint64_t)limit.rlim_max : UINT64_MAX;
    }
    in->may_raise = !roots->rootless && capability_get(&sets, NULL) == 0 && (sets.effective & CAP_SYS_RESOURCE_BIT);
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    in->cpus = cpus > 0 ? (unsigned)cpus : 0;
    in->host_mqueue = faccessat(AT_FDCWD, "/dev/mqueue", F_OK, 0) == 0;
    in->rootless = roots->rootless;
    in->rootless_gids = roots->rootless && roots->uid != 0 ? roots->gids : 0;
}

int start_gather(struct engine *engine, const struct container *c, const char *user, struct arena *a, struct start_context *x,
                 struct error *e) {
    const struct host_config *h = &c->record.host;
    struct spec_input *in = &x->input;
    in->record = &c->record;
    gather_host(engine->roots, in);
    int r = gather_user(engine, c, user, a, &in->user, e);
    if (r == 0)
        r = userns_maps(engine, c, a, in, e);
    if (r == 0)
        r = check_user(engine, c, in, a, e);
    if (r == 0)
        r = gather_devices(h, a, in, e);
    if (r == 0)
        r = gather_block_io(h, a, &in->block_io, e);
    if (r == 0)
        r = gather_volumes(engine->roots, &c->record.mounts, a, &in->volume_mounts, e);
    if (r == 0)
        r = cgroup_layout_load(engine->roots->run_fd, &x->layout, e);
    if (r == 0 && engine->roots->rootless)
        cgroup_layout_keep_writable(&x->layout);
    if (r == 0)
        r = cgroup_path(engine->roots->tag, h->cgroup_parent && *h->cgroup_parent ? h->cgroup_parent : NULL, c->id, a, &x->cgroup,
                        e);
    in->cgroups_path = x->cgroup;
    in->overlays = container_path(engine, c->id, OVERLAYS, a);
    if (r == 0)
        in->apparmor = host_apparmor(engine->roots, h, true, a);
    if (r == 0)
        r = host_selinux(h, c->id, a, &in->selinux, e);
    return r;
}

int exec_context_fill(const struct oci_spec *spec, const struct cgroup_layout *layout, const char *cgroup, bool single_id,
                      struct arena *a, struct plan_exec_context *ret, struct error *e) {
    static const struct {
        const char *type;
        unsigned flag;
    } kinds[] = {{"mount", CLONE_NEWNS},    {"pid", CLONE_NEWPID},       {"ipc", CLONE_NEWIPC},  {"uts", CLONE_NEWUTS},
                 {"network", CLONE_NEWNET}, {"cgroup", CLONE_NEWCGROUP}, {"user", CLONE_NEWUSER}};
    struct plan_context groups = {0};
    ret->single_id = single_id;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (oci_spec_namespace(spec, kinds[i].type))
            ret->namespaces |= kinds[i].flag;
    int r = plan_context_cgroups(&groups, layout, cgroup, NULL, a, e);
    ret->cgroup_join = groups.cgroup_join;
    ret->cgroup_unified = groups.cgroup_unified;
    return r;
}

int start_seccomp(struct engine *engine, const struct container_record *c, bool privileged, struct arena *a, const void **ret_code,
                  size_t *ret_size, uint32_t *ret_flags, struct error *e) {
    struct security_options so;
    int r = security_options_parse(&c->host.security_opt, a, &so, e);
    *ret_code = NULL;
    *ret_size = 0;
    *ret_flags = 0;
    if (r < 0 || privileged || so.seccomp_unconfined)
        return r;
    struct seccomp_request q = {.profile = so.seccomp_profile, .profile_size = so.seccomp_profile ? strlen(so.seccomp_profile) : 0};
    struct seccomp_program program = {0};
    r = spec_capabilities(&c->host, &q.caps, e);
    if (r == 0)
        r = seccomp_for_container(engine->roots->run_fd, &q, a, &program, e);
    if (r < 0)
        return r;
    *ret_code = program.code;
    *ret_size = program.n * sizeof(*program.code);
    *ret_flags = program.flags;
    return 0;
}

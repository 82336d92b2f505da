#include "engine/spec.h"

#include <string.h>
#include <sys/resource.h>

#include "engine/spec_parts.h"
#include "kernel/capability.h"
#include "model/security_defaults.h"

static const char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

int spec_capabilities(const struct host_config *h, uint64_t *ret, struct error *e) {
    if (h->privileged) {
        *ret = capability_kernel();
        return 0;
    }
    return capability_adjust(security_capabilities, &h->cap_add, &h->cap_drop, ret, e);
}

/* A process that is not root gets no effective rights, but keeps the bounding set for programs that carry file capabilities. */
static void set_capabilities(uint64_t caps, uint32_t uid, struct arena *a, struct oci_process *p) {
    p->capabilities = arena_new(a, struct oci_capabilities);
    capability_list(caps, a, &p->capabilities->bounding);
    if (uid == 0) {
        p->capabilities->effective = p->capabilities->bounding;
        p->capabilities->permitted = p->capabilities->bounding;
    }
}

static bool env_has(const struct strs *env, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
            return true;
    return false;
}

static bool is_replaced(const struct spec_input *in, const struct strs *more, const char *name) {
    return (more && env_has(more, name)) || env_has(&in->more_env, name);
}

/* Docker's order: PATH and HOSTNAME (and TERM) first, then the container's, HOME last. An entry without '=' comes from nowhere: it
 * was resolved by the command line, or is not set at all. */
static void set_env(const struct spec_input *in, bool tty, const struct strs *more, struct arena *a, struct strs *ret) {
    const struct strs *env = &in->record->config.env;
    struct strs all = {0};
    for (size_t i = 0; i < env->n; i++)
        if (strchr(env->v[i], '=') && !is_replaced(in, more, arena_strndup(a, env->v[i], strcspn(env->v[i], "="))))
            strs_add(a, &all, env->v[i]);
    for (size_t i = 0; more && i < more->n; i++)
        if (strchr(more->v[i], '='))
            strs_add(a, &all, more->v[i]);
    for (size_t i = 0; i < in->more_env.n; i++)
        strs_add(a, &all, in->more_env.v[i]);
    if (!env_has(&all, "PATH"))
        strs_add(a, ret, default_path);
    if (!env_has(&all, "HOSTNAME") && in->record->config.hostname)
        strs_add(a, ret, arena_printf(a, "HOSTNAME=%s", in->record->config.hostname));
    if (tty && !env_has(&all, "TERM"))
        strs_add(a, ret, "TERM=xterm");
    for (size_t i = 0; i < all.n; i++)
        strs_add(a, ret, all.v[i]);
    if (!env_has(&all, "HOME"))
        strs_add(a, ret, arena_printf(a, "HOME=%s", in->user.home));
}

/* The primary group is among the supplementary ones, too, as login(1) has it: a set-group-id program must not be able to drop it
 * (CVE-2022-36109). */
static void set_user(const struct identity *id, struct arena *a, struct oci_process *p) {
    p->user.uid = id->uid;
    p->user.gid = id->gid;
    *LIST_ADD(a, uint32_t, &p->user.additional_gids) = id->gid;
    for (size_t i = 0; i < id->groups.n; i++)
        *LIST_ADD(a, uint32_t, &p->user.additional_gids) = *LIST_AT(uint32_t, &id->groups, i);
    p->user.umask = (struct opt_i64){true, SECURITY_UMASK};
}

/* --- resource limits of the process ---------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *rlimit;
    int number;
} ulimits[] = {
    {"core", "RLIMIT_CORE", RLIMIT_CORE},
    {"cpu", "RLIMIT_CPU", RLIMIT_CPU},
    {"data", "RLIMIT_DATA", RLIMIT_DATA},
    {"fsize", "RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"locks", "RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"memlock", "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"msgqueue", "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"nice", "RLIMIT_NICE", RLIMIT_NICE},
    {"nofile", "RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"nproc", "RLIMIT_NPROC", RLIMIT_NPROC},
    {"rss", "RLIMIT_RSS", RLIMIT_RSS},
    {"rtprio", "RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"rttime", "RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"sigpending", "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"stack", "RLIMIT_STACK", RLIMIT_STACK},
};

const char *ulimit_rlimit_name(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(ulimits); i++)
        if (strcmp(ulimits[i].name, name) == 0)
            return ulimits[i].rlimit;
    return NULL;
}

static uint64_t hard_limit_of_host(const struct spec_input *in, const char *rlimit) {
    for (size_t i = 0; i < ARRAY_SIZE(ulimits); i++)
        if (strcmp(ulimits[i].rlimit, rlimit) == 0 && ulimits[i].number < SPEC_RLIMITS)
            return in->rlimit_hard[ulimits[i].number];
    return UINT64_MAX;
}

static const struct ulimit *asked_ulimit(const struct host_config *h, const char *rlimit) {
    for (size_t i = 0; i < h->ulimits.n; i++) {
        const char *name = ulimit_rlimit_name(LIST_AT(struct ulimit, &h->ulimits, i)->name);
        if (name && strcmp(name, rlimit) == 0)
            return LIST_AT(struct ulimit, &h->ulimits, i);
    }
    return NULL;
}

static int set_rlimits(const struct spec_input *in, struct arena *a, struct list *ret, struct list *adjustments, struct error *e) {
    const struct host_config *h = &in->record->host;
    for (size_t i = 0; i < h->ulimits.n; i++) {
        const struct ulimit *u = LIST_AT(struct ulimit, &h->ulimits, i);
        const char *name = ulimit_rlimit_name(u->name);
        if (!name)
            return error_set(e, -EINVAL, "invalid ulimit type: %s", u->name);
        uint64_t hard = u->hard < 0 ? UINT64_MAX : (uint64_t)u->hard, soft = u->soft < 0 ? UINT64_MAX : (uint64_t)u->soft;
        if (hard > hard_limit_of_host(in, name) && !in->may_raise)
            return error_set(e, -EPERM, "ulimit %s=%lld is above this user's hard limit of %llu", u->name, (long long)u->hard,
                             (unsigned long long)hard_limit_of_host(in, name));
        *LIST_ADD(a, struct oci_rlimit, ret) = (struct oci_rlimit){name, soft, hard};
    }
    for (size_t i = 0; i < security_rlimit_count; i++) {
        struct oci_rlimit limit = security_rlimits[i];
        uint64_t most = hard_limit_of_host(in, limit.type);
        if (asked_ulimit(h, limit.type))
            continue;
        if (limit.hard > most && !in->may_raise) {
            struct adjustment *x = LIST_ADD(a, struct adjustment, adjustments);
            *x = (struct adjustment){limit.type, arena_printf(a, "%llu", (unsigned long long)limit.hard),
                                     arena_printf(a, "%llu", (unsigned long long)most)};
            limit.hard = most;
            limit.soft = MIN_OF(limit.soft, most);
        }
        *LIST_ADD(a, struct oci_rlimit, ret) = limit;
    }
    return 0;
}

/* --- cgroup limits --------------------------------------------------------------------------------------------------------- */

static struct opt_i64 some_i64(int64_t v) {
    return (struct opt_i64){v != 0, v};
}
static struct opt_u64 some_u64(uint64_t v) {
    return (struct opt_u64){v != 0, v};
}

#define CPU_PERIOD_US 100000

static void limit_cpu(const struct host_config *h, struct arena *a, struct oci_resources *r) {
    r->cpu = arena_new(a, struct oci_cpu);
    r->cpu->shares = some_u64((uint64_t)h->cpu_shares);
    r->cpu->quota = some_i64(h->cpu_quota);
    r->cpu->period = some_u64((uint64_t)h->cpu_period);
    if (h->nano_cpus > 0) {
        r->cpu->period = (struct opt_u64){true, CPU_PERIOD_US};
        r->cpu->quota = (struct opt_i64){true, h->nano_cpus * CPU_PERIOD_US / 1000000000};
    }
    r->cpu->realtime_period = some_u64((uint64_t)h->cpu_realtime_period);
    r->cpu->realtime_runtime = some_i64(h->cpu_realtime_runtime);
    r->cpu->cpus = h->cpuset_cpus && *h->cpuset_cpus ? h->cpuset_cpus : NULL;
    r->cpu->mems = h->cpuset_mems && *h->cpuset_mems ? h->cpuset_mems : NULL;
}

static void limit_memory(const struct host_config *h, struct arena *a, struct oci_resources *r) {
    struct oci_memory *m = r->memory = arena_new(a, struct oci_memory);
    m->limit = some_i64(h->memory);
    m->reservation = some_i64(h->memory_reservation);
    /* Docker's rule: as much swap as memory, unless said otherwise. */
    m->swap = h->memory > 0 && h->memory_swap == 0 ? (struct opt_i64){true, h->memory * 2} : some_i64(h->memory_swap);
    if (h->memory_swappiness.set && h->memory_swappiness.value >= 0)
        m->swappiness = (struct opt_u64){true, (uint64_t)h->memory_swappiness.value};
    if (h->oom_kill_disable.set && h->oom_kill_disable.value)
        m->disable_oom_killer = h->oom_kill_disable;
}

void spec_limits(const struct host_config *h, struct arena *a, struct oci_resources *r) {
    limit_cpu(h, a, r);
    limit_memory(h, a, r);
    if (h->pids_limit.set && h->pids_limit.value != 0) {
        r->pids = arena_new(a, struct oci_pids);
        r->pids->limit = (struct opt_i64){true, h->pids_limit.value < 0 ? -1 : h->pids_limit.value};
    } else if (!h->pids_limit.set && !h->privileged) {
        r->pids = arena_new(a, struct oci_pids);
        r->pids->limit = (struct opt_i64){true, SECURITY_PIDS_LIMIT};
    }
    if (h->blkio_weight) {
        if (!r->block_io)
            r->block_io = arena_new(a, struct oci_block_io);
        r->block_io->weight = (struct opt_u64){true, h->blkio_weight};
    }
}

/* --- the process ----------------------------------------------------------------------------------------------------------- */

static int set_process(const struct spec_input *in, struct arena *a, struct oci_process *p, struct list *adjustments,
                       struct error *e) {
    const struct container_record *c = in->record;
    struct security_options so;
    uint64_t caps;
    int r = security_options_parse(&c->host.security_opt, a, &so, e);
    if (r >= 0)
        r = spec_capabilities(&c->host, &caps, e);
    if (r >= 0)
        r = set_rlimits(in, a, &p->rlimits, adjustments, e);
    if (r < 0)
        return r;
    p->terminal = c->config.tty;
    set_user(&in->user, a, p);
    strs_add(a, &p->args, c->path);
    for (size_t i = 0; i < c->args.n; i++)
        strs_add(a, &p->args, c->args.v[i]);
    set_env(in, c->config.tty, NULL, a, &p->env);
    p->cwd = c->config.working_dir && *c->config.working_dir ? c->config.working_dir : "/";
    set_capabilities(caps, in->user.uid, a, p);
    p->no_new_privileges = so.no_new_privileges;
    p->apparmor_profile = in->apparmor;
    p->selinux_label = in->selinux.process;
    if (c->host.oom_score_adj)
        p->oom_score_adj = (struct opt_i64){true, c->host.oom_score_adj};
    return 0;
}

int spec_exec_process(const struct spec_input *in, const struct exec_request *x, struct arena *a, struct oci_process *ret,
                      struct error *e) {
    struct oci_process p = {0};
    struct list ignored = {0};
    struct host_config host = in->record->host;
    uint64_t caps;
    int r = set_process(in, a, &p, &ignored, e);
    host.privileged = host.privileged || x->privileged;
    if (r >= 0)
        r = spec_capabilities(&host, &caps, e);
    if (r < 0)
        return r;
    p.terminal = x->tty;
    p.args = x->cmd;
    p.env = (struct strs){0};
    set_env(in, x->tty, &x->env, a, &p.env);
    if (x->working_dir && *x->working_dir)
        p.cwd = x->working_dir;
    set_capabilities(caps, in->user.uid, a, &p);
    *ret = p;
    return 0;
}

/* --- namespaces ------------------------------------------------------------------------------------------------------------ */

static bool is_isolated(const struct host_config *h, const char *what) {
    return h->isolate.n == 0 || strs_has(&h->isolate, what);
}

/* `path` NULL: a new one. */
static void add_namespace(struct arena *a, struct oci_linux *l, const char *type, const char *path) {
    *LIST_ADD(a, struct oci_namespace, &l->namespaces) = (struct oci_namespace){.type = type, .path = path};
}

static void set_namespaces(const struct spec_input *in, struct arena *a, struct oci_linux *l) {
    const struct host_config *h = &in->record->host;
    const struct {
        const char *type, *file, *mode;
        int32_t shared;
    } kinds[] = {
        {"pid", "pid", h->pid_mode, in->shared.pid},
        {"ipc", "ipc", h->ipc_mode, in->shared.ipc},
        {"uts", "uts", h->uts_mode, in->shared.uts},
        {"network", "net", h->network_mode, in->shared.network},
        {"cgroup", "cgroup", h->cgroupns_mode, in->shared.cgroup},
    };
    if (is_isolated(h, "mount"))
        add_namespace(a, l, "mount", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const char *path = strcmp(kinds[i].type, "network") == 0 ? in->shared.network_path : NULL;
        if (kinds[i].shared > 0)
            path = arena_printf(a, "/proc/%d/ns/%s", kinds[i].shared, kinds[i].file);
        if (!mode_is(kinds[i].mode, "host") && is_isolated(h, kinds[i].type))
            add_namespace(a, l, kinds[i].type, path);
    }
    if (strs_has(&h->isolate, "time")) /* the host's clocks, until somebody sets offsets: so only when asked for */
        add_namespace(a, l, "time", NULL);
    if (in->id_maps_uid.n) {
        add_namespace(a, l, "user", NULL);
        l->uid_mappings = in->id_maps_uid;
        l->gid_mappings = in->id_maps_gid;
    }
}

static bool has_own(const struct oci_linux *l, const char *type) {
    for (size_t i = 0; i < l->namespaces.n; i++) {
        const struct oci_namespace *ns = LIST_AT(struct oci_namespace, &l->namespaces, i);
        if (strcmp(ns->type, type) == 0)
            return !ns->path;
    }
    return false;
}

/* Echo requests for everybody who has an id. In a user namespace the kernel takes ids that are mapped alone, and compares those of
 * the host: the caller, who is 0 outside, comes before his ranges. */
static const char *ping_range(const struct spec_input *in, const char *all, struct arena *a) {
    uint32_t first = 0, count = in->rootless_gids;

    for (size_t i = 0; i < in->id_maps_gid.n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, &in->id_maps_gid, i);

        count = i == 0 ? m->size : m->container_id == count ? count + m->size : count;
        first = m->host_id == 0 ? m->container_id : first;
    }
    return count == 0 ? all : arena_printf(a, "%u %u", first, MAX_OF(first, count - 1));
}

/* A network namespace that was made in a user namespace of ours, or of the container's. */
static void set_network_defaults(const struct spec_input *in, bool is_new, struct arena *a, struct oci_linux *l) {
    bool mapped = in->id_maps_gid.n || in->rootless;

    if (mapped && (!is_new || (in->rootless && !in->rootless_gids)))
        return;
    for (size_t i = 0; i < security_sysctl_count; i++) {
        const char *key = security_sysctls[i].key, *value = security_sysctls[i].value;

        map_set(a, &l->sysctl, key, strcmp(key, SECURITY_PING_RANGE) == 0 ? ping_range(in, value, a) : value);
    }
}

static int set_sysctls(const struct spec_input *in, struct arena *a, struct oci_linux *l, struct error *e) {
    const struct map *asked = &in->record->host.sysctls;
    const struct security_namespaces own = {
        .net = has_own(l, "network") || in->shared.network_is_ours, .ipc = has_own(l, "ipc"), .uts = has_own(l, "uts")};
    if (own.net)
        set_network_defaults(in, has_own(l, "network"), a, l);
    for (size_t i = 0; i < asked->n; i++) {
        int r = security_check_sysctl(asked->v[i].key, asked->v[i].value, &own, e);
        if (r < 0)
            return r;
        map_set(a, &l->sysctl, asked->v[i].key, asked->v[i].value);
    }
    return 0;
}

static void set_protected_paths(const struct spec_input *in, const struct security_options *so, struct arena *a,
                                struct oci_linux *l) {
    const struct host_config *h = &in->record->host;
    if (h->privileged || so->paths_unconfined || !is_isolated(h, "mount"))
        return;
    for (const char *const *p = security_masked_paths; *p && h->masked_paths.n == 0; p++)
        if (!strs_has(&so->unmask, *p) && !strs_has(&so->unmask, "ALL"))
            strs_add(a, &l->masked_paths, *p);
    for (unsigned i = 0; i < in->cpus && h->masked_paths.n == 0; i++)
        strs_add(a, &l->masked_paths, arena_printf(a, SECURITY_MASKED_CPU_PATH, i));
    for (size_t i = 0; i < h->masked_paths.n; i++)
        strs_add(a, &l->masked_paths, h->masked_paths.v[i]);
    for (size_t i = 0; i < so->mask.n; i++)
        strs_add(a, &l->masked_paths, so->mask.v[i]);
    for (const char *const *p = security_readonly_paths; *p && h->readonly_paths.n == 0; p++)
        if (!strs_has(&so->unmask, *p) && !strs_has(&so->unmask, "ALL"))
            strs_add(a, &l->readonly_paths, *p);
    for (size_t i = 0; i < h->readonly_paths.n; i++)
        strs_add(a, &l->readonly_paths, h->readonly_paths.v[i]);
}

static void set_hooks(const struct oci_hooks *h, struct arena *a, struct oci_spec *s) {
    if (h->prestart.n + h->create_runtime.n + h->create_container.n + h->start_container.n + h->poststart.n + h->poststop.n == 0)
        return;
    s->hooks = arena_new(a, struct oci_hooks);
    *s->hooks = *h;
}

int spec_build(const struct spec_input *in, struct arena *a, struct oci_spec *ret, struct list *adjustments, struct error *e) {
    const struct container_record *c = in->record;
    struct oci_spec s = {.oci_version = OCI_VERSION};
    struct security_options so;
    s.process = arena_new(a, struct oci_process);
    s.linux_ = arena_new(a, struct oci_linux);
    s.linux_->resources = arena_new(a, struct oci_resources);
    s.root = arena_new(a, struct oci_root);
    s.root->path = "rootfs";
    s.root->readonly = c->host.readonly_rootfs;
    s.annotations = c->host.annotations;
    s.linux_->cgroups_path = in->cgroups_path;
    s.linux_->net_devices = in->net_devices;
    set_hooks(&in->hooks, a, &s);

    int r = security_options_parse(&c->host.security_opt, a, &so, e);
    if (r == 0)
        r = set_process(in, a, s.process, adjustments, e);
    if (r < 0)
        return r;
    s.linux_->mount_label = in->selinux.files;
    set_namespaces(in, a, s.linux_);
    if (has_own(s.linux_, "uts")) {
        s.hostname = c->config.hostname;
        s.domainname = c->config.domainname && *c->config.domainname ? c->config.domainname : NULL;
    }
    s.linux_->resources->block_io = in->block_io;
    spec_limits(&c->host, a, s.linux_->resources);
    set_protected_paths(in, &so, a, s.linux_);
    r = set_sysctls(in, a, s.linux_, e);
    if (r == 0)
        r = spec_devices(in, a, s.linux_, e);
    if (r == 0)
        r = spec_mounts(in, &so, a, &s, e);
    if (r == 0)
        *ret = s;
    return r;
}

/* From a configuration to a plan: the frame (cgroups, namespaces, mappings, networks) and the order of it all. Files are planned in
 * plan_files.c, the process in plan_process.c.
 *
 * The order is the kernel's:
 *   - cgroups exist before the child, which is born in (v2) or enters (v1, as its first act) its own;
 *   - the parent writes the id maps before the child can do anything in its user namespace;
 *   - sources of mounts are opened by the parent when the child is in another user namespace, whose root may not reach them;
 *   - a cgroup namespace takes the cgroup that its maker is in for its root, so it is made after entering;
 *   - everything that is a path on the host is resolved before pivot_root(2), everything of the image through descriptors. */
#include "runtime/plan_build.h"
#include "model/security_defaults.h"

#include <limits.h>
#include <linux/sched.h>
#include <string.h>

#include "kernel/cgroup.h"

void step_add(struct builder *b, enum plan_role role, enum plan_op op, unsigned flags, const int64_t arg[PLAN_ARGS]) {
    struct plan_step s = {.op = (uint16_t)op, .role = (uint8_t)role, .flags = (uint8_t)flags};

    memcpy(s.arg, arg, sizeof(s.arg));
    buf_add(&b->plan->steps_buf, &s, sizeof(s));
}

static int64_t text_mark(struct builder *b) {
    if (b->plan->text_buf.size == 0)
        buf_add_char(&b->plan->text_buf, '\0'); /* offset 0 stands for "absent" */
    return (int64_t)b->plan->text_buf.size;
}

static void text_put(struct builder *b, const char *s) {
    buf_add(&b->plan->text_buf, s, strlen(s) + 1);
}

int64_t text_add(struct builder *b, const char *s) {
    int64_t at = text_mark(b);

    if (!s)
        return 0;
    text_put(b, s);
    return at;
}

int64_t texts_add(struct builder *b, const struct strs *s) {
    int64_t at = text_mark(b);
    uint32_t n = (uint32_t)s->n;

    if (s->n == 0)
        return 0;
    buf_add(&b->plan->text_buf, &n, sizeof(n));
    for (size_t i = 0; i < s->n; i++)
        text_put(b, s->v[i]);
    return at;
}

int64_t u32s_add(struct builder *b, const struct list *l) {
    struct strs s = {0};

    for (size_t i = 0; i < l->n; i++)
        strs_add(b->arena, &s, arena_printf(b->arena, "%u", *LIST_AT(uint32_t, l, i)));
    return texts_add(b, &s);
}

int64_t data_add(struct builder *b, const void *p, size_t n) {
    int64_t at = text_mark(b);
    uint32_t size = (uint32_t)n;

    if (!p || n == 0)
        return 0;
    buf_add(&b->plan->text_buf, &size, sizeof(size));
    buf_add(&b->plan->text_buf, p, n);
    return at;
}

const char *path_clean(struct arena *a, const char *path) {
    char *out = arena_alloc(a, strlen(path) + 2);
    size_t n = 0;

    while (*path) {
        size_t len = strcspn(path, "/");

        if (len == 2 && memcmp(path, "..", 2) == 0) {
            while (n > 0 && out[--n] != '/')
                ;
        } else if (len > 0 && !(len == 1 && *path == '.')) {
            out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
        }
        path += len + (path[len] == '/');
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    return out;
}

bool path_is_below(const char *path, const char *under) {
    size_t n = strcmp(under, "/") == 0 ? 0 : strlen(under);

    return strncmp(path, under, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* ---- Control groups ---- */

int plan_context_cgroups(struct plan_context *c, const struct cgroup_layout *layout, const char *path,
                         const struct oci_resources *resources, struct arena *a, struct error *e) {
    struct list attach = {0};
    int r;

    r = cgroup_plan_create(layout, path, resources, a, &c->cgroup_ops, e);
    if (r < 0)
        return r;
    cgroup_plan_attach(layout, path, true, a, &attach);
    for (size_t i = 0; i < attach.n; i++)
        strs_add(a, &c->cgroup_join, LIST_AT(struct cgroup_op, &attach, i)->dir);
    if (layout->unified != CGROUP_NONE)
        c->cgroup_unified = cgroup_dir(layout, layout->unified, path, a);
    for (int i = 0; i < layout->count; i++) {
        struct plan_cgroup_mount *m = LIST_ADD(a, struct plan_cgroup_mount, &c->cgroup_mounts);
        const char *slash = strrchr(layout->hierarchies[i].mount, '/');

        m->name = layout->count == 1 && i == layout->unified ? NULL : arena_strdup(a, slash ? slash + 1 : "cgroup");
        m->dir = cgroup_dir(layout, i, path, a);
    }
    return 0;
}

static void build_cgroup_ops(struct builder *b, enum plan_role role) {
    const struct list *l = &b->context->cgroup_ops;

    for (size_t i = 0; i < l->n; i++) {
        const struct cgroup_op *op = LIST_AT(struct cgroup_op, l, i);

        if (role != (op->flags & CGROUP_LATE ? PLAN_PARENT : PLAN_HOST))
            continue;
        STEP(b, role, PLAN_CGROUP, (int64_t)op->kind, op->flags, text_add(b, op->dir), text_add(b, op->file),
             text_add(b, op->value), text_add(b, op->other_file), text_add(b, op->other_value), text_add(b, op->what),
             data_add(b, op->program, op->program_size));
    }
}

/* Opened before the child exists: in a user namespace of its own it could not, and permission to enter is that of the opener. */
static void build_cgroup_join(struct builder *b, const struct strs *dirs, int64_t *first_slot) {
    *first_slot = b->slots;
    for (size_t i = 0; i < dirs->n; i++)
        STEP(b, PLAN_HOST, PLAN_CGROUP_OPEN, b->slots++, text_add(b, dirs->v[i]), 0);
}

static int64_t build_cgroup_unified(struct builder *b, const char *dir) {
    if (!dir)
        return -1;
    STEP(b, PLAN_HOST, PLAN_CGROUP_OPEN, b->slots, text_add(b, dir), 1);
    return b->slots++;
}

/* ---- Namespaces ---- */

static const struct {
    const char *type;
    unsigned flag;
} namespace_types[] = {
    {"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},       {"network", CLONE_NEWNET},
    {"uts", CLONE_NEWUTS},   {"ipc", CLONE_NEWIPC},  {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME},
};

static int read_namespaces(struct builder *b, struct error *e) {
    const struct list *l = &b->spec->linux_->namespaces;

    for (size_t i = 0; i < l->n; i++) {
        const struct oci_namespace *ns = LIST_AT(struct oci_namespace, l, i);
        unsigned flag = oci_namespace_flag(ns->type);

        if (!flag)
            return error_set(e, -EINVAL, "linux.namespaces[%zu].type: unknown namespace %s", i, ns->type);
        if ((b->new_namespaces | b->joined_namespaces) & flag)
            return error_set(e, -EINVAL, "linux.namespaces[%zu]: %s appears twice", i, ns->type);
        if (ns->path && *ns->path)
            b->joined_namespaces |= flag;
        else
            b->new_namespaces |= flag;
    }
    b->own_user = b->new_namespaces & CLONE_NEWUSER;
    b->foreign_user = b->own_user || (b->joined_namespaces & CLONE_NEWUSER && !b->context->rootless);
    return 0;
}

struct joined {
    int64_t slot;
    unsigned flag;
};

/* Opens what is to be joined; returns the slots in the order in which the child has to join: user first, since it gives the right
 * to join the others; pid is the monitor's to join, since it counts for children only. */
static void open_namespaces(struct builder *b, struct joined joined[ARRAY_SIZE(namespace_types)], size_t *n) {
    *n = 0;
    b->user_slot = -1;
    for (size_t t = 0; t < ARRAY_SIZE(namespace_types); t++) {
        const struct oci_namespace *ns = oci_spec_namespace(b->spec, namespace_types[t].type);

        if (!ns || !ns->path || !*ns->path)
            continue;
        const char *owner = map_get(&b->context->owners, namespace_types[t].type);
        if (owner)
            STEP(b, PLAN_HOST, PLAN_NAMESPACE_OF, b->slots, namespace_types[t].flag, text_add(b, strrchr(ns->path, '/') + 1),
                 text_add(b, owner));
        else
            STEP(b, PLAN_HOST, PLAN_NAMESPACE_OPEN, b->slots, namespace_types[t].flag, text_add(b, ns->path));
        if (namespace_types[t].flag & (CLONE_NEWPID | CLONE_NEWTIME))
            STEP(b, PLAN_HOST, PLAN_NAMESPACE_CHILDREN, b->slots, namespace_types[t].flag);
        else
            joined[(*n)++] = (struct joined){b->slots, namespace_types[t].flag};
        if (namespace_types[t].flag == CLONE_NEWUSER)
            b->user_slot = b->slots;
        b->slots++;
    }
}

static const char *id_map_text(struct builder *b, const struct list *maps) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (size_t i = 0; i < maps->n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, maps, i);

        buf_printf(&text, "%u %u %u\n", m->container_id, m->host_id, m->size);
    }
    return arena_strdup(b->arena, buf_text(&text));
}

/* The host's id for an id of the container; UINT32_MAX: not mapped. */
static uint32_t id_on_host(const struct builder *b, const struct list *maps, uint32_t id) {
    if (!b->own_user)
        return id;
    for (size_t i = 0; i < maps->n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, maps, i);

        if (id >= m->container_id && id - m->container_id < m->size)
            return m->host_id + (id - m->container_id);
    }
    return UINT32_MAX;
}

/* Who may write to his group's file system may make groups in it, as the specification has it ("Cgroup ownership"): where its root
 * is the container's own, and in version 2 alone, since version 1 cannot delegate safely. */
static void build_cgroup_owner(struct builder *b) {
    const struct list *groups = &b->context->cgroup_mounts;
    int64_t owner;

    if (groups->n != 1 || LIST_AT(struct plan_cgroup_mount, groups, 0)->name || !b->spec->process)
        return;
    if (!(b->new_namespaces & CLONE_NEWCGROUP) || b->joined_namespaces & CLONE_NEWUSER || !plan_writes_cgroups(b))
        return;
    owner = id_on_host(b, &b->spec->linux_->uid_mappings, b->spec->process->user.uid);
    if (owner != 0)
        STEP(b, PLAN_HOST, PLAN_CGROUP, CGROUP_GIVE, 0, text_add(b, LIST_AT(struct plan_cgroup_mount, groups, 0)->dir), 0,
             text_add(b, arena_printf(b->arena, "%lld", (long long)owner)), 0, 0, text_add(b, "owner of the group"));
}

static int check_maps(const struct builder *b, struct error *e) {
    const struct oci_linux *l = b->spec->linux_;

    if (!b->own_user)
        return 0;
    if (l->uid_mappings.n == 0 || l->gid_mappings.n == 0)
        return error_set(e, -EINVAL, "linux.%s: a new user namespace needs mappings",
                         l->uid_mappings.n ? "gidMappings" : "uidMappings");
    if (id_on_host(b, &l->uid_mappings, 0) == UINT32_MAX || id_on_host(b, &l->gid_mappings, 0) == UINT32_MAX)
        return error_set(e, -EINVAL, "linux.uidMappings: the id 0 of the container must be mapped");
    if (b->spec->process && (id_on_host(b, &l->uid_mappings, b->spec->process->user.uid) == UINT32_MAX ||
                             id_on_host(b, &l->gid_mappings, b->spec->process->user.gid) == UINT32_MAX))
        return error_set(e, -EINVAL, "process.user: %u:%u is not mapped into the user namespace", b->spec->process->user.uid,
                         b->spec->process->user.gid);
    return 0;
}

static const char *time_offsets_text(struct builder *b) {
    const struct list *l = &b->spec->linux_->time_offsets;
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (size_t i = 0; i < l->n; i++) {
        const struct oci_time_offset *o = LIST_AT(struct oci_time_offset, l, i);

        buf_printf(&text, "%s %lld %u\n", o->key, (long long)o->secs, o->nanosecs);
    }
    return arena_strdup(b->arena, buf_text(&text));
}

/* ---- What runs beside the child ---- */

static void build_parent_limits(struct builder *b) {
    const struct oci_process *p = b->spec->process;

    /* Raising them takes rights on the host, which root of a user namespace lacks: its parent does it. The child lowers them, when
     * it has done what they could forbid. */
    for (size_t i = 0; p && b->foreign_user && i < p->rlimits.n; i++) {
        const struct oci_rlimit *l = LIST_AT(struct oci_rlimit, &p->rlimits, i);

        STEP(b, PLAN_PARENT, PLAN_LIMIT_CHILD, text_add(b, l->type), (int64_t)l->soft, (int64_t)l->hard);
    }
    if (p && b->foreign_user && p->oom_score_adj.set)
        STEP(b, PLAN_PARENT, PLAN_OOM_CHILD, p->oom_score_adj.value);
}

void plan_links_make(struct builder *b) {
    const struct list *links = &b->context->links;

    for (size_t i = 0; i < links->n; i++) {
        const struct link *link = LIST_AT(struct link, links, i);

        STEP(b, PLAN_PARENT, PLAN_LINK_MAKE, text_add(b, link->name), text_add(b, link->host_name),
             data_add(b, link, sizeof(*link)));
    }
    if (b->context->names)
        STEP(b, PLAN_PARENT, PLAN_NAMES);
}

static void build_parent(struct builder *b) {
    const struct oci_linux *l = b->spec->linux_;

    if (b->own_user)
        STEP(b, PLAN_PARENT, PLAN_ID_MAP, text_add(b, id_map_text(b, &l->uid_mappings)),
             text_add(b, id_map_text(b, &l->gid_mappings)));
    plan_trees_map(b);
    if (b->own_user || b->maps_trees)
        STEP(b, PLAN_PARENT, PLAN_RELEASE);
    build_cgroup_ops(b, PLAN_PARENT);
    build_parent_limits(b);
    plan_links_make(b);
    STEP(b, PLAN_PARENT, PLAN_RELEASE);
    plan_mounted_parent(b);
}

/* ---- The child ---- */

void plan_links_configure(struct builder *b) {
    const struct list *links = &b->context->links;

    if (b->new_namespaces & CLONE_NEWNET)
        STEP(b, PLAN_CHILD, PLAN_LINK_CONFIGURE, data_add(b, links->v, links->n * sizeof(struct link)));
}

static void build_names(struct builder *b) {
    if (b->spec->hostname && *b->spec->hostname)
        STEP(b, PLAN_CHILD, PLAN_HOSTNAME, text_add(b, b->spec->hostname));
    if (b->spec->domainname && *b->spec->domainname)
        STEP(b, PLAN_CHILD, PLAN_DOMAINNAME, text_add(b, b->spec->domainname));
}

static int check_names(const struct builder *b, struct error *e) {
    unsigned all = b->new_namespaces | b->joined_namespaces;

    if (b->spec->hostname && *b->spec->hostname && !(all & CLONE_NEWUTS))
        return error_set(e, -EINVAL, "hostname: cannot be set without a uts namespace of the container's own");
    if (b->spec->domainname && *b->spec->domainname && !(all & CLONE_NEWUTS))
        return error_set(e, -EINVAL, "domainname: cannot be set without a uts namespace of the container's own");
    if (b->context->links.n > 0 && !(b->new_namespaces & CLONE_NEWNET))
        return error_set(e, -EINVAL, "network interfaces need a network namespace of the container's own");
    if (b->context->links.n > PLAN_LINKS_MAX)
        return error_set(e, -E2BIG, "%zu network interfaces are more than %d", b->context->links.n, PLAN_LINKS_MAX);
    if (b->spec->linux_->net_devices.n > 0 && !(all & CLONE_NEWNET))
        return error_set(e, -EINVAL, "linux.netDevices: need a network namespace of the container's own");
    if (b->spec->linux_->time_offsets.n > 0 && !(b->new_namespaces & CLONE_NEWTIME))
        return error_set(e, -EINVAL, "linux.timeOffsets: need a time namespace of the container's own");
    return 0;
}

/* Those that the kernel does not keep per namespace are the host's, whoever asks. */
static int check_sysctls(const struct builder *b, struct error *e) {
    const struct map *sysctl = &b->spec->linux_->sysctl;
    unsigned all = b->new_namespaces | b->joined_namespaces;
    const struct security_namespaces own = {.net = all & CLONE_NEWNET, .ipc = all & CLONE_NEWIPC, .uts = all & CLONE_NEWUTS};

    for (size_t i = 0; i < sysctl->n; i++) {
        int r = security_check_sysctl(sysctl->v[i].key, sysctl->v[i].value, &own, e);

        if (r < 0)
            return error_wrap(e, r, "linux.sysctl");
    }
    return 0;
}

/* What the specification has and this runtime does not do is refused by name, never passed over. */
static int check_unsupported(const struct oci_spec *spec, struct error *e) {
    const struct oci_linux *l = spec->linux_;

    return l->personality && l->personality->flags.n > 0 ? error_set(e, -ENOTSUP, "linux.personality.flags: is not supported") : 0;
}

static void build_host(struct builder *b, struct joined *joined, size_t *n_joined, int64_t *join_slot) {
    const struct plan_context *c = b->context;
    const struct oci_linux *l = b->spec->linux_;
    unsigned flags = b->new_namespaces;
    int64_t unified;

    build_cgroup_ops(b, PLAN_HOST);
    build_cgroup_join(b, &c->cgroup_join, join_slot);
    unified = build_cgroup_unified(b, c->cgroup_unified);
    build_cgroup_owner(b);
    if (c->rootfs.kind == PLAN_ROOTFS_OVERLAY && c->rootfs.upper)
        STEP(b, PLAN_HOST, PLAN_UPPER_MAKE, text_add(b, c->rootfs.upper), text_add(b, c->rootfs.work),
             id_on_host(b, &l->uid_mappings, 0), id_on_host(b, &l->gid_mappings, 0));
    b->agent_slot = plan_agent(b);
    open_namespaces(b, joined, n_joined);
    if (flags & CLONE_NEWTIME && l->time_offsets.n > 0) {
        STEP(b, PLAN_HOST, PLAN_TIME_OFFSETS, text_add(b, time_offsets_text(b)));
        flags &= ~(unsigned)CLONE_NEWTIME; /* the child is born into it */
    }
    flags &= ~(unsigned)CLONE_NEWCGROUP; /* only when it is in its cgroup */
    STEP(b, PLAN_HOST, PLAN_CLONE, flags, unified, b->user_slot);
}

static int build_child(struct builder *b, const struct joined *joined, size_t n_joined, int64_t join_slot, struct error *e) {
    const struct strs *dirs = &b->context->cgroup_join;
    const struct oci_linux *l = b->spec->linux_;
    const struct process_extra extra = {.personality = l->personality ? l->personality->domain : NULL,
                                        .memory_policy = l->memory_policy};
    int r;

    STEP(b, PLAN_CHILD, PLAN_BEGIN);
    for (size_t i = 0; i < dirs->n; i++)
        STEP(b, PLAN_CHILD, PLAN_CGROUP_JOIN, join_slot + (int64_t)i, text_add(b, dirs->v[i]));
    if (b->own_user || b->maps_trees)
        STEP(b, PLAN_CHILD, PLAN_AWAIT, text_add(b, "id maps"));
    /* Joined by whom the executor clones when the plan says so (PLAN_CLONE's user=), and here by nobody twice. */
    for (size_t i = 0; i < n_joined; i++)
        if (joined[i].flag != CLONE_NEWUSER)
            STEP(b, PLAN_CHILD, PLAN_NAMESPACE_JOIN, joined[i].slot, joined[i].flag);
    if (b->own_user || (n_joined > 0 && joined[0].flag == CLONE_NEWUSER))
        STEP(b, PLAN_CHILD, PLAN_BECOME_ROOT, b->context->single_id);
    build_names(b);
    r = plan_files(b, e);
    if (r < 0 || !b->spec->process)
        return r;
    return plan_process(b, b->spec->process, &extra, e);
}

/* The network's set-up and the cgroup namespace come late, before the root is sealed: plan_files.c calls this at that place. */
void plan_late(struct builder *b) {
    if (!b->parent_awaited)
        STEP(b, PLAN_CHILD, PLAN_AWAIT, text_add(b, "the parent's part"));
    if (b->new_namespaces & CLONE_NEWCGROUP)
        STEP(b, PLAN_CHILD, PLAN_NAMESPACE_NEW, CLONE_NEWCGROUP);
    plan_links_configure(b);
}

static int build(struct builder *b, struct error *e) {
    struct joined joined[ARRAY_SIZE(namespace_types)];
    size_t n_joined = 0;
    int64_t join_slot = 0;
    int r;

    if (!b->spec->linux_)
        return error_set(e, -EINVAL, "linux: required, but missing");
    r = check_unsupported(b->spec, e);
    if (r == 0)
        r = plan_hooks_check(b, e);
    if (r == 0)
        r = read_namespaces(b, e);
    if (r == 0)
        r = check_names(b, e);
    if (r == 0)
        r = check_sysctls(b, e);
    if (r == 0)
        r = check_maps(b, e);
    if (r < 0)
        return r;
    r = plan_trees(b, e);
    if (r < 0)
        return r;
    build_host(b, joined, &n_joined, &join_slot);
    build_parent(b);
    plan_poststart(b);
    return build_child(b, joined, n_joined, join_slot, e);
}

int plan_finish(struct plan *p, struct error *e) {
    size_t n = p->steps_buf.size / sizeof(struct plan_step);

    if (p->steps_buf.failed || p->text_buf.failed || n > PLAN_STEPS_MAX)
        return error_set(e, -E2BIG, "the configuration is too large");
    p->steps = (const struct plan_step *)(const void *)p->steps_buf.data;
    p->n = n;
    p->text = p->text_buf.data;
    p->text_size = p->text_buf.size;
    return 0;
}

int plan_build(const struct oci_spec *spec, const struct plan_context *context, struct plan *ret, struct error *e) {
    _cleanup_arena_ struct arena arena = ARENA_INIT;
    _cleanup_plan_ struct plan plan = {.text_buf = BUF_WITH_MAX(PLAN_TEXT_MAX)};
    struct builder b = {.spec = spec, .context = context, .plan = &plan, .arena = &arena};
    int r;

    r = build(&b, e);
    if (r == 0)
        r = plan_finish(&plan, e);
    if (r < 0)
        return r;
    *ret = plan;
    plan = (struct plan)PLAN_INIT;
    return 0;
}

int plan_build_exec(const struct oci_process *process, const struct plan_exec_context *c, struct plan *ret, struct error *e) {
    _cleanup_arena_ struct arena arena = ARENA_INIT;
    _cleanup_plan_ struct plan plan = {.text_buf = BUF_WITH_MAX(PLAN_TEXT_MAX)};
    const struct plan_context context = {
        .seccomp = c->seccomp,
        .seccomp_size = c->seccomp_size,
        .seccomp_flags = c->seccomp_flags,
        .new_keyring = c->new_keyring,
        .fill_home = c->fill_home,
        .all_processors = c->all_processors,
        .scopes = c->scopes,
        .single_id = c->single_id,
        .keep_groups = c->keep_groups,
        .agent_path = c->agent_path,
        .agent_head = c->agent_head,
    };
    const struct process_extra extra = {.personality = c->personality, .memory_policy = c->memory_policy};
    const struct oci_cpu_affinity *cpus = process->exec_cpu_affinity;
    struct builder b = {.context = &context, .plan = &plan, .arena = &arena, .joined_namespaces = c->namespaces};
    int64_t join_slot, unified;
    int r;

    build_cgroup_join(&b, &c->cgroup_join, &join_slot);
    unified = build_cgroup_unified(&b, c->cgroup_unified);
    b.agent_slot = plan_agent(&b);
    if (cpus && cpus->initial && *cpus->initial)
        STEP(&b, PLAN_HOST, PLAN_AFFINITY_FIRST, text_add(&b, cpus->initial));
    STEP(&b, PLAN_HOST, PLAN_CLONE, 0, unified, -1);
    if (b.agent_slot >= 0) /* which tells the child its number, too */
        STEP(&b, PLAN_PARENT, PLAN_RELEASE);
    STEP(&b, PLAN_CHILD, PLAN_BEGIN);
    for (size_t i = 0; i < c->cgroup_join.n; i++)
        STEP(&b, PLAN_CHILD, PLAN_CGROUP_JOIN, join_slot + (int64_t)i, text_add(&b, c->cgroup_join.v[i]));
    /* Raising limits takes rights on the host, which root of a user namespace lacks; so does a procfs to write the label to, as
     * long as the joiner is in the host's pid namespace. */
    b.joins_user = c->namespaces & CLONE_NEWUSER;
    if (b.joins_user) {
        plan_limits(&b, process);
        plan_labels(&b, process);
    }
    /* One call for all of them: in a user namespace the rights for the rest come with it. The pid namespace is not among them: it
     * counts for children, so the monitor joins it for the moment of the clone. */
    if (c->namespaces & ~(unsigned)CLONE_NEWPID)
        STEP(&b, PLAN_CHILD, PLAN_NAMESPACE_JOIN, -1, c->namespaces & ~(unsigned)CLONE_NEWPID);
    if (c->namespaces & CLONE_NEWUSER)
        STEP(&b, PLAN_CHILD, PLAN_BECOME_ROOT, c->single_id);
    if (b.agent_slot >= 0)
        STEP(&b, PLAN_CHILD, PLAN_AWAIT, text_add(&b, "its number"));
    if (cpus && cpus->final && *cpus->final)
        STEP(&b, PLAN_CHILD, PLAN_AFFINITY, text_add(&b, cpus->final));
    r = plan_process(&b, process, &extra, e);
    if (r == 0)
        r = plan_finish(&plan, e);
    if (r < 0)
        return r;
    *ret = plan;
    plan = (struct plan)PLAN_INIT;
    return 0;
}

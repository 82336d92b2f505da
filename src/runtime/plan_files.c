/* The files of a container: root, mounts, devices, what is masked. */
#include <linux/mount.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "runtime/mount_option.h"
#include "runtime/plan_build.h"

static const struct oci_mount *mount_at(const struct builder *b, size_t i) {
    return LIST_AT(struct oci_mount, &b->spec->mounts, i);
}

static bool has_mount_namespace(const struct builder *b) {
    return b->context->rootfs.kind != PLAN_ROOTFS_NONE;
}

static bool is_bind(const struct oci_mount *m, const struct mount_options *o) {
    return o->bind || (m->type && strcmp(m->type, "bind") == 0);
}

/* In a user namespace the child may make a procfs only with a pid namespace, a sysfs only with a network namespace that belong to
 * it, made with it or, as those of a pod, joined with it; else it gets the host's by a bind, which shows the same where they are
 * the host's. */
static const char *replaced_by_bind(const struct builder *b, const struct oci_mount *m) {
    const unsigned of_pod = CLONE_NEWUSER | CLONE_NEWPID;
    bool foreign = b->foreign_user || b->context->rootless;

    if (!m->type || !foreign)
        return NULL;
    if (strcmp(m->type, "proc") == 0 && b->foreign_user && !(b->new_namespaces & CLONE_NEWPID) &&
        (b->joined_namespaces & of_pod) != of_pod)
        return "/proc";
    if (strcmp(m->type, "sysfs") == 0 && !(b->new_namespaces & CLONE_NEWNET))
        return "/sys";
    return NULL;
}

static int64_t tree_open(struct builder *b, const char *path, bool recursive, const char *below) {
    STEP(b, PLAN_HOST, PLAN_TREE_OPEN, b->slots, text_add(b, path), recursive, text_add(b, below));
    return b->slots++;
}

static int64_t overlay_open(struct builder *b, const struct oci_mount *m) {
    STEP(b, PLAN_HOST, PLAN_OVERLAY_OPEN, b->slots, texts_add(b, &m->lowers), text_add(b, m->upper), text_add(b, m->work),
         b->context->rootfs.in_one);
    return b->slots++;
}

/* A bind whose source lies in the container's root, at what an earlier mount made of it: that path as the container has it. Else
 * NULL. */
static const char *source_in_root(const struct builder *b, size_t i, const struct mount_options *o) {
    const struct plan_rootfs *root = &b->context->rootfs;
    const char *under = root->kind == PLAN_ROOTFS_BIND ? path_clean(b->arena, root->path) : "/";
    const char *source = path_clean(b->arena, mount_at(b, i)->source);

    if (strcmp(under, "/") == 0 || !path_is_below(source, under))
        return NULL;
    source += strlen(under);
    for (size_t k = 0; k < i; k++) {
        const char *covered = path_clean(b->arena, mount_at(b, k)->destination);

        if (path_is_below(source, covered) || (o->recursive && path_is_below(covered, source)))
            return *source ? source : "/";
    }
    return NULL;
}

/* ---- Trees that the parent opens ---- */

static int plan_mount_tree(struct builder *b, size_t i, struct error *e) {
    const struct oci_mount *m = mount_at(b, i);
    struct mount_options o;
    const char *host = replaced_by_bind(b, m);
    int r = mount_options_parse(&m->options, b->arena, &o, e);

    if (r < 0)
        return error_wrap(e, r, "mounts[%zu] (%s)", i, m->destination);
    b->mount_slot[i] = -1;
    if (o.remount && !o.id_map && m->uid_mappings.n == 0)
        return 0;
    if (host)
        b->mount_slot[i] = tree_open(b, host, true, NULL);
    if (m->lowers.n)
        b->mount_slot[i] = overlay_open(b, m);
    if ((!is_bind(m, &o) || o.remount) && (o.id_map || m->uid_mappings.n > 0))
        return error_set(e, -EINVAL, "mounts[%zu] (%s): idmap is for binds", i, m->destination);
    if (host || m->lowers.n || !is_bind(m, &o))
        return 0;
    if (!m->source || !*m->source)
        return error_set(e, -EINVAL, "mounts[%zu] (%s): a bind needs a source", i, m->destination);
    if (o.id_map && !b->foreign_user && m->uid_mappings.n == 0)
        return error_set(e, -EINVAL, "mounts[%zu] (%s): idmap needs mappings, or a user namespace of the container's own", i,
                         m->destination);
    if (source_in_root(b, i, &o)) /* the child's to open, in its turn */
        return o.id_map || m->uid_mappings.n > 0
                   ? error_set(e, -ENOTSUP, "mounts[%zu] (%s): idmap of what an earlier mount covers is not supported", i,
                               m->destination)
                   : 0;
    b->maps_trees |= o.id_map || m->uid_mappings.n > 0;
    /* A clone that is to stay connected with the host's mount must be made before the child cuts all connections. */
    if (b->foreign_user || o.id_map || m->uid_mappings.n > 0 || (o.propagation & (MS_SHARED | MS_SLAVE)) || m->subpath)
        b->mount_slot[i] = tree_open(b, m->source, o.recursive, m->subpath);
    return 0;
}

static const char *directory_of(struct arena *a, const char *path) {
    const char *slash = strrchr(path, '/');

    return slash && slash > path ? arena_strndup(a, path, (size_t)(slash - path)) : "/";
}

static int plan_root_trees(struct builder *b, struct error *e) {
    const struct plan_rootfs *root = &b->context->rootfs;

    b->root_slot = b->upper_slot = -1;
    if (!b->foreign_user || root->kind == PLAN_ROOTFS_NONE)
        return 0;
    b->root_slot = b->slots;
    if (root->kind == PLAN_ROOTFS_BIND) {
        tree_open(b, root->path, true, NULL);
        return 0;
    }
    for (size_t i = 0; i < root->lowers.n; i++)
        tree_open(b, root->lowers.v[i], false, NULL);
    if (!root->upper)
        return 0;
    if (strcmp(directory_of(b->arena, root->upper), directory_of(b->arena, root->work)) != 0)
        return error_set(e, -EINVAL, "upper and work directory must lie side by side");
    b->upper_slot = tree_open(b, directory_of(b->arena, root->upper), false, NULL);
    return 0;
}

int plan_trees(struct builder *b, struct error *e) {
    int r;

    b->mount_slot = arena_array(b->arena, int64_t, b->spec->mounts.n + 1);
    if (b->spec->mounts.n > STEP_SLOTS_MAX / 2)
        return error_set(e, -E2BIG, "mounts: %zu are too many", b->spec->mounts.n);
    if (!has_mount_namespace(b))
        return 0;
    /* Upper and work must be there before their directory is opened; the executor keeps the order of steps. */
    r = plan_root_trees(b, e);
    for (size_t i = 0; r == 0 && i < b->spec->mounts.n; i++)
        r = plan_mount_tree(b, i, e);
    return r;
}

static const char *map_text(struct builder *b, const struct list *maps) {
    const char *text = "";

    for (size_t i = 0; i < maps->n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, maps, i);

        text = arena_printf(b->arena, "%s%u %u %u\n", text, m->container_id, m->host_id, m->size);
    }
    return *text ? text : NULL;
}

/* The parent's half: shift the owners of what it opened. Only lower layers: an idmapped upper layer is silently read-only. */
void plan_trees_map(struct builder *b) {
    const struct plan_rootfs *root = &b->context->rootfs;
    int64_t n = root->kind == PLAN_ROOTFS_BIND ? 1 : (int64_t)root->lowers.n;

    if (!has_mount_namespace(b))
        return;
    for (int64_t i = 0; root->id_map && b->root_slot >= 0 && i < n; i++)
        STEP(b, PLAN_PARENT, PLAN_TREE_MAP, b->root_slot + i, root->kind == PLAN_ROOTFS_BIND, 0, 0, b->user_slot);
    for (size_t i = 0; i < b->spec->mounts.n; i++) {
        const struct oci_mount *m = mount_at(b, i);
        struct mount_options o;

        if (b->mount_slot[i] < 0 || mount_options_parse(&m->options, b->arena, &o, NULL) < 0)
            continue;
        if (o.id_map || m->uid_mappings.n > 0)
            STEP(b, PLAN_PARENT, PLAN_TREE_MAP, b->mount_slot[i], o.id_map_recursive, text_add(b, map_text(b, &m->uid_mappings)),
                 text_add(b, map_text(b, &m->gid_mappings)), b->user_slot);
    }
}

/* ---- Root ---- */

/* Of the root alone, whichever form is written: each mount below has its own. */
static int64_t root_propagation(const char *name) {
    if (!name)
        return 0;
    name += *name == 'r';
    return strcmp(name, "shared") == 0    ? MS_SHARED
           : strcmp(name, "slave") == 0   ? MS_SLAVE
           : strcmp(name, "private") == 0 ? MS_PRIVATE
                                          : MS_UNBINDABLE;
}

static void plan_root(struct builder *b) {
    const struct plan_rootfs *root = &b->context->rootfs;
    const char *propagation = b->spec->linux_->rootfs_propagation;
    bool slave = root_propagation(propagation) & (MS_SLAVE | MS_SHARED);

    STEP(b, PLAN_CHILD, PLAN_PROPAGATION, (slave ? MS_SLAVE : MS_PRIVATE) | MS_REC);
    if (root->kind == PLAN_ROOTFS_BIND)
        STEP(b, PLAN_CHILD, PLAN_ROOT_BIND, text_add(b, root->path), b->root_slot);
    else
        STEP(b, PLAN_CHILD, PLAN_ROOT_OVERLAY, texts_add(b, &root->lowers), b->root_slot, text_add(b, root->upper),
             text_add(b, root->work), b->upper_slot, root->is_volatile, root->in_one, text_add(b, b->spec->linux_->mount_label));
    if (b->foreign_user)
        plan_bundle(b);
    STEP(b, PLAN_CHILD, PLAN_ROOT_ATTACH, text_add(b, plan_hooks_see_mounts(b) ? root->path : NULL),
         root_propagation(propagation) == MS_SLAVE);
}

/* ---- Devices ---- */

struct node {
    const char *path;
    unsigned major, minor;
};

static const struct node default_nodes[] = {
    {"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
    {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};

static const struct {
    const char *path, *text;
} default_links[] = {
    {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/ptmx", "pts/ptmx"},
};

static bool device_is_listed(const struct builder *b, const char *path) {
    const struct list *l = &b->spec->linux_->devices;

    for (size_t i = 0; i < l->n; i++)
        if (strcmp(path_clean(b->arena, LIST_AT(struct oci_device, l, i)->path), path) == 0)
            return true;
    return false;
}

static void plan_default_nodes(struct builder *b) {
    for (size_t i = 0; i < ARRAY_SIZE(default_nodes); i++)
        if (!device_is_listed(b, default_nodes[i].path))
            STEP(b, PLAN_CHILD, PLAN_NODE, text_add(b, default_nodes[i].path), S_IFCHR | 0666,
                 (int64_t)makedev(default_nodes[i].major, default_nodes[i].minor), 0, 0, b->foreign_user || b->context->rootless);
    for (size_t i = 0; i < ARRAY_SIZE(default_links); i++)
        STEP(b, PLAN_CHILD, PLAN_SYMLINK, text_add(b, default_links[i].text), text_add(b, default_links[i].path));
}

static mode_t device_type(const struct oci_device *d) {
    return *d->type == 'b' ? S_IFBLK : *d->type == 'p' ? S_IFIFO : S_IFCHR;
}

static void plan_devices(struct builder *b, bool below_dev) {
    const struct list *l = &b->spec->linux_->devices;

    for (size_t i = 0; i < l->n; i++) {
        const struct oci_device *d = LIST_AT(struct oci_device, l, i);
        const char *path = path_clean(b->arena, d->path);
        int64_t mode = device_type(d) | (d->file_mode.set ? d->file_mode.value & 07777 : 0666);

        if (path_is_below(path, "/dev") != below_dev || strcmp(path, "/dev/ptmx") == 0) /* a link to that of the container's own */
            continue;
        STEP(b, PLAN_CHILD, PLAN_NODE, text_add(b, path), mode, (int64_t)makedev((unsigned)d->major, (unsigned)d->minor),
             d->uid.set ? d->uid.value : 0, d->gid.set ? d->gid.value : 0,
             (b->foreign_user || b->context->rootless) && device_type(d) != S_IFIFO, text_add(b, d->host_path));
    }
}

/* ---- Mounts ---- */

/* Volumes inside /proc could stand in for what the engine itself writes there (labels, sysctls). These few files are what lxcfs and
 * its like cover. */
static bool may_cover_proc(const char *path) {
    static const char *const files[] = {"/proc/cpuinfo",
                                        "/proc/diskstats",
                                        "/proc/meminfo",
                                        "/proc/stat",
                                        "/proc/swaps",
                                        "/proc/uptime",
                                        "/proc/loadavg",
                                        "/proc/slabinfo",
                                        "/proc/net/dev",
                                        "/proc/sys/kernel/ns_last_pid",
                                        "/proc/sys/crypto/fips_enabled"};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (strcmp(files[i], path) == 0)
            return true;
    return false;
}

static int check_destination(const struct oci_mount *m, const char *path, bool bind, struct error *e) {
    if (strcmp(path, "/") == 0)
        return error_set(e, -EINVAL, "nothing can be mounted over the root");
    if (!path_is_below(path, "/proc") || may_cover_proc(path))
        return 0;
    if (strcmp(path, "/proc") != 0)
        return error_set(e, -EINVAL, "nothing can be mounted inside /proc");
    if (bind ? strcmp(m->source, "/proc") != 0 : !m->type || strcmp(m->type, "proc") != 0)
        return error_set(e, -EINVAL, "only a procfs can be mounted on /proc");
    return 0;
}

static void plan_cgroup_mount(struct builder *b, const char *path, const struct mount_options *o) {
    const struct list *l = &b->context->cgroup_mounts;
    uint64_t attr = o->attr_set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    struct strs names = {0}, dirs = {0};

    if (l->n == 1 && !LIST_AT(struct plan_cgroup_mount, l, 0)->name) {
        STEP(b, PLAN_CHILD, PLAN_BIND, text_add(b, LIST_AT(struct plan_cgroup_mount, l, 0)->dir), -1, text_add(b, path),
             (int64_t)attr);
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct plan_cgroup_mount *m = LIST_AT(struct plan_cgroup_mount, l, i);

        strs_add(b->arena, &names, m->name);
        strs_add(b->arena, &dirs, m->dir);
    }
    STEP(b, PLAN_CHILD, PLAN_CGROUP_MOUNTS, text_add(b, path), texts_add(b, &names), texts_add(b, &dirs), (int64_t)attr);
}

static void plan_bind(struct builder *b, size_t i, const char *source, const char *path, const struct mount_options *o) {
    int64_t slot = b->mount_slot[i];
    uint64_t set = o->attr_set, clear = o->attr_clear;
    const char *inside = slot < 0 && source == mount_at(b, i)->source ? source_in_root(b, i, o) : NULL;
    int64_t flags = (inside ? STEP_IN_ROOT : 0) | (o->recursive ? STEP_RECURSIVE : 0) |
                    (strcmp(path, "/sys") == 0 || strcmp(path, "/proc") == 0 ? STEP_NO_LINKS : 0);

    /* A clone of the host's mount is as shared as that was; one that the child makes is private, as all is there by then. */
    int64_t propagation = o->propagation || slot < 0 ? (int64_t)o->propagation : MS_PRIVATE | MS_REC;

    STEP(b, PLAN_CHILD, PLAN_BIND,
         text_add(b, slot >= 0 ? NULL
                     : inside  ? inside
                               : source),
         slot, text_add(b, path), (int64_t)set, (int64_t)clear, (int64_t)o->tree_set, (int64_t)o->tree_clear, propagation, flags);
}

static const char *const labelled_types[] = {"tmpfs", "devpts", "ramfs"}; /* by an option of the mount; the queues' by their root */

static bool has_mode(const struct strs *data) {
    for (size_t i = 0; i < data->n; i++)
        if (strncmp(data->v[i], "mode=", 5) == 0)
            return true;
    return false;
}

static void plan_mount_fs(struct builder *b, const struct oci_mount *m, const char *path, struct mount_options *o) {
    const char *label = b->spec->linux_->mount_label;
    int64_t flags = o->copy_up ? STEP_COPY_UP : 0;
    struct strs data = {0};

    for (size_t i = 0; i < o->data.n; i++) /* the terminals' group has no number in a namespace of one id */
        if (!b->context->single_id || strcmp(m->type, "devpts") != 0 || strncmp(o->data.v[i], "gid=", 4) != 0)
            strs_add(b->arena, &data, o->data.v[i]);
    for (size_t i = 0; label && i < ARRAY_SIZE(labelled_types); i++)
        if (strcmp(labelled_types[i], m->type) == 0)
            strs_add(b->arena, &data, arena_printf(b->arena, "context=%s", label));
    if (strcmp(m->type, "proc") == 0 && strcmp(path, "/proc") == 0)
        flags |= STEP_PROC | STEP_NO_LINKS;
    if (strcmp(path, "/sys") == 0)
        flags |= STEP_NO_LINKS;
    if (strcmp(m->type, "devpts") == 0)
        flags |= STEP_PTS;
    if (strcmp(m->type, "tmpfs") == 0 && strcmp(path, "/dev") == 0)
        flags |= STEP_DEV;
    if (strcmp(m->type, "tmpfs") == 0 && !has_mode(&data))
        flags |= STEP_LIKE_TARGET;
    if (flags & STEP_DEV && b->context->dev_fill && o->attr_set & MOUNT_ATTR_RDONLY) { /* all in it is yet to be made */
        o->attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        b->seals_dev = true;
    }
    STEP(b, PLAN_CHILD, PLAN_MOUNT, text_add(b, m->type), text_add(b, m->source), text_add(b, path), texts_add(b, &data),
         (int64_t)(o->attr_set | o->tree_set), (int64_t)o->propagation, flags,
         text_add(b, strcmp(m->type, "mqueue") == 0 ? label : NULL));
    if (flags & STEP_DEV && b->context->dev_fill) {
        b->own_dev = true;
        plan_default_nodes(b);
        plan_devices(b, true);
    }
}

static void plan_remount(struct builder *b, const char *path, const struct mount_options *o) {
    STEP(b, PLAN_CHILD, PLAN_REMOUNT, text_add(b, path), texts_add(b, &o->data), (int64_t)o->attr_set, (int64_t)o->attr_clear,
         (int64_t)o->tree_set, (int64_t)o->tree_clear, (int64_t)o->propagation);
}

static int plan_mount(struct builder *b, size_t i, struct error *e) {
    const struct oci_mount *m = mount_at(b, i);
    const char *path = path_clean(b->arena, m->destination);
    const char *host = replaced_by_bind(b, m);
    struct mount_options o;
    bool bind;
    int r;

    r = mount_options_parse(&m->options, b->arena, &o, e);
    if (r < 0)
        return r;
    if (o.remount) {
        plan_remount(b, path, &o);
        return 0;
    }
    bind = is_bind(m, &o);
    if (!bind && !m->type)
        return error_set(e, -EINVAL, "needs a type, or the option bind or rbind");
    r = check_destination(m, path, bind, e);
    if (r < 0)
        return r;
    if (host && strcmp(host, "/proc") == 0 && b->joined_namespaces & CLONE_NEWPID) /* the bind would show the host's processes */
        return error_set(e, -EINVAL,
                         "the kernel makes no procfs for a pid namespace that another user namespace owns: join that one, too");
    if (host || bind) {
        o.tree_set |= host ? o.attr_set : 0; /* the host's tree has mounts below it */
        plan_bind(b, i, host ? host : m->source, path, &o);
    } else if (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0) {
        plan_cgroup_mount(b, path, &o);
    } else {
        plan_mount_fs(b, m, path, &o);
    }
    return 0;
}

static bool has_mount_on(const struct builder *b, const char *path) {
    for (size_t i = 0; i < b->spec->mounts.n; i++)
        if (strcmp(path_clean(b->arena, mount_at(b, i)->destination), path) == 0)
            return true;
    return false;
}

bool plan_writes_cgroups(const struct builder *b) {
    for (size_t i = 0; i < b->spec->mounts.n; i++) {
        const struct oci_mount *m = mount_at(b, i);
        struct mount_options o;

        if (m->type && strncmp(m->type, "cgroup", 6) == 0 && strcmp(path_clean(b->arena, m->destination), "/sys/fs/cgroup") == 0 &&
            mount_options_parse(&m->options, b->arena, &o, NULL) >= 0)
            return !((o.attr_set | o.tree_set) & MOUNT_ATTR_RDONLY);
    }
    return false;
}

/* ---- Everything in order ---- */

static void plan_protection(struct builder *b) {
    const struct oci_linux *l = b->spec->linux_;

    for (size_t i = 0; i < l->masked_paths.n; i++)
        STEP_MAY_FAIL(b, PLAN_CHILD, PLAN_MASK, text_add(b, path_clean(b->arena, l->masked_paths.v[i])));
    plan_late(b);
    for (size_t i = 0; i < l->sysctl.n; i++)
        STEP(b, PLAN_CHILD, PLAN_SYSCTL, text_add(b, l->sysctl.v[i].key), text_add(b, l->sysctl.v[i].value));
    for (size_t i = 0; i < l->readonly_paths.n; i++)
        STEP_MAY_FAIL(b, PLAN_CHILD, PLAN_READ_ONLY, text_add(b, path_clean(b->arena, l->readonly_paths.v[i])));
}

/* Without a mount namespace the files are the host's: nothing is mounted, masked or pivoted. */
static int plan_host_files(struct builder *b, struct error *e) {
    const struct oci_process *p = b->spec->process;
    const struct map *sysctl = &b->spec->linux_->sysctl;

    if (p && p->terminal)
        plan_terminal(b, p, false);
    plan_mounted_child(b);
    plan_late(b);
    for (size_t i = 0; i < sysctl->n; i++)
        STEP(b, PLAN_CHILD, PLAN_SYSCTL, text_add(b, sysctl->v[i].key), text_add(b, sysctl->v[i].value));
    (void)e;
    return 0;
}

int plan_files(struct builder *b, struct error *e) {
    const struct oci_process *p = b->spec->process;
    int64_t propagation = root_propagation(b->spec->linux_->rootfs_propagation);

    if (!has_mount_namespace(b))
        return plan_host_files(b, e);
    if (!((b->new_namespaces | b->joined_namespaces) & CLONE_NEWNS))
        return error_set(e, -EINVAL, "linux.namespaces: a root file system of its own needs a mount namespace");
    plan_root(b);
    for (size_t i = 0; i < b->spec->mounts.n; i++) {
        int r = plan_mount(b, i, e);
        if (r < 0)
            return error_wrap(e, r, "mounts[%zu] (%s)", i, mount_at(b, i)->destination);
    }
    if (!b->own_dev) {
        if (b->context->dev_fill && !has_mount_on(b, "/dev"))
            plan_default_nodes(b);
        plan_devices(b, true);
    }
    plan_devices(b, false);
    if (p && p->terminal)
        plan_terminal(b, p, true);
    if (p && strcmp(path_clean(b->arena, p->cwd), "/") != 0)
        STEP(b, PLAN_CHILD, PLAN_DIRECTORY, text_add(b, path_clean(b->arena, p->cwd)));
    plan_mounted_child(b);
    plan_protection(b);
    if (b->seals_dev)
        STEP(b, PLAN_CHILD, PLAN_DEV_SEAL);
    if (b->spec->root && b->spec->root->readonly)
        STEP(b, PLAN_CHILD, PLAN_ROOT_SEAL);
    STEP(b, PLAN_CHILD, PLAN_PIVOT, b->context->no_pivot, plan_hooks_see_mounts(b));
    if (propagation)
        STEP(b, PLAN_CHILD, PLAN_ROOT_PROPAGATION, propagation);
    return 0;
}

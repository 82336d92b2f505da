#include <string.h>

#include "engine/spec_parts.h"
#include "model/security_defaults.h"

static struct oci_mount *add_mount(struct arena *a, struct list *mounts, const char *destination, const char *type,
                                   const char *source, const char *options) {
    struct oci_mount *m = LIST_ADD(a, struct oci_mount, mounts);
    m->destination = destination;
    m->type = type;
    m->source = source;
    while (options && *options) {
        size_t n = strcspn(options, ",");
        strs_add(a, &m->options, arena_strndup(a, options, n));
        options += n + (options[n] == ',');
    }
    return m;
}

/* Does a device or a secret put a mount at this place? Then the user's is left out. */
static bool is_taken(const struct spec_input *in, const char *destination) {
    for (size_t i = 0; i < in->more_mounts.n; i++)
        if (strcmp(LIST_AT(struct oci_mount, &in->more_mounts, i)->destination, destination) == 0)
            return true;
    return false;
}

/* Is a mount that somebody asked for at this place? Then ours is left out. */
static bool is_replaced(const struct spec_input *in, const char *destination) {
    const struct container_record *c = in->record;
    for (size_t i = 0; i < c->mounts.n; i++)
        if (strcmp(LIST_AT(struct mount_point, &c->mounts, i)->destination, destination) == 0)
            return true;
    return is_taken(in, destination);
}

/* Docker's own file systems. shm is the user's to size; ipc=none has none; a shared IPC namespace brings the other's. */
static void add_system_mounts(const struct spec_input *in, const struct security_options *so, struct arena *a,
                              struct list *mounts) {
    const struct host_config *h = &in->record->host;
    const char *sys = h->privileged ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro";
    const char *groups =
        h->privileged || so->writable_cgroups ? "nosuid,noexec,nodev,relatime,rw" : "nosuid,noexec,nodev,relatime,ro";
    /* A mqueue shows the queues of the IPC namespace in which it is made: the host's as well, but not from a user namespace. */
    bool host_ipc = mode_is(h->ipc_mode, "host") || (h->isolate.n && !strs_has(&h->isolate, "ipc")),
         foreign_ipc = host_ipc && (in->rootless || in->id_maps_uid.n);
    int64_t shm = h->shm_size ? h->shm_size : SECURITY_SHM_SIZE_BYTES;
    const struct {
        const char *destination, *type, *source, *options;
        bool wanted;
    } table[] = {
        {"/proc", "proc", "proc", "nosuid,noexec,nodev", true},
        {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", true},
        {"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", true},
        {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", !foreign_ipc},
        {"/dev/mqueue", "bind", "/dev/mqueue", "rbind,nosuid,noexec,nodev", foreign_ipc && in->host_mqueue},
        {"/sys", "sysfs", "sysfs", sys, true},
        {"/sys/fs/cgroup", "cgroup", "cgroup", groups, true},
        {"/dev/shm", "bind", "/dev/shm", "rbind,nosuid,noexec,nodev", mode_is(h->ipc_mode, "host")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].wanted && !is_replaced(in, table[i].destination))
            add_mount(a, mounts, table[i].destination, table[i].type, table[i].source, table[i].options);
    if (is_replaced(in, "/dev/shm") || mode_is(h->ipc_mode, "host") || mode_is(h->ipc_mode, "none"))
        return;
    if (in->shared.ipc)
        add_mount(a, mounts, "/dev/shm", "bind", arena_printf(a, "/proc/%d/root/dev/shm", in->shared.ipc),
                  "rbind,nosuid,noexec,nodev");
    else
        add_mount(a, mounts, "/dev/shm", "tmpfs", "shm",
                  arena_printf(a, "nosuid,noexec,nodev,mode=1777,size=%lld", (long long)shm));
}

static void add_network_files(const struct spec_input *in, struct arena *a, struct list *mounts) {
    static const char *const files[][2] = {
        {"/etc/resolv.conf", "resolv.conf"}, {"/etc/hostname", "hostname"}, {"/etc/hosts", "hosts"}};
    if (!in->run_dir || !in->network_files)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (!is_replaced(in, files[i][0]))
            add_mount(a, mounts, files[i][0], "bind", arena_printf(a, "%s/%s", in->run_dir, files[i][1]),
                      in->record->host.readonly_rootfs ? "bind,rprivate,ro" : "bind,rprivate");
}

static void add_bind(const struct spec_input *in, const struct mount_point *m, struct arena *a, struct list *mounts) {
    size_t number = (size_t)(m - LIST_AT(struct mount_point, &in->record->mounts, 0)); /* as mount_sources.c counts */
    const char *options = m->non_recursive ? "bind" : "rbind";
    const char *propagation = m->propagation && *m->propagation ? m->propagation : "rprivate";
    const char *access = "";
    if (!m->rw)
        access = m->read_only_non_recursive || m->non_recursive ? ",ro" : ",rro";
    /* The engine's volumes belong to the container's users, whatever ids these have outside; a directory of the host does not. */
    bool has_options = m->options && *m->options;
    bool shift = (m->idmap || (in->shifts_mounts && strcmp(m->type, "volume") == 0)) && !m->overlay;
    add_mount(a, mounts, m->destination, "bind", m->source,
              arena_printf(a, "%s,%s%s%s%s%s", options, propagation, access, shift ? ",idmap" : "", has_options ? "," : "",
                           has_options ? m->options : ""));
    struct oci_mount *mount = LIST_AT(struct oci_mount, mounts, mounts->n - 1);
    if (m->subpath && *m->subpath)
        mount->subpath = m->subpath;
    if (m->overlay) {
        strs_add(a, &mount->lowers, m->source);
        mount->upper = arena_printf(a, "%s/%zu/upper", in->overlays, number);
        mount->work = arena_printf(a, "%s/%zu/work", in->overlays, number);
    }
}

/* The files of an image, as all containers of it see them: read-only. A single layer is shown as it is, overlay wants two. */
static void add_image(const struct mount_point *m, struct arena *a, struct list *mounts) {
    const char *options = m->layers.n == 1 ? "bind,rprivate,ro,nosuid,nodev" : "bind,ro,nosuid,nodev";
    add_mount(a, mounts, m->destination, "bind", m->layers.v[0], options);
    if (m->layers.n > 1)
        LIST_AT(struct oci_mount, mounts, mounts->n - 1)->lowers = m->layers;
}

/* What the options of a volume say is mounted in place of its data. */
static const struct oci_mount *mount_of_volume(const struct spec_input *in, const char *destination) {
    for (size_t i = 0; i < in->volume_mounts.n; i++)
        if (strcmp(LIST_AT(struct oci_mount, &in->volume_mounts, i)->destination, destination) == 0)
            return LIST_AT(struct oci_mount, &in->volume_mounts, i);
    return NULL;
}

static void add_volume_mount(const struct mount_point *m, const struct oci_mount *mount, struct arena *a, struct list *mounts) {
    struct oci_mount *copy = LIST_ADD(a, struct oci_mount, mounts);
    *copy = *mount;
    copy->options = (struct strs){0};
    for (size_t i = 0; i < mount->options.n; i++)
        strs_add(a, &copy->options, mount->options.v[i]);
    if (!m->rw)
        strs_add(a, &copy->options, "ro");
}

static int add_user_mount(const struct spec_input *in, const struct mount_point *m, struct arena *a, struct list *mounts,
                          struct error *e) {
    if (strcmp(m->type, "tmpfs") == 0) {
        const char *more = m->options && *m->options ? arena_printf(a, ",%s", m->options) : "";
        add_mount(a, mounts, m->destination, "tmpfs", "tmpfs",
                  arena_printf(a, "nosuid,nodev,noexec%s%s", more, m->rw ? "" : ",ro"));
        return 0;
    }
    const struct oci_mount *of_volume = strcmp(m->type, "volume") == 0 ? mount_of_volume(in, m->destination) : NULL;
    if (of_volume) {
        add_volume_mount(m, of_volume, a, mounts);
        return 0;
    }
    if (strcmp(m->type, "bind") == 0 || strcmp(m->type, "volume") == 0) {
        add_bind(in, m, a, mounts);
        return 0;
    }
    if (strcmp(m->type, "image") == 0 && m->layers.n > 0) {
        add_image(m, a, mounts);
        return 0;
    }
    return error_set(e, -ENOTSUP, "mount of type %s at %s is not supported", m->type, m->destination);
}

static size_t depth_of(const char *path) {
    size_t n = 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* Parents before children, else the order in which they were asked for. */
static void sort_mounts(struct oci_mount *mounts, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const struct oci_mount m = mounts[i];
        size_t at = i;
        for (; at > 0 && depth_of(mounts[at - 1].destination) > depth_of(m.destination); at--)
            mounts[at] = mounts[at - 1];
        mounts[at] = m;
    }
}

int spec_mounts(const struct spec_input *in, const struct security_options *so, struct arena *a, struct oci_spec *s,
                struct error *e) {
    const struct container_record *c = in->record;
    if (c->host.isolate.n && !strs_has(&c->host.isolate, "mount"))
        return c->mounts.n ? error_set(e, -EINVAL, "mounts need a mount namespace (--isolate mount,…)") : 0;
    add_system_mounts(in, so, a, &s->mounts);
    const size_t first = s->mounts.n;
    add_network_files(in, a, &s->mounts); /* on top of what the user has at /etc, as Docker does it */
    for (size_t i = 0; i < in->more_mounts.n; i++)
        *LIST_ADD(a, struct oci_mount, &s->mounts) = *LIST_AT(struct oci_mount, &in->more_mounts, i);
    for (size_t i = 0; i < c->mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &c->mounts, i);
        int r = is_taken(in, m->destination) ? 0 : add_user_mount(in, m, a, &s->mounts, e);
        if (r < 0)
            return r;
    }
    sort_mounts(LIST_AT(struct oci_mount, &s->mounts, first), s->mounts.n - first);
    return 0;
}

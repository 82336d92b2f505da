/* What the containers of a pod share when the shim itself is the pod's sandbox: the namespaces, which the built-in init keeps in an
 * empty root (a container of its own, without a program or an image), /dev/shm, and the files that tell of host name and resolver.
 * All lie in the bundle that containerd made for the pod, and go with it. Sources: containerd's docs (CRI, sandbox API), CRI's
 * api.proto. */
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "model/oci_spec.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"

#define KEEPER_ID 65535 /* user and group, as those of the usual pause image */
#define FILE_MAX  ((size_t)1 << 20)

/* CRI's NamespaceMode. */
enum mode { MODE_POD = 0, MODE_CONTAINER = 1, MODE_NODE = 2 };

static const struct shared {
    const char *name, *destination;
} shared[] = {
    {"hostname", "/etc/hostname"},
    {"hosts", "/etc/hosts"},
    {"resolv.conf", "/etc/resolv.conf"},
    {"shm", "/dev/shm"},
};

/* ---- Files ---- */

static int copy(int dir, const char *name, const char *from, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    (void)fs_read_at(AT_FDCWD, from, FILE_MAX, &text, NULL); /* a host without has an empty one */
    return fs_replace_at(dir, name, buf_text(&text), text.size, 0644, FS_NO_SYNC, e);
}

static void add_line(struct buf *out, const char *key, char **words, size_t n, bool each) {
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s%s", i == 0 || each ? key : "", words[i], i + 1 == n || each ? "\n" : " ");
}

static int write_resolver(int dir, const Pb__DnsConfig *dns, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (!dns)
        return copy(dir, "resolv.conf", "/etc/resolv.conf", e);
    add_line(&text, "search ", dns->searches, dns->n_searches, false);
    add_line(&text, "nameserver ", dns->servers, dns->n_servers, true);
    add_line(&text, "options ", dns->options, dns->n_options, false);
    return fs_replace_at(dir, "resolv.conf", buf_text(&text), text.size, 0644, FS_NO_SYNC, e);
}

static int write_hostname(int dir, const char *hostname, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char host[HOST_NAME_MAX + 1] = "";

    if (!*hostname)
        (void)gethostname(host, sizeof(host) - 1);
    buf_printf(&text, "%s\n", *hostname ? hostname : host);
    return fs_replace_at(dir, "hostname", buf_text(&text), text.size, 0644, FS_NO_SYNC, e);
}

static const char *shm_path(const char *bundle, struct arena *a) {
    return arena_printf(a, "%s/shm", bundle);
}

static int mount_shm(const char *bundle, struct arena *a, struct error *e) {
    static const char *const options[] = {"noexec", "nosuid", "nodev", "mode=1777", "size=67108864"}; /* as containerd has it */
    struct shim_mount m = {.type = "tmpfs", .source = "shm"};
    const char *path = shm_path(bundle, a);

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "make %s", path);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        strs_add(a, &m.options, options[i]);
    return shim_mount_at(&m, path, e);
}

int pod_unmount(const char *bundle, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *path = shm_path(bundle, &a);

    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
        return 0;
    return error_errno(e, -errno, "unmount %s", path);
}

void pod_mounts(const char *bundle, struct arena *a, struct list *ret) {
    for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
        const char *source = arena_printf(a, "%s/%s", bundle, shared[i].name);
        struct oci_mount *m;

        if (access(source, F_OK) < 0) /* the node's /dev/shm, which containerd mounts itself */
            continue;
        m = LIST_ADD(a, struct oci_mount, ret);
        *m = (struct oci_mount){.destination = shared[i].destination, .type = "bind", .source = source};
        strs_add(a, &m->options, "rbind");
        strs_add(a, &m->options, "rprivate");
    }
}

/* ---- The keeper's bundle ---- */

static void add_namespace(struct arena *a, struct oci_linux *l, const char *type, const char *path) {
    *LIST_ADD(a, struct oci_namespace, &l->namespaces) = (struct oci_namespace){.type = type, .path = path};
}

static void add_mappings(struct arena *a, struct list *to, Pb__IdMapping **from, size_t n) {
    for (size_t i = 0; i < n; i++)
        *LIST_ADD(a, struct oci_id_mapping, to) =
            (struct oci_id_mapping){.container_id = from[i]->container_id, .host_id = from[i]->host_id, .size = from[i]->length};
}

/* The user namespace that owns the pod's network, which containerd has made inside it, so that it is joined; with the node's
 * network, a new one. */
static int add_user_namespace(struct arena *a, struct oci_linux *l, const Pb__UserNamespace *user, const char *netns,
                              struct error *e) {
    const char *path = NULL;
    int net, fd;

    add_mappings(a, &l->uid_mappings, user->uids, user->n_uids);
    add_mappings(a, &l->gid_mappings, user->gids, user->n_gids);
    if (*netns) {
        net = open(netns, O_RDONLY | O_CLOEXEC);
        fd = net < 0 ? -1 : ioctl(net, NS_GET_USERNS);
        if (fd < 0)
            return error_errno(e, -errno, "find the user namespace of %s", netns);
        (void)fd_close(net);
        path = arena_printf(a, "/proc/%d/fd/%d", getpid(), fd); /* open as long as this fork lives */
    }
    add_namespace(a, l, "user", path);
    return 0;
}

static int add_namespaces(struct arena *a, struct oci_linux *l, const Pb__NamespaceOption *o, const char *netns, struct error *e) {
    add_namespace(a, l, "mount", NULL);
    if (o->pid != MODE_NODE)
        add_namespace(a, l, "pid", NULL);
    if (o->ipc != MODE_NODE)
        add_namespace(a, l, "ipc", NULL);
    if (o->network != MODE_NODE) {
        add_namespace(a, l, "network", *netns ? netns : NULL);
        add_namespace(a, l, "uts", NULL);
    }
    return o->userns_options && o->userns_options->mode == MODE_POD ? add_user_namespace(a, l, o->userns_options, netns, e) : 0;
}

/* With what the pod asks for, and what containerd's own sandboxes have since version 2: a pod with a network of its own need not
 * care for ports below 1024, or for ping. */
static void add_settings(struct arena *a, struct oci_linux *l, const Pb__PodLinux *linux_, const Pb__NamespaceOption *o) {
    static const char ports[] = "net.ipv4.ip_unprivileged_port_start", ping[] = "net.ipv4.ping_group_range";

    for (size_t i = 0; linux_ && i < linux_->n_sysctls; i++)
        map_set(a, &l->sysctl, linux_->sysctls[i]->key, linux_->sysctls[i]->value);
    if (o->network == MODE_NODE)
        return;
    if (!map_get(&l->sysctl, ports))
        map_set(a, &l->sysctl, ports, "0");
    if (!map_get(&l->sysctl, ping) && !o->userns_options)
        map_set(a, &l->sysctl, ping, "0 2147483647");
}

/* containerd's rule: below a slice of systemd's it is a unit of its own. */
static const char *cgroups_path(struct arena *a, const char *parent, const char *id, bool systemd_cgroup) {
    const char *base = strrchr(parent, '/');

    if (!*parent)
        return NULL;
    return systemd_cgroup ? arena_printf(a, "%s:cri-containerd:%s", base ? base + 1 : parent, id)
                          : arena_printf(a, "%s/%s", parent, id);
}

static const Pb__NamespaceOption *namespaces_of(const Pb__PodConfig *pod) {
    static const Pb__NamespaceOption usual = PB__NAMESPACE_OPTION__INIT;
    const Pb__PodSecurity *security = pod->on_linux ? pod->on_linux->security_context : NULL;

    return security && security->namespace_options ? security->namespace_options : &usual;
}

static int write_bundle(int dir, const Pb__CreateSandboxRequest *m, const Pb__PodConfig *pod, const char *id, bool systemd_cgroup,
                        struct arena *a, struct error *e) {
    const Pb__PodSecurity *security = pod->on_linux ? pod->on_linux->security_context : NULL;
    const Pb__NamespaceOption *o = namespaces_of(pod);
    struct oci_cpu cpu = {.shares = {true, 2}}; /* it does nothing */
    struct oci_resources resources = {.cpu = &cpu};
    struct oci_linux linux_ = {.resources = &resources};
    struct oci_root root = {.path = "rootfs", .readonly = true};
    struct oci_process process = {.cwd = "/", .no_new_privileges = true, .user = {.uid = KEEPER_ID, .gid = KEEPER_ID}};
    struct oci_spec spec = {.oci_version = OCI_VERSION, .root = &root, .process = &process, .linux_ = &linux_};
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    strs_add(a, &process.args, "tare-init");
    if (security && security->run_as_user)
        process.user.uid = process.user.gid = (uint32_t)security->run_as_user->value;
    if (security && security->run_as_group)
        process.user.gid = (uint32_t)security->run_as_group->value;
    if (*pod->hostname && o->network != MODE_NODE)
        spec.hostname = pod->hostname;
    if (pod->on_linux)
        linux_.cgroups_path = cgroups_path(a, pod->on_linux->cgroup_parent, id, systemd_cgroup);
    add_settings(a, &linux_, pod->on_linux, o);
    r = add_namespaces(a, &linux_, o, m->netns_path, e);
    if (r < 0)
        return r;
    if (mkdirat(dir, "rootfs", 0755) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "make the root of the pod");
    json_encode(&oci_spec_table, &spec, 0, &text);
    return fs_replace_at(dir, "config.json", text.data, text.size, 0600, FS_NO_SYNC, e);
}

static int read_config(const Pb__CreateSandboxRequest *m, struct arena *a, const Pb__PodConfig **ret, struct error *e) {
    if (!m->options || !strstr(m->options->type_url, "runtime.v1.PodSandboxConfig"))
        return error_set(e, -EINVAL, "the sandbox is not described by CRI's PodSandboxConfig, but by %s",
                         m->options ? m->options->type_url : "nothing");
    *ret = message_unpack(&pb__pod_config__descriptor, m->options->value.data, m->options->value.len, a);
    return *ret ? 0 : error_set(e, -EINVAL, "PodSandboxConfig cannot be read");
}

int pod_prepare(const Pb__CreateSandboxRequest *m, const char *id, bool systemd_cgroup, struct arena *a, struct error *e) {
    _cleanup_fd_ int dir = fs_open_dir(AT_FDCWD, m->bundle, e);
    const Pb__PodConfig *pod = NULL;
    int r = dir < 0 ? dir : read_config(m, a, &pod, e);

    if (r < 0 || !pod)
        return r;
    r = write_bundle(dir, m, pod, id, systemd_cgroup, a, e);
    if (r == 0)
        r = write_hostname(dir, pod->hostname, e);
    if (r == 0)
        r = copy(dir, "hosts", "/etc/hosts", e);
    if (r == 0)
        r = write_resolver(dir, pod->dns_config, e);
    if (r == 0 && namespaces_of(pod)->ipc != MODE_NODE)
        r = mount_shm(m->bundle, a, e);
    return r;
}

#include "engine/cdi.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fs.h"
#include "model/cdi.h"
#include "model/config.h"

struct loaded {
    const char *path;
    size_t rank; /* of its directory: a higher one stands before */
    struct cdi_file file;
    bool applied; /* what it wants for all its devices */
};

struct registry {
    struct arena *arena;
    const char *dir;
    size_t rank;
    struct list files;  /* struct loaded */
    const char *broken; /* one that cannot be read, with why */
};

/* --- files ------------------------------------------------------------------------------------------------------------------ */

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);

    return n > m && strcmp(s + n - m, end) == 0;
}

static int load(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    struct registry *g = arg;
    _cleanup_error_ struct error why = ERROR_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT;
    const char *path = arena_printf(g->arena, "%s/%s", g->dir, name);
    struct cdi_file file;

    bool yaml = ends_with(name, ".yaml");

    if (!yaml && !ends_with(name, ".json"))
        return 0;
    int r = fs_read_at(dirfd, name, CDI_FILE_MAX, &text, &why);
    if (r == 0)
        r = cdi_file_decode(buf_text(&text), text.size, yaml, g->arena, &file, &why);
    if (r < 0)
        g->broken = arena_printf(g->arena, "%s: %s", path, why.text ? why.text : errno_text(r));
    else
        *LIST_ADD(g->arena, struct loaded, &g->files) = (struct loaded){path, g->rank, file, false};
    return 0;
}

static int load_all(const struct engine *engine, struct registry *g, struct error *e) {
    for (size_t i = 0; engine->config && i < engine->config->cdi_dirs.n; i++) {
        g->dir = engine->config->cdi_dirs.v[i];
        g->rank = i;
        int r = fs_each(AT_FDCWD, g->dir, load, g, e);
        if (r == -ENOENT)
            error_release(e);
        else if (r < 0)
            return error_wrap(e, r, "read the devices in %s", g->dir);
        if (r == -ENOENT && e)
            *e = (struct error)ERROR_INIT;
    }
    return 0;
}

/* --- edits ------------------------------------------------------------------------------------------------------------------ */

static char type_of(mode_t mode) {
    return S_ISBLK(mode) ? 'b' : S_ISCHR(mode) ? 'c' : S_ISFIFO(mode) ? 'p' : '\0';
}

/* What the file leaves open is as on the host: type and numbers, not mode and owner, since the container's user is to open it. */
static int look_at_host(const struct cdi_node *n, struct spec_device *d, struct error *e) {
    const char *host = n->host_path && *n->host_path ? n->host_path : n->path;
    struct stat st;

    if (d->type && (d->type == 'p' || (n->major.set && n->major.value != 0)))
        return 0;
    if (lstat(host, &st) < 0)
        return error_errno(e, -errno, "device node %s", host);
    char type = type_of(st.st_mode);
    if (!type || (d->type && d->type != type))
        return error_set(e, -ENODEV, "device node %s is not %s", host,
                         !type            ? "a device"
                         : d->type == 'b' ? "a block device"
                         : d->type == 'c' ? "a character device"
                                          : "a FIFO");
    d->type = type;
    d->major = major(st.st_rdev);
    d->minor = minor(st.st_rdev);
    return 0;
}

/* The last of one path counts. */
static struct spec_device *device_at(struct arena *a, struct list *devices, const char *path) {
    for (size_t i = 0; i < devices->n; i++)
        if (strcmp(LIST_AT(struct spec_device, devices, i)->path, path) == 0)
            return LIST_AT(struct spec_device, devices, i);
    return LIST_ADD(a, struct spec_device, devices);
}

static int add_node(const struct cdi_node *n, struct arena *a, struct spec_input *in, struct error *e) {
    const char *access = n->permissions && *n->permissions ? n->permissions : "rwm";
    struct spec_device d = {
        .path = n->path,
        .host_path = n->host_path && *n->host_path ? n->host_path : NULL,
        .type = !n->type || !*n->type ? '\0'
                : *n->type == 'u'     ? 'c'
                                      : *n->type,
        .major = (uint32_t)n->major.value,
        .minor = (uint32_t)n->minor.value,
        .mode = n->file_mode.set ? (uint32_t)n->file_mode.value & 07777 : 0666,
        .uid = n->uid.set ? (uint32_t)n->uid.value : in->user.uid,
        .gid = n->gid.set ? (uint32_t)n->gid.value : in->user.gid,
        .access = strcmp(access, "none") == 0 ? "" : access,
    };
    int r = look_at_host(n, &d, e);

    if (r == 0)
        *device_at(a, &in->devices, n->path) = d;
    return r;
}

static struct oci_mount *mount_at(struct arena *a, struct list *mounts, const char *destination) {
    for (size_t i = 0; i < mounts->n; i++)
        if (strcmp(LIST_AT(struct oci_mount, mounts, i)->destination, destination) == 0)
            return LIST_AT(struct oci_mount, mounts, i);
    return LIST_ADD(a, struct oci_mount, mounts);
}

static void add_mount(const struct cdi_mount *m, struct arena *a, struct spec_input *in) {
    struct oci_mount *to = mount_at(a, &in->more_mounts, m->container_path);

    *to = (struct oci_mount){
        .destination = m->container_path, .source = m->host_path, .type = m->type && *m->type ? m->type : "bind"};
    for (size_t i = 0; i < m->options.n; i++)
        strs_add(a, &to->options, m->options.v[i]);
    if (strcmp(to->type, "bind") == 0 && !strs_has(&to->options, "bind") && !strs_has(&to->options, "rbind"))
        strs_add(a, &to->options, "rbind");
}

static void add_hook(const struct cdi_hook *h, struct arena *a, struct spec_input *in) {
    *LIST_ADD(a, struct oci_hook, cdi_hooks_named(&in->hooks, h->name)) = h->hook;
}

/* A variable that two of them set has the later's value. */
static void add_variable(const char *text, struct arena *a, struct strs *env) {
    size_t n = strcspn(text, "=") + 1;

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], text, n) == 0) {
            env->v[i] = text;
            return;
        }
    strs_add(a, env, text);
}

static int apply(const struct cdi_edits *edits, struct arena *a, struct spec_input *in, struct error *e) {
    if (edits->intel_rdt)
        return error_set(e, -ENOTSUP, "intelRdt is not supported");
    for (size_t i = 0; i < edits->nodes.n; i++) {
        int r = add_node(LIST_AT(struct cdi_node, &edits->nodes, i), a, in, e);

        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < edits->mounts.n; i++)
        add_mount(LIST_AT(struct cdi_mount, &edits->mounts, i), a, in);
    for (size_t i = 0; i < edits->hooks.n; i++)
        add_hook(LIST_AT(struct cdi_hook, &edits->hooks, i), a, in);
    for (size_t i = 0; i < edits->net_devices.n; i++) {
        const struct cdi_net_device *d = LIST_AT(struct cdi_net_device, &edits->net_devices, i);

        *LIST_ADD(a, struct oci_net_device, &in->net_devices) = (struct oci_net_device){d->host_name, d->name};
    }
    for (size_t i = 0; i < edits->env.n; i++)
        add_variable(edits->env.v[i], a, &in->more_env);
    for (size_t i = 0; i < edits->gids.n; i++)
        if (*LIST_AT(uint32_t, &edits->gids, i) != 0)
            *LIST_ADD(a, uint32_t, &in->user.groups) = *LIST_AT(uint32_t, &edits->gids, i);
    return 0;
}

static int apply_device(struct loaded *l, const struct cdi_device *d, struct arena *a, struct spec_input *in, struct error *e) {
    int r = l->applied ? 0 : apply(&l->file.edits, a, in, e);

    l->applied = true;
    if (r == 0)
        r = apply(&d->edits, a, in, e);
    return r < 0 ? error_wrap(e, r, "device %s=%s of %s", l->file.kind, d->name, l->path) : 0;
}

/* --- names ------------------------------------------------------------------------------------------------------------------ */

static bool has_kind(const struct registry *g, const char *kind) {
    for (size_t i = 0; i < g->files.n; i++)
        if (strcmp(LIST_AT(struct loaded, &g->files, i)->file.kind, kind) == 0)
            return true;
    return false;
}

/* Nobody has it: why. */
static int not_found(const struct registry *g, const char *kind, const char *name, struct error *e) {
    error_set(e, -ENOENT,
              has_kind(g, kind) ? "no device %s=%s: its vendor's files do not name it" : "no device %s=%s: no file is of that kind",
              kind, name);
    if (g->broken)
        return error_hint(e, "a file could not be read: %s", g->broken);
    return error_hint(e, "files are looked for in the cdi_dirs of tare.conf");
}

/* 1: applied; 0: nobody has it. */
static int apply_named(struct registry *g, const char *kind, const char *name, struct spec_input *in, struct error *e) {
    const struct cdi_device *best = NULL;
    struct loaded *of = NULL;
    const char *conflict = NULL;

    for (size_t i = 0; i < g->files.n; i++) {
        struct loaded *l = LIST_AT(struct loaded, &g->files, i);

        for (size_t k = 0; strcmp(l->file.kind, kind) == 0 && k < l->file.devices.n; k++) {
            const struct cdi_device *d = LIST_AT(struct cdi_device, &l->file.devices, k);

            if (strcmp(d->name, name) != 0)
                continue;
            conflict = of && of->rank == l->rank ? l->path : NULL; /* files come in the order of their ranks */
            best = d;
            if (!conflict)
                of = l;
        }
    }
    if (conflict)
        return error_set(e, -EEXIST, "device %s=%s is in %s and in %s", kind, name, of->path, conflict);
    if (!best)
        return 0;
    int r = apply_device(of, best, g->arena, in, e);
    return r < 0 ? r : 1;
}

static int apply_all(struct registry *g, const char *kind, struct spec_input *in, struct error *e) {
    struct strs done = {0};
    int r = apply_named(g, kind, "all", in, e); /* a vendor may say itself what all are */

    if (r != 0)
        return r;
    for (size_t i = 0; i < g->files.n; i++) {
        const struct cdi_file *f = &LIST_AT(struct loaded, &g->files, i)->file;

        for (size_t k = 0; strcmp(f->kind, kind) == 0 && k < f->devices.n; k++) {
            const char *name = LIST_AT(struct cdi_device, &f->devices, k)->name;

            if (strs_has(&done, name))
                continue;
            strs_add(g->arena, &done, name);
            r = apply_named(g, kind, name, in, e);
            if (r < 0)
                return r;
        }
    }
    return done.n > 0;
}

static int apply_text(struct registry *g, const char *text, struct spec_input *in, struct error *e) {
    if (!cdi_name_is(text))
        return error_set(e, -EINVAL, "device %s is not of the form vendor.com/class=name", text);
    const char *kind = arena_strndup(g->arena, text, strcspn(text, "=")), *name = strchr(text, '=') + 1;
    int r = strcmp(name, "all") == 0 ? apply_all(g, kind, in, e) : apply_named(g, kind, name, in, e);

    return r == 0 ? not_found(g, kind, name, e) : MIN_OF(r, 0);
}

/* --gpus, whose driver may be left open: the vendor's whose files are there. */
static const char *gpu_kind(const struct registry *g, const char *driver) {
    static const char *const vendors[][2] = {{"nvidia", "nvidia.com/gpu"}, {"amd", "amd.com/gpu"}, {"intel", "intel.com/gpu"}};

    for (size_t i = 0; i < ARRAY_SIZE(vendors); i++)
        if (*driver ? strcmp(driver, vendors[i][0]) == 0 : has_kind(g, vendors[i][1]))
            return vendors[i][1];
    return *driver ? NULL : vendors[0][1];
}

static int apply_gpus(struct registry *g, const struct device_request *q, struct spec_input *in, struct error *e) {
    const char *driver = q->driver ? q->driver : "", *kind = gpu_kind(g, driver);
    int r = 0;

    if (!kind)
        return error_set(e, -ENOTSUP, "could not select device driver \"%s\": devices are given by CDI, as nvidia, amd or intel",
                         driver);
    if (q->count < 0)
        return apply_text(g, arena_printf(g->arena, "%s=all", kind), in, e);
    for (int32_t i = 0; r == 0 && i < q->count; i++)
        r = apply_text(g, arena_printf(g->arena, "%s=%d", kind, i), in, e);
    for (size_t i = 0; r == 0 && i < q->device_ids.n; i++)
        r = apply_text(g, arena_printf(g->arena, "%s=%s", kind, q->device_ids.v[i]), in, e);
    return r;
}

int cdi_gather(const struct engine *engine, const struct host_config *h, struct arena *a, struct spec_input *in, struct error *e) {
    struct registry g = {.arena = a};
    int r = h->device_requests.n > 0 ? load_all(engine, &g, e) : 0;

    for (size_t i = 0; r == 0 && i < h->device_requests.n; i++) {
        const struct device_request *q = LIST_AT(struct device_request, &h->device_requests, i);
        bool is_cdi = q->driver && strcmp(q->driver, "cdi") == 0;

        if (!is_cdi)
            r = apply_gpus(&g, q, in, e);
        for (size_t k = 0; is_cdi && r == 0 && k < q->device_ids.n; k++)
            r = apply_text(&g, q->device_ids.v[k], in, e);
    }
    return r;
}

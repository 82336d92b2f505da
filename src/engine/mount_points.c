#include "engine/mount_points.h"

#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "engine/lookup.h"
#include "engine/userns.h"
#include "engine/volume.h"
#include "image/image.h"
#include "model/mount_text.h"

/* Points are collected first; volumes are made last, when nothing can be wrong with the request any more and their names stand in a
 * journal. */

static const struct mount_point *find_point(const struct list *points, const char *destination) {
    for (size_t i = 0; i < points->n; i++)
        if (strcmp(LIST_AT(struct mount_point, points, i)->destination, destination) == 0)
            return LIST_AT(struct mount_point, points, i);
    return NULL;
}

static int add_point(const struct mount_point *m, struct arena *a, struct list *points, struct error *e) {
    if (find_point(points, m->destination))
        return error_set(e, -EINVAL, "Duplicate mount point: %s", m->destination);
    *LIST_ADD(a, struct mount_point, points) = *m;
    return 0;
}

static int add_asked(const struct host_config *h, struct arena *a, struct list *points, struct error *e) {
    struct mount_point m;
    int r = 0;
    for (size_t i = 0; r == 0 && i < h->binds.n; i++) {
        r = volume_text_parse(h->binds.v[i], NULL, a, &m, e);
        if (r == 0 && m.name && !(m.mode && *m.mode))
            m.mode = "z"; /* what Docker shows of a named volume */
        if (r == 0)
            r = add_point(&m, a, points, e);
    }
    for (size_t i = 0; r == 0 && i < h->mounts.n; i++) {
        r = mount_request_point(LIST_AT(struct mount_request, &h->mounts, i), a, &m, e);
        if (r == 0)
            r = add_point(&m, a, points, e);
    }
    for (size_t i = 0; r == 0 && i < h->tmpfs.n; i++) {
        r = tmpfs_text_parse(h->tmpfs.v[i].key, h->tmpfs.v[i].value, a, &m, e);
        if (r == 0)
            r = add_point(&m, a, points, e);
    }
    return r;
}

/* --volumes-from CONTAINER[:ro|rw]: its mounts, unless this container has one of its own at the place. */
static int add_from(struct engine *engine, const char *text, struct arena *a, struct list *points, struct error *e) {
    _cleanup_container_ struct container from = CONTAINER_INIT;
    size_t n = strcspn(text, ":");
    const char *mode = text[n] ? text + n + 1 : "rw";
    if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0 && strcmp(mode, "z") != 0 && strcmp(mode, "Z") != 0)
        return error_set(e, -EINVAL, "invalid mode: %s", mode);
    int r = container_open(engine, arena_strndup(a, text, n), a, &from, e);
    for (size_t i = 0; r == 0 && i < from.record.mounts.n; i++) {
        struct mount_point m = *LIST_AT(struct mount_point, &from.record.mounts, i);
        if (find_point(points, m.destination) || strcmp(m.type, "tmpfs") == 0)
            continue;
        m.rw = m.rw && strcmp(mode, "ro") != 0;
        m.anonymous = false; /* it goes with the other container */
        r = add_point(&m, a, points, e);
    }
    return r;
}

static int add_of_image(const struct container_config *c, struct arena *a, struct list *points, struct error *e) {
    for (size_t i = 0; i < c->volumes.n; i++) {
        const char *target;
        int r = mount_target_clean(c->volumes.v[i], a, &target, e);
        if (r < 0)
            return r;
        if (!find_point(points, target))
            *LIST_ADD(a, struct mount_point, points) = (struct mount_point){
                .type = "volume", .destination = target, .source = "", .driver = "local", .mode = "", .rw = true};
    }
    return 0;
}

static bool subpath_is_local(const char *path) {
    if (path[0] == '/')
        return false;
    for (const char *s = path; *s; s += strspn(s, "/")) {
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.')
            return false;
        s += n;
    }
    return true;
}

/* What cannot be is refused here, by name and with the reason. */
static int check_possible(const struct engine *engine, const struct host_config *h, const struct mount_point *m, struct error *e) {
    bool mapped = h->userns_mode && *h->userns_mode && !mode_is(h->userns_mode, "host");
    if (m->idmap && !mapped) {
        error_set(e, -EINVAL, "mount at %s: idmap shows owners as a user namespace of the container's own has them",
                  m->destination);
        return error_hint(e, "add --userns auto");
    }
    if (m->idmap && engine->roots->rootless)
        return error_set(e, -EOPNOTSUPP, "mount at %s: idmap: only root of the host can show a directory with other owners",
                         m->destination);
    if (m->idmap && m->overlay)
        return error_set(e, -EOPNOTSUPP, "mount at %s: the kernel cannot shift the owners of an overlay (O with idmap)",
                         m->destination);
    if (m->overlay && m->chown)
        return error_set(e, -EINVAL, "mount at %s: O keeps the source as it is, and U changes it", m->destination);
    if (strcmp(m->type, "tmpfs") == 0 && (m->chown || m->idmap))
        return error_set(e, -EINVAL,
                         "mount at %s: a tmpfs is the container's own; give it an owner by uid= and gid=", m->destination);
    if (strcmp(m->type, "image") == 0 && (m->chown || (m->subpath && *m->subpath)))
        return error_set(e, -EOPNOTSUPP, "mount at %s: %s of an image: its files are shared by all, whole and as they are",
                         m->destination, m->chown ? "U" : "image-subpath");
    if (m->subpath && *m->subpath && !subpath_is_local(m->subpath))
        return error_set(e, -EINVAL, "mount at %s: subpath must be a relative path within the volume: %s", m->destination,
                         m->subpath);
    return 0;
}

/* The image whose files a mount shows. It is read-only, whatever was said: containers share its layers. */
static int find_image(struct engine *engine, struct mount_point *m, struct arena *a, struct error *e) {
    struct image_store *store;
    struct image image;
    int r = engine_store(engine, &store, e);
    if (r >= 0)
        r = image_resolve(store, m->source, NULL, a, &image, e);
    if (r < 0) {
        error_wrap(e, r, "mount at %s", m->destination);
        return r == -ENOENT ? error_hint(e, "tare pull %s", m->source) : r;
    }
    if (image.layers.n == 0)
        return error_set(e, -EINVAL, "mount at %s: image %s has no files", m->destination, m->source);
    m->image = image.id;
    m->layers = image.layers;
    m->rw = false;
    return 0;
}

static int check_bind(const struct mount_point *m, struct error *e) {
    struct stat st;
    if (stat(m->source, &st) == 0)
        return 0;
    if (errno != ENOENT)
        return error_errno(e, -errno, "bind source %s", m->source);
    if (!m->create_source)
        return error_set(e, -EINVAL, "invalid mount config for type \"bind\": bind source path does not exist: %s", m->source);
    return fs_mkdirs(m->source, 0755, e);
}

static const struct volume_options *options_of(const struct host_config *h, const char *destination) {
    for (size_t i = 0; i < h->mounts.n; i++) {
        const struct mount_request *q = LIST_AT(struct mount_request, &h->mounts, i);
        if (q->volume && q->target && strcmp(q->target, destination) == 0)
            return q->volume;
    }
    return NULL;
}

static int name_volume(struct mount_point *m, struct arena *a, struct error *e) {
    char id[ID_LENGTH + 1];
    if (m->name && *m->name)
        return 0;
    int r = id_new(id);
    if (r < 0)
        return error_errno(e, r, "make a name for a volume");
    m->name = arena_strdup(a, id);
    m->anonymous = true;
    return 0;
}

/* Makes the volume and fills it with what the image has at the place. */
static int make_volume(struct engine *engine, const struct container *container, struct mount_point *m, struct arena *a,
                       struct error *e) {
    const struct container_record *c = &container->record;
    const struct volume_options *o = options_of(&c->host, m->destination);
    const char *driver = o && o->driver_config && o->driver_config->name ? o->driver_config->name : c->host.volume_driver;
    struct map labels = {0};
    struct volume v;
    for (size_t i = 0; o && i < o->labels.n; i++)
        map_set(a, &labels, o->labels.v[i].key, o->labels.v[i].value);
    if (m->anonymous)
        map_set(a, &labels, VOLUME_ANONYMOUS_LABEL, "");
    int r = volume_create(engine->roots, m->name, driver && *driver ? driver : NULL,
                          o && o->driver_config ? &o->driver_config->options : NULL, &labels, a, &v, e);
    if (r < 0)
        return r;
    m->driver = v.driver;
    m->source = v.mountpoint;
    r = volume_use(engine->roots, v.name, c->id, e);
    if (r < 0 || m->no_copy || m->subpath || v.options.n > 0 || c->host.rootfs)
        return r;
    /* Where its mount cannot shift owners, its files have those of the container. */
    const struct id_shift owners = engine->roots->rootless ? userns_shift(container) : (struct id_shift){0};
    struct strs layers;
    r = userns_layers(engine, container, true, a, &layers, e);
    return r < 0 ? r : volume_fill(engine->roots, &v, &layers, m->destination, &owners, e);
}

int mount_points_choose(struct engine *engine, const struct create_request *q, struct arena *a, struct container_record *c,
                        struct error *e) {
    int r = add_asked(&q->host, a, &c->mounts, e);
    for (size_t i = 0; r == 0 && i < q->host.volumes_from.n; i++)
        r = add_from(engine, q->host.volumes_from.v[i], a, &c->mounts, e);
    if (r == 0)
        r = add_of_image(&c->config, a, &c->mounts, e);
    for (size_t i = 0; r == 0 && i < c->mounts.n; i++) {
        struct mount_point *m = LIST_AT(struct mount_point, &c->mounts, i);
        r = check_possible(engine, &c->host, m, e);
        if (r == 0 && strcmp(m->type, "image") == 0)
            r = find_image(engine, m, a, e);
        else if (r == 0 && strcmp(m->type, "bind") == 0)
            r = check_bind(m, e);
    }
    for (size_t i = 0; r == 0 && i < c->mounts.n; i++) {
        struct mount_point *m = LIST_AT(struct mount_point, &c->mounts, i);
        r = strcmp(m->type, "volume") == 0 ? name_volume(m, a, e) : 0;
    }
    return r;
}

int mount_points_make(struct engine *engine, struct arena *a, struct container *c, struct error *e) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->record.mounts.n; i++) {
        struct mount_point *m = LIST_AT(struct mount_point, &c->record.mounts, i);
        r = strcmp(m->type, "volume") == 0 ? make_volume(engine, c, m, a, e) : 0;
    }
    return r;
}

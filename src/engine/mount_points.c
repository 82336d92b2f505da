#include "engine/mount_points.h"

#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "engine/volume.h"
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

/* What the grammar knows and the engine does not do is refused here, by name. */
static int check_supported(const struct mount_point *m, struct error *e) {
    if (strcmp(m->type, "bind") != 0 && strcmp(m->type, "volume") != 0 && strcmp(m->type, "tmpfs") != 0)
        return error_set(e, -EOPNOTSUPP, "mount at %s: type %s is not supported (bind, volume, tmpfs)", m->destination, m->type);
    const char *what = m->overlay                  ? "O (changes that the source does not see)"
                       : m->chown                  ? "U (change of the owner)"
                       : m->subpath && *m->subpath ? "a subpath of a volume"
                                                   : NULL;
    if (!what)
        return 0;
    return error_set(e, -EOPNOTSUPP, "mount at %s: %s is not supported", m->destination, what);
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
static int make_volume(struct engine *engine, const struct container_record *c, struct mount_point *m, struct arena *a,
                       struct error *e) {
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
    if (r == 0 && !m->no_copy && !m->subpath && v.options.n == 0) {
        struct strs layers = c->layers;
        r = c->host.rootfs ? 0 : volume_fill(engine->roots, &v, &layers, m->destination, e);
    }
    return r;
}

int mount_points_choose(struct engine *engine, const struct create_request *q, struct arena *a, struct container_record *c,
                        struct error *e) {
    int r = add_asked(&q->host, a, &c->mounts, e);
    for (size_t i = 0; r == 0 && i < q->host.volumes_from.n; i++)
        r = add_from(engine, q->host.volumes_from.v[i], a, &c->mounts, e);
    if (r == 0)
        r = add_of_image(&c->config, a, &c->mounts, e);
    for (size_t i = 0; r == 0 && i < c->mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &c->mounts, i);
        r = check_supported(m, e);
        if (r == 0)
            r = strcmp(m->type, "bind") == 0 ? check_bind(m, e) : 0;
    }
    for (size_t i = 0; r == 0 && i < c->mounts.n; i++) {
        struct mount_point *m = LIST_AT(struct mount_point, &c->mounts, i);
        r = strcmp(m->type, "volume") == 0 ? name_volume(m, a, e) : 0;
    }
    return r;
}

int mount_points_make(struct engine *engine, struct arena *a, struct container_record *c, struct error *e) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->mounts.n; i++) {
        struct mount_point *m = LIST_AT(struct mount_point, &c->mounts, i);
        r = strcmp(m->type, "volume") == 0 ? make_volume(engine, c, m, a, e) : 0;
    }
    return r;
}

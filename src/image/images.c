/* Lists, answers of inspect, names. */
#include <string.h>

#include "base/clock.h"
#include "base/event_change.h"
#include "base/id.h"
#include "image/ingest.h"
#include "image/store_internal.h"
#include "model/image_inspect.h"

/* --- names of an image ------------------------------------------------------------------------------------------------------- */

/* Sorts one canonical name into tags and digests, in the form that people read. */
static void add_familiar(const char *name, struct arena *a, struct strs *tags, struct strs *digests) {
    struct reference ref;

    if (!name || reference_parse(name, a, &ref, NULL) < 0)
        return;
    strs_add(a, ref.digest ? digests : tags, reference_familiar(&ref, a));
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the whole names, as Docker has it: those of its own registry stand by docker.io. */
static void names_of(const struct list *refs, const char *id, struct arena *a, struct strs *tags, struct strs *digests) {
    struct strs names = {0};

    for (size_t i = 0; i < refs->n; i++) {
        const struct image_record *r = LIST_AT(struct image_record, refs, i);

        if (r->name && strcmp(r->config.digest, id) == 0)
            strs_add(a, &names, r->name);
    }
    if (names.n)
        qsort(names.v, names.n, sizeof(*names.v), compare_strings);
    for (size_t i = 0; i < names.n; i++)
        add_familiar(names.v[i], a, tags, digests);
}

/* --- list -------------------------------------------------------------------------------------------------------------------- */

static int64_t seconds_of(const char *created) {
    struct timespec t;

    return created && time_parse(created, &t) == 0 ? t.tv_sec : 0;
}

static int newest_first(const void *a, const void *b) {
    const struct image_summary *x = a, *y = b;

    return x->created != y->created ? (x->created < y->created ? 1 : -1) : strcmp(x->id, y->id);
}

static void fill_summary(struct image_store *s, const struct image_record *r, const struct list *refs, struct arena *a,
                         struct image_summary *ret) {
    struct image image;

    *ret = (struct image_summary){.id = r->config.digest,
                                  .created = seconds_of(r->created),
                                  .size = r->size,
                                  .architecture = r->platform.architecture,
                                  .os = r->platform.os,
                                  .variant = r->platform.variant};
    names_of(refs, ret->id, a, &ret->repo_tags, &ret->repo_digests);
    (void)image_users(s, ret->id, a, &ret->users, NULL);
    if (image_from_record(s, r, a, &image, NULL) == 0)
        ret->labels = image.config.config.labels;
}

int image_list(struct image_store *s, struct arena *a, struct list *ret, struct error *e) {
    struct list refs, records;
    int r = record_read_all(s, DIR_REFS, a, &refs, e);

    if (r >= 0)
        r = record_read_all(s, DIR_IMAGES, a, &records, e);
    if (r < 0)
        return r;
    *ret = (struct list){NULL, 0};
    for (size_t i = 0; i < records.n; i++)
        fill_summary(s, LIST_AT(struct image_record, &records, i), &refs, a, LIST_ADD(a, struct image_summary, ret));
    if (ret->n)
        qsort(ret->v, ret->n, sizeof(struct image_summary), newest_first);
    return 0;
}

/* --- inspect ----------------------------------------------------------------------------------------------------------------- */

static const char *or_empty(const char *s) {
    return s ? s : "";
}

static void fill_graph_driver(const struct image *image, struct arena *a, struct image_graph_driver *ret) {
    _cleanup_buf_ struct buf lower = BUF_INIT;

    ret->name = "overlay2";
    for (size_t i = 1; i < image->layers.n; i++)
        buf_printf(&lower, "%s%s", i > 1 ? ":" : "", image->layers.v[i]);
    if (image->layers.n > 1)
        map_set(a, &ret->data, "LowerDir", arena_strdup(a, buf_text(&lower)));
    if (image->layers.n)
        map_set(a, &ret->data, "UpperDir", image->layers.v[0]);
}

int image_inspect(struct image_store *s, const char *name_or_id, const char *platform, struct arena *a, struct image_inspect *ret,
                  struct error *e) {
    struct image_record record;
    struct image image;
    struct list refs;
    int r = image_resolve(s, name_or_id, platform, a, &image, e);

    if (r >= 0)
        r = record_find(s, name_or_id, a, &record, e);
    if (r >= 0)
        r = record_read_all(s, DIR_REFS, a, &refs, e);
    if (r < 0)
        return r;
    *ret = (struct image_inspect){.id = image.id,
                                  .parent = or_empty(image.config.parent),
                                  .comment = or_empty(image.config.comment),
                                  .created = image.config.created,
                                  .docker_version = or_empty(image.config.docker_version),
                                  .author = or_empty(image.config.author),
                                  .config = image.config.config,
                                  .architecture = or_empty(image.config.architecture),
                                  .variant = image.config.variant,
                                  .os = or_empty(image.config.os),
                                  .os_version = image.config.os_version,
                                  .size = image.size,
                                  .rootfs = {.type = "layers", .layers = image.config.rootfs.diff_ids},
                                  .metadata = {.last_tag_time = record.tagged},
                                  .descriptor = record.manifest};
    names_of(&refs, image.id, a, &ret->repo_tags, &ret->repo_digests);
    fill_graph_driver(&image, a, &ret->graph_driver);
    return 0;
}

int image_layer_sizes(struct image_store *s, const struct image *image, struct arena *a, uint64_t **ret, struct error *e) {
    const struct strs *diff_ids = &image->config.rootfs.diff_ids;
    uint64_t *sizes = arena_array(a, uint64_t, diff_ids->n + 1);
    char chain[HASH_TEXT], key[LAYER_KEY_MAX];

    store_read_map(s);
    for (size_t i = 0; i < diff_ids->n; i++) {
        struct layer_info info;
        int r;

        layer_chain_id(i ? chain : NULL, diff_ids->v[i], chain);
        layer_key(s, chain, NULL, key);
        r = layer_read_info(s, key, chain, a, &info, e);
        if (r < 0 && r != -ENOENT) /* hidden by an opaque one above: not kept */
            return r;
        sizes[i] = r == 0 ? info.size : 0;
    }
    *ret = sizes;
    return 0;
}

/* --- tag --------------------------------------------------------------------------------------------------------------------- */

struct layer_of {
    char chain[72];
    uint64_t size;
    size_t image;
};

static int by_chain(const void *a, const void *b) {
    return strcmp(((const struct layer_of *)a)->chain, ((const struct layer_of *)b)->chain);
}

static int add_layers(struct image_store *s, const char *id, size_t number, struct arena *a, struct list *layers, struct error *e) {
    struct image image;
    const char *parent = NULL;
    uint64_t *sizes;
    int r = image_resolve(s, id, NULL, a, &image, e);

    if (r >= 0)
        r = image_layer_sizes(s, &image, a, &sizes, e);
    for (size_t i = 0; r >= 0 && i < image.config.rootfs.diff_ids.n; i++) {
        struct layer_of *l = LIST_ADD(a, struct layer_of, layers);

        *l = (struct layer_of){.size = sizes[i], .image = number};
        layer_chain_id(parent, image.config.rootfs.diff_ids.v[i], l->chain);
        parent = arena_strdup(a, l->chain);
    }
    return r;
}

int image_shared_sizes(struct image_store *s, const struct list *images, struct arena *a, uint64_t **ret, struct error *e) {
    struct list layers = {0};
    int r = 0;

    *ret = arena_array(a, uint64_t, images->n + 1);
    for (size_t i = 0; r >= 0 && i < images->n; i++)
        r = add_layers(s, LIST_AT(struct image_summary, images, i)->id, i, a, &layers, e);
    if (r >= 0 && layers.n > 1)
        qsort(layers.v, layers.n, sizeof(struct layer_of), by_chain);
    for (size_t i = 0; r >= 0 && i < layers.n; i++) {
        const struct layer_of *l = LIST_AT(struct layer_of, &layers, i);
        bool before = i > 0 && by_chain(l, l - 1) == 0, after = i + 1 < layers.n && by_chain(l, l + 1) == 0;

        (*ret)[l->image] += before || after ? l->size : 0;
    }
    return r;
}

int image_tag(struct image_store *s, const char *source, const char *target, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char path[STORE_PATH_MAX], now[TIME_TEXT_MAX];
    struct image_record record;
    struct reference ref;
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    _cleanup_fd_ int lock = -1;
    int r = reference_parse(target, &a, &ref, e);

    if (r == 0 && ref.digest)
        return error_set(e, -EINVAL, "refusing to create a tag with a digest reference");
    if (r == 0 && strcmp(reference_familiar_repository(&ref, &a), "sha256") == 0)
        return error_set(e, -EINVAL, "refusing to create an ambiguous tag using digest algorithm as name");
    if (r == 0)
        r = lock = store_lock(s, false, e);
    if (r >= 0)
        r = record_find(s, source, &a, &record, e);
    if (r < 0)
        return r;
    record.name = reference_key(&ref, &a);
    time_format(clock_wall(), now);
    record.tagged = now;
    record_ref_path(record.name, path);
    event_change_of(&change, s->run_root, s->root, path, "image", "tag", record.config.digest, "name", reference_familiar(&ref, &a),
                    (char *)NULL);
    r = record_write(s, path, &record, s->limits.no_sync ? FS_NO_SYNC : FS_SYNC, e);
    if (r < 0)
        return r;
    event_change_tell(&change);
    return view_write(s, e);
}

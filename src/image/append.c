#include "image/append.h"

#include <string.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "image/change.h"
#include "image/store_internal.h"
#include "model/platform.h"

/* The digest is known before the layer goes in: one that is there already, perhaps below a running container, is then found. */
static int describe_layer(int fd, struct arena *a, struct layer_task *t, struct error *e) {
    struct sha256 hash;
    uint64_t size = 0;
    char block[65536], digest[HASH_TEXT];

    sha256_init(&hash);
    for (;;) {
        ssize_t n = pread(fd, block, sizeof(block), (off_t)size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(e, -errno, "read the layer's archive");
        if (n == 0)
            break;
        sha256_add(&hash, block, (size_t)n);
        size += (uint64_t)n;
    }
    sha256_final_digest(&hash, digest);
    t->diff_id = arena_strdup(a, digest);
    t->blob = (struct descriptor){.media_type = MEDIA_OCI_LAYER, .digest = t->diff_id, .size = size};
    t->file = fd;
    return 0;
}

/* Manifest and configuration of the image below; its layers become tasks, with room for one more. */
static int read_base(struct image_store *s, const char *id, struct image_manifest *m, struct image_config *config,
                     struct layer_task **ret, struct arena *a, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct image_manifest base;
    struct image image;
    int r = image_resolve(s, id, NULL, a, &image, e);

    if (r >= 0)
        r = blob_read(s, image.manifest_digest, IMAGE_MANIFEST_MAX, &text, e);
    if (r >= 0)
        r = image_manifest_decode(buf_text(&text), text.size, a, &base, e);
    if (r < 0)
        return r;
    *config = image.config;
    if (config->rootfs.diff_ids.n != base.layers.n)
        return error_set(e, -EUCLEAN, "image %.19s has %zu layers, but names %zu", id, base.layers.n, config->rootfs.diff_ids.n);
    *ret = arena_array(a, struct layer_task, base.layers.n + 1);
    for (size_t i = 0; i < base.layers.n; i++) {
        struct descriptor *d = LIST_ADD(a, struct descriptor, &m->layers);

        *d = *LIST_AT(struct descriptor, &base.layers, i);
        d->media_type = media_type_to_oci(d->media_type);
        (*ret)[i] = (struct layer_task){.blob = *d, .diff_id = config->rootfs.diff_ids.v[i], .file = -1};
    }
    return 0;
}

static int make_config(const struct image_append_options *o, const char *diff_id, struct arena *a, struct image_config *c,
                       struct error *e) {
    char *now = arena_alloc(a, TIME_TEXT_MAX);
    const struct strs on_build = c->config.on_build;
    int r = 0;

    time_format(clock_wall(), now);
    c->created = now;
    c->author = o->author ? o->author : c->author;
    c->comment = o->message;
    if (!c->os) {
        c->os = platform_host()->os;
        c->architecture = platform_host()->architecture;
        c->variant = platform_host()->variant;
    }
    if (o->config) {
        c->config = *o->config;
        c->config.on_build = on_build;
    }
    for (size_t i = 0; r == 0 && i < o->changes.n; i++) {
        r = image_change(&c->config, o->changes.v[i], a, e);
        if (r < 0)
            error_wrap(e, r, "--change \"%s\"", o->changes.v[i]);
    }
    c->rootfs.type = "layers";
    strs_add(a, &c->rootfs.diff_ids, diff_id);
    *LIST_ADD(a, struct image_history, &c->history) =
        (struct image_history){.created = now, .created_by = o->created_by, .author = o->author, .comment = o->message};
    return r;
}

static int write_document(struct image_store *s, const struct json_table *table, const void *object, const char *type,
                          struct arena *a, struct descriptor *ret, const char **ret_text, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char digest[HASH_TEXT];
    int r;

    json_encode(table, object, 0, &text);
    r = blob_write(s, buf_text(&text), text.size, digest, e);
    if (r < 0)
        return r;
    *ret = (struct descriptor){.media_type = type, .digest = arena_strdup(a, digest), .size = text.size};
    *ret_text = arena_strndup(a, buf_text(&text), text.size);
    return 0;
}

static int commit_documents(struct image_store *s, const struct image_config *config, struct image_manifest *m,
                            struct layer_task *tasks, const char *name, struct arena *a, struct image *ret, struct error *e) {
    struct image_commit c = {.manifest_type = MEDIA_OCI_MANIFEST};
    struct descriptor manifest;
    const char *config_text, *ignored;
    int r = write_document(s, &image_config_table, config, MEDIA_OCI_CONFIG, a, &m->config, &config_text, e);

    if (r == 0)
        r = write_document(s, &image_manifest_table, m, MEDIA_OCI_MANIFEST, a, &manifest, &ignored, e);
    if (r < 0)
        return r;
    c.manifest_digest = manifest.digest;
    if (name)
        strs_add(a, &c.names, name);
    return commit_image(s, &c, m, config_text, tasks, a, ret, e);
}

int image_append(struct image_store *s, int fd, const struct image_append_options *o, struct arena *a, const char **ret_id,
                 struct error *e) {
    struct image_manifest m = {.schema_version = 2, .media_type = MEDIA_OCI_MANIFEST};
    struct layer_task *tasks = arena_new(a, struct layer_task);
    struct image_config config = {0};
    struct reference ref;
    struct image image;
    const char *name = NULL;
    int r = o->base ? read_base(s, o->base, &m, &config, &tasks, a, e) : 0;

    if (r == 0 && o->reference) {
        r = reference_parse(o->reference, a, &ref, e);
        if (r == 0 && ref.digest)
            r = error_set(e, -EINVAL, "cannot commit to digest reference");
        name = r == 0 ? reference_key(&ref, a) : NULL;
    }
    if (r == 0)
        r = describe_layer(fd, a, &tasks[m.layers.n], e);
    if (r == 0)
        r = make_config(o, tasks[m.layers.n].diff_id, a, &config, e);
    if (r == 0)
        r = layers_ingest(s, tasks, m.layers.n + 1, NULL, NULL, a, e);
    if (r == 0) {
        *LIST_ADD(a, struct descriptor, &m.layers) = tasks[m.layers.n].blob;
        r = commit_documents(s, &config, &m, tasks, name, a, &image, e);
    }
    if (r == 0)
        *ret_id = image.id;
    store_empty_trash(s);
    return r;
}

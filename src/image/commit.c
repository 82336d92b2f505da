/* The end of every way into the store: layers in, one sync, then the names. */
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/event_change.h"
#include "image/store_internal.h"

static int read_config(struct image_store *s, const struct image_manifest *m, struct arena *a, const char **ret_text,
                       struct image_config *ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    int r = blob_read(s, m->config.digest, IMAGE_CONFIG_MAX, &b, e);

    if (r >= 0)
        r = image_config_decode(buf_text(&b), b.size, a, ret, e);
    if (r >= 0)
        *ret_text = arena_strndup(a, buf_text(&b), b.size);
    return r;
}

static int read_manifest(struct image_store *s, const struct image_commit *c, struct arena *a, struct image_manifest *ret,
                         struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    int r = blob_read(s, c->manifest_digest, IMAGE_MANIFEST_MAX, &b, e), kind;

    if (r < 0)
        return r;
    kind = image_document_kind(buf_text(&b), b.size, c->manifest_type, e);
    if (kind < 0)
        return error_wrap(e, kind, "manifest %s", c->manifest_digest);
    if (kind != IMAGE_DOCUMENT_MANIFEST)
        return error_set(e, -EINVAL, "%s is an index, not the manifest of an image", c->manifest_digest);
    return image_manifest_decode(buf_text(&b), b.size, a, ret, e);
}

static int make_tasks(const struct image_manifest *m, const struct image_config *config, struct arena *a, struct layer_task **ret,
                      struct error *e) {
    struct layer_task *tasks = arena_array(a, struct layer_task, m->layers.n + 1);

    if (config->rootfs.diff_ids.n != m->layers.n)
        return error_set(e, -EINVAL, "the manifest has %zu layers, but the configuration %zu", m->layers.n,
                         config->rootfs.diff_ids.n);
    for (size_t i = 0; i < m->layers.n; i++) {
        const struct descriptor *d = LIST_AT(struct descriptor, &m->layers, i);
        int r = layer_compression_of(d->media_type, e);

        if (r < 0)
            return error_wrap(e, r, "layer %zu", i + 1);
        tasks[i] = (struct layer_task){.blob = *d, .diff_id = config->rootfs.diff_ids.v[i], .file = -1};
    }
    *ret = tasks;
    return 0;
}

/* --- records ----------------------------------------------------------------------------------------------------------------- */

static void fill_layers(struct image_record *r, const struct image_manifest *m, const struct layer_task *tasks, struct arena *a) {
    bool hidden = false;

    for (size_t i = m->layers.n; i-- > 0;) {
        r->size += tasks[i].size;
        if (!hidden)
            strs_add(a, &r->layers, tasks[i].key);
        hidden = hidden || tasks[i].opaque_root;
    }
    for (size_t i = 0; i < m->layers.n; i++)
        strs_add(a, &r->blobs, LIST_AT(struct descriptor, &m->layers, i)->digest);
}

static int sync_parts(struct image_store *s, const struct image_record *r, struct error *e) {
    if (s->limits.no_sync)
        return 0;
    if (syncfs(s->root) < 0)
        return error_errno(e, -errno, "sync the image");
    blob_mark_synced(s, r->manifest.digest);
    blob_mark_synced(s, r->config.digest);
    if (r->view)
        blob_mark_synced(s, r->view->digest);
    for (size_t i = 0; i < r->blobs.n; i++)
        blob_mark_synced(s, r->blobs.v[i]);
    for (size_t i = 0; i < r->layers.n; i++)
        layer_mark_synced(s, r->layers.v[i]);
    return 0;
}

/* What is written last makes the change. */
static void begin_event(struct image_store *s, const struct image_commit *c, const char *image_id, struct event_change *change) {
    char path[STORE_PATH_MAX];

    if (!c->event.action)
        return;
    if (c->names.n)
        record_ref_path(c->names.v[c->names.n - 1], path);
    else
        record_image_path(image_id, path);
    event_change_of(change, s->run_root, s->root, path, "image", c->event.action, c->event.id ? c->event.id : image_id, "name",
                    c->event.name ? c->event.name : image_id, (char *)NULL);
}

/* The id first: a name must never stand for an image that is not there. */
static int write_records(struct image_store *s, const struct image_commit *c, struct image_record *r, struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    enum fs_sync sync = s->limits.no_sync ? FS_NO_SYNC : FS_SYNC;
    _cleanup_fd_ int lock = store_lock(s, false, e);
    char path[STORE_PATH_MAX];
    int code = lock < 0 ? lock : 0;

    if (code < 0)
        return code;
    begin_event(s, c, r->config.digest, &change);
    record_image_path(r->config.digest, path);
    code = record_write(s, path, r, sync, e);
    for (size_t i = 0; code == 0 && i < c->names.n; i++) {
        r->name = c->names.v[i];
        record_ref_path(r->name, path);
        code = record_write(s, path, r, sync, e);
    }
    if (code == 0)
        event_change_tell(&change);
    return code;
}

int commit_image(struct image_store *s, const struct image_commit *c, const struct image_manifest *m, const char *config_text,
                 struct layer_task *tasks, struct arena *a, struct image *ret, struct error *e) {
    struct image_record record = {
        .version = RECORD_VERSION, .manifest = {.media_type = c->manifest_type, .digest = c->manifest_digest}, .config = m->config};
    struct image_config config;
    char now[TIME_TEXT_MAX];
    int r;

    r = image_config_decode(config_text, strlen(config_text), a, &config, e);
    if (r < 0)
        return r;
    if (!record.manifest.media_type)
        record.manifest.media_type = m->media_type ? m->media_type : MEDIA_OCI_MANIFEST;
    if (!blob_exists(s, c->manifest_digest, &record.manifest.size))
        return error_set(e, -ENOENT, "the manifest %s is gone", c->manifest_digest);
    record.platform = (struct platform){.os = config.os, .architecture = config.architecture, .variant = config.variant};
    record.created = config.created;
    time_format(clock_wall(), now);
    record.tagged = now;
    fill_layers(&record, m, tasks, a);
    r = view_derive(s, record.manifest.media_type, m, a, &record.view, e);
    if (r == 0)
        r = sync_parts(s, &record, e);
    if (r == 0)
        r = write_records(s, c, &record, e);
    if (r == 0)
        r = view_write(s, e);
    ingest_unpin(s);
    if (r < 0)
        return r;
    record.name = c->names.n ? c->names.v[0] : NULL;
    ret->config_text = config_text;
    return image_from_record(s, &record, a, ret, e);
}

int image_commit(struct image_store *s, const struct image_commit *c, struct arena *a, struct image *ret, struct error *e) {
    struct image_manifest m;
    struct image_config config;
    struct layer_task *tasks = NULL;
    const char *config_text = NULL;
    int r = read_manifest(s, c, a, &m, e);

    if (r >= 0)
        r = read_config(s, &m, a, &config_text, &config, e);
    if (r >= 0)
        r = make_tasks(&m, &config, a, &tasks, e);
    if (r < 0)
        return r;
    r = layers_ingest(s, tasks, m.layers.n, c->source, c->progress, a, e);
    if (r == 0)
        r = commit_image(s, c, &m, config_text, tasks, a, ret, e);
    return r;
}

/* import: a root file system as one archive becomes an image of one layer. */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "image/change.h"
#include "image/store_internal.h"
#include "model/platform.h"

/* xz and bzip2 are no forms that a registry takes: such an archive is kept plain. */
static int settle_blob(struct image_store *s, struct layer_task *t, int scratch, struct arena *a, struct error *e) {
    _cleanup_fd_ int plain = -1;
    struct stat st;
    int r;

    if (t->blob.media_type)
        return 0;
    plain = openat(scratch, "plain", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (plain < 0)
        return error_errno(e, -errno, "create a file for the plain archive");
    r = archive_inflate(s, t->file, plain, e);
    if (r == 0)
        r = blob_link(s, plain, t->diff_id, e);
    if (r == 0 && !blob_is_sound(s, t->diff_id))
        r = error_set(e, -EBADMSG, "the archive unpacked differently the second time");
    if (r < 0)
        return r;
    if (fstat(plain, &st) < 0)
        return error_errno(e, -errno, "stat the plain archive");
    t->blob =
        (struct descriptor){.media_type = MEDIA_OCI_LAYER, .digest = arena_strdup(a, t->diff_id), .size = (uint64_t)st.st_size};
    return 0;
}

static int ingest_archive(struct image_store *s, int fd, const struct image_progress *progress, struct layer_task *t,
                          struct arena *a, struct error *e) {
    char scratch[STORE_PATH_MAX];
    _cleanup_fd_ int lock = store_scratch(s, scratch, e), dir = -1, file = -1;
    int r;

    if (lock < 0)
        return lock;
    dir = fs_open_dir(s->root, scratch, e);
    if (dir < 0)
        return dir;
    file = openat(dir, "blob", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return error_errno(e, -errno, "create a file for the archive");
    *t = (struct layer_task){.file = file, .stream = fd, .streamed = true};
    r = layers_ingest(s, t, 1, NULL, progress, a, e);
    if (r == 0)
        r = settle_blob(s, t, dir, a, e);
    t->file = -1;
    return r;
}

static int make_config(const struct image_import_options *o, const struct layer_task *t, struct arena *a, struct image_config *ret,
                       struct error *e) {
    char *now = arena_alloc(a, TIME_TEXT_MAX);
    struct image_history *h;
    struct platform p = *platform_host();
    int r = o->platform ? platform_parse(o->platform, a, &p, e) : 0;

    if (r < 0)
        return r;
    time_format(clock_wall(), now);
    *ret = (struct image_config){.created = now,
                                 .architecture = p.architecture,
                                 .variant = p.variant,
                                 .os = p.os,
                                 .comment = o->message,
                                 .rootfs.type = "layers"};
    strs_add(a, &ret->rootfs.diff_ids, t->diff_id);
    h = LIST_ADD(a, struct image_history, &ret->history);
    h->created = now;
    h->comment = o->message ? o->message : arena_printf(a, "Imported from %s", o->source ? o->source : "-");
    for (size_t i = 0; i < o->changes.n; i++) {
        r = image_change(&ret->config, o->changes.v[i], a, e);
        if (r < 0)
            return error_wrap(e, r, "--change \"%s\"", o->changes.v[i]);
    }
    return 0;
}

/* Writes configuration and manifest over the layer, and commits them. */
static int commit_import(struct image_store *s, const struct image_config *config, struct layer_task *t, const char *name,
                         const char *familiar, struct arena *a, struct image *ret, struct error *e) {
    _cleanup_buf_ struct buf config_text = BUF_INIT, text = BUF_INIT;
    struct image_manifest m = {.schema_version = 2, .media_type = MEDIA_OCI_MANIFEST};
    char config_digest[HASH_TEXT], manifest_digest[HASH_TEXT];
    struct image_commit c = {
        .manifest_digest = manifest_digest, .manifest_type = MEDIA_OCI_MANIFEST, .event = {.action = "import", .name = familiar}};
    int r;

    json_encode(&image_config_table, config, 0, &config_text);
    r = blob_write(s, buf_text(&config_text), config_text.size, config_digest, e);
    if (r < 0)
        return r;
    m.config =
        (struct descriptor){.media_type = MEDIA_OCI_CONFIG, .digest = arena_strdup(a, config_digest), .size = config_text.size};
    *LIST_ADD(a, struct descriptor, &m.layers) = t->blob;
    json_encode(&image_manifest_table, &m, 0, &text);
    r = blob_write(s, buf_text(&text), text.size, manifest_digest, e);
    if (r < 0)
        return r;
    c.manifest_digest = arena_strdup(a, manifest_digest);
    if (name)
        strs_add(a, &c.names, name);
    return commit_image(s, &c, &m, arena_strndup(a, buf_text(&config_text), config_text.size), t, a, ret, e);
}

int image_import(struct image_store *s, int fd, const struct image_import_options *o, const struct image_progress *progress,
                 struct arena *a, const char **ret_id, struct error *e) {
    struct image_config config;
    struct layer_task task;
    struct reference ref;
    struct image image;
    const char *name = NULL;
    int r = 0;

    if (o->reference) {
        r = reference_parse(o->reference, a, &ref, e);
        if (r == 0 && ref.digest)
            r = error_set(e, -EINVAL, "cannot import digest reference");
        name = r == 0 ? reference_key(&ref, a) : NULL;
    }
    if (r == 0) /* before the archive is read, which may take long: are the changes good? */
        r = make_config(o, &(struct layer_task){.diff_id = "sha256:"}, a, &config, e);
    if (r == 0)
        r = ingest_archive(s, fd, progress, &task, a, e);
    if (r == 0)
        r = make_config(o, &task, a, &config, e);
    if (r == 0)
        r = commit_import(s, &config, &task, name, name ? reference_familiar(&ref, a) : NULL, a, &image, e);
    if (r == 0)
        *ret_id = image.id;
    store_empty_trash(s);
    return r;
}

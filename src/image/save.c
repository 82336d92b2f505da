/* save: one archive for everybody. An OCI layout (index.json, blobs) with Docker's manifest.json beside it. */
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>

#include "base/event_log.h"
#include "image/store_internal.h"
#include "image/tar_writer.h"

struct saver {
    struct image_store *store;
    struct tar_writer tar;
    struct arena *arena;
    struct strs blobs;     /* digests, each once */
    struct list manifests; /* of struct descriptor, for index.json */
    struct buf docker;     /* manifest.json */
};

static void add_blob(struct saver *v, const char *digest) {
    if (!strs_has(&v->blobs, digest))
        strs_add(v->arena, &v->blobs, digest);
}

static void add_string(struct buf *b, const char *s, bool first) {
    if (!first)
        buf_add_char(b, ',');
    json_write_string(b, s);
}

static void add_docker_entry(struct saver *v, const struct image_record *r, const struct strs *names) {
    buf_add_str(&v->docker, v->docker.size ? "," : "[");
    buf_printf(&v->docker, "{\"Config\":\"" DIR_BLOBS "/%s\",\"RepoTags\":", digest_hex(r->config.digest));
    buf_add_str(&v->docker, names->n ? "[" : "null");
    for (size_t i = 0; i < names->n; i++)
        add_string(&v->docker, names->v[i], i == 0);
    buf_add_str(&v->docker, names->n ? "],\"Layers\":[" : ",\"Layers\":[");
    for (size_t i = 0; i < r->blobs.n; i++)
        buf_printf(&v->docker, "%s\"" DIR_BLOBS "/%s\"", i ? "," : "", digest_hex(r->blobs.v[i]));
    buf_add_str(&v->docker, "]}");
}

static void add_index_entry(struct saver *v, const struct image_record *r, const char *name, const char *familiar) {
    struct descriptor *d = LIST_ADD(v->arena, struct descriptor, &v->manifests);

    *d = r->view ? *r->view : r->manifest;
    d->annotations = (struct map){NULL, 0};
    d->platform = arena_memdup(v->arena, &r->platform, sizeof(r->platform));
    if (name) {
        map_set(v->arena, &d->annotations, "io.containerd.image.name", name);
        map_set(v->arena, &d->annotations, "org.opencontainers.image.ref.name", familiar);
    }
}

/* One image with all of the names that were asked for. */
struct saved {
    struct image_record record;
    struct strs names, familiar;
};

static int add_image(struct list *images, struct saver *v, const char *text, const char *platform, struct error *e) {
    struct image_record record;
    struct saved *found = NULL;
    struct reference ref;
    struct image image;
    int r = image_resolve(v->store, text, platform, v->arena, &image, e);

    if (r >= 0)
        r = record_find(v->store, text, v->arena, &record, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < images->n; i++)
        if (strcmp(LIST_AT(struct saved, images, i)->record.manifest.digest, record.manifest.digest) == 0)
            found = LIST_AT(struct saved, images, i);
    if (!found) {
        found = LIST_ADD(v->arena, struct saved, images);
        found->record = record;
    }
    if (record.name && reference_parse(record.name, v->arena, &ref, NULL) == 0 && ref.tag &&
        !strs_has(&found->names, record.name)) {
        strs_add(v->arena, &found->names, record.name);
        strs_add(v->arena, &found->familiar, reference_familiar(&ref, v->arena));
    }
    return 0;
}

static void plan_image(struct saver *v, const struct saved *image) {
    const struct image_record *r = &image->record;

    add_blob(v, r->view ? r->view->digest : r->manifest.digest);
    add_blob(v, r->config.digest);
    for (size_t i = 0; i < r->blobs.n; i++)
        add_blob(v, r->blobs.v[i]);
    add_docker_entry(v, r, &image->familiar);
    for (size_t i = 0; i < image->names.n; i++)
        add_index_entry(v, r, image->names.v[i], image->familiar.v[i]);
    if (image->names.n == 0)
        add_index_entry(v, r, NULL, NULL);
}

static int write_blob(struct saver *v, const char *digest, struct error *e) {
    char path[STORE_PATH_MAX], hash[HASH_TEXT] = "unknown";
    uint64_t size;
    _cleanup_fd_ int fd = blob_open(v->store, digest, &size);
    int r;

    if (fd < 0) {
        error_errno(e, fd, "open blob %s", digest);
        return error_hint(e, "tare system check --repair, or pull the image again");
    }
    blob_path(digest, path);
    r = tar_write_file(&v->tar, path, fd, size, e);
    if (r == 0 && (blob_hash_fd(fd, hash) < 0 || strcmp(hash, digest) != 0)) { /* from the page cache now */
        r = error_set(e, -EBADMSG, "blob %s is damaged: its content has digest %s", digest, hash);
        error_hint(e, "tare system check --repair, then pull the image again");
    }
    return r;
}

static int write_documents(struct saver *v, struct error *e) {
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    struct image_index index = {.schema_version = 2, .media_type = MEDIA_OCI_INDEX, .manifests = v->manifests};
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    json_encode(&image_index_table, &index, 0, &text);
    buf_add_char(&v->docker, ']');
    r = tar_write_data(&v->tar, "index.json", buf_text(&text), text.size, e);
    if (r == 0)
        r = tar_write_data(&v->tar, "manifest.json", buf_text(&v->docker), v->docker.size, e);
    return r < 0 ? r : tar_write_data(&v->tar, "oci-layout", layout, strlen(layout), e);
}

int image_save(struct image_store *s, const struct strs *names, const char *platform, int fd, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct saver v = {.store = s, .tar = {.fd = fd}, .arena = &a};
    struct list images = {NULL, 0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < names->n; i++)
        r = add_image(&images, &v, names->v[i], platform, e);
    for (size_t i = 0; r == 0 && i < images.n; i++)
        plan_image(&v, LIST_AT(struct saved, &images, i));
    if (r == 0)
        r = tar_write_dir(&v.tar, "blobs", e);
    if (r == 0)
        r = tar_write_dir(&v.tar, DIR_BLOBS, e);
    for (size_t i = 0; r == 0 && i < v.blobs.n; i++)
        r = write_blob(&v, v.blobs.v[i], e);
    if (r == 0)
        r = write_documents(&v, e);
    if (r == 0)
        r = tar_write_end(&v.tar, e);
    buf_release(&v.docker);
    if (r < 0)
        return error_wrap(e, r, "save");
    for (size_t i = 0; i < images.n; i++) {
        const char *id = LIST_AT(struct saved, &images, i)->record.config.digest;

        event_tell(s->run_root, "image", "save", id, "name", id, (char *)NULL);
    }
    return 0;
}

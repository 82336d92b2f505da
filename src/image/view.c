/* index.json: the store as other tools see it, an OCI image layout. A view of refs/ and images/, never read by tare itself. */
#include <string.h>

#include "base/lock.h"
#include "image/store_internal.h"

#define ANNOTATION_NAME       "org.opencontainers.image.ref.name"
#define ANNOTATION_CONTAINERD "io.containerd.image.name"

int view_derive(struct image_store *s, const char *manifest_type, const struct image_manifest *m, struct arena *a,
                struct descriptor **ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct image_manifest oci = *m;
    char digest[HASH_TEXT];
    int r;

    *ret = NULL;
    if (!manifest_type || strcmp(manifest_type, MEDIA_DOCKER_MANIFEST) != 0)
        return 0;
    oci.media_type = MEDIA_OCI_MANIFEST;
    oci.config.media_type = media_type_to_oci(m->config.media_type ? m->config.media_type : MEDIA_DOCKER_CONFIG);
    oci.layers.v = arena_memdup(a, m->layers.v, sizeof(struct descriptor) * m->layers.n);
    for (size_t i = 0; i < oci.layers.n; i++) {
        struct descriptor *d = LIST_AT(struct descriptor, &oci.layers, i);

        d->media_type = media_type_to_oci(d->media_type ? d->media_type : MEDIA_DOCKER_LAYER_GZIP);
    }
    json_encode(&image_manifest_table, &oci, 0, &b);
    r = blob_write(s, buf_text(&b), b.size, digest, e);
    if (r < 0)
        return r;
    *ret = arena_new(a, struct descriptor);
    **ret = (struct descriptor){.media_type = MEDIA_OCI_MANIFEST, .digest = arena_strdup(a, digest), .size = b.size};
    return 0;
}

static void add_entry(struct arena *a, struct list *manifests, const struct image_record *r) {
    struct descriptor *d = LIST_ADD(a, struct descriptor, manifests);

    *d = r->view ? *r->view : r->manifest;
    d->annotations = (struct map){NULL, 0};
    d->platform = arena_memdup(a, &r->platform, sizeof(r->platform));
    if (r->name) {
        map_set(a, &d->annotations, ANNOTATION_NAME, r->name);
        map_set(a, &d->annotations, ANNOTATION_CONTAINERD, r->name);
    }
}

static int compare_names(const void *a, const void *b) {
    const struct image_record *x = a, *y = b;

    return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

/* Names first; images that have none are listed by digest alone. */
static int collect(struct image_store *s, struct arena *a, struct list *manifests, struct error *e) {
    struct strs named = {NULL, 0};
    struct list records;
    int r = record_read_all(s, DIR_REFS, a, &records, e);

    if (r < 0)
        return r;
    if (records.n)
        qsort(records.v, records.n, sizeof(struct image_record), compare_names);
    for (size_t i = 0; i < records.n; i++) {
        const struct image_record *record = LIST_AT(struct image_record, &records, i);

        strs_add(a, &named, record->config.digest);
        if (record->name && !strchr(record->name, '@'))
            add_entry(a, manifests, record);
    }
    r = record_read_all(s, DIR_IMAGES, a, &records, e);
    for (size_t i = 0; r == 0 && i < records.n; i++)
        if (!strs_has(&named, LIST_AT(struct image_record, &records, i)->config.digest))
            add_entry(a, manifests, LIST_AT(struct image_record, &records, i));
    return r;
}

int view_write(struct image_store *s, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf b = BUF_INIT;
    _cleanup_fd_ int lock = lock_wait(s->root, LOCK_INDEX, true, e);
    struct image_index index = {.schema_version = 2, .media_type = MEDIA_OCI_INDEX};
    int r = lock < 0 ? lock : collect(s, &a, &index.manifests, e);

    if (r == 0) {
        json_encode(&image_index_table, &index, 0, &b);
        r = fs_publish_at(s->root, "index.json", buf_text(&b), b.size, 0644, FS_NO_SYNC, e);
    }
    return r < 0 ? error_wrap(e, r, "write index.json") : 0;
}

/* load: archives that hold images. Two forms: an OCI layout (as `docker save` has written since 25, skopeo, buildah), and Docker's
 * older one with manifest.json and a tar for each layer. Where both are there, the layout wins: it carries the manifests' own
 * bytes. */
#include <fcntl.h>
#include <string.h>

#include "base/sha256.h"
#include "image/store_internal.h"
#include "model/platform.h"

struct archive_item {
    const char *config;
    struct strs repo_tags, layers;
};
struct archive_list {
    struct list items; /* of struct archive_item */
};
static const struct json_field item_fields[] = {
    JSON_FIELD(struct archive_item, config, "Config", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct archive_item, repo_tags, "RepoTags", JSON_STRS, 0),
    JSON_FIELD(struct archive_item, layers, "Layers", JSON_STRS, 0),
    JSON_END,
};
static const struct json_table item_table = JSON_TABLE("image", struct archive_item, item_fields);
static const struct json_field list_fields[] = {
    JSON_FIELD_OF(struct archive_list, items, "items", JSON_OBJS, JSON_REQUIRED, &item_table),
    JSON_END,
};
static const struct json_table list_table = JSON_TABLE("manifest.json", struct archive_list, list_fields);

#define LOAD_IMAGES_MAX 1000

struct loader {
    struct image_store *store;
    int dir;                         /* the unpacked archive */
    const struct platform *platform; /* NULL = any, for indexes the host's */
    const struct image_progress *progress;
    struct arena *arena;
    struct strs *loaded;
};

/* Files of the archive. Links are followed, but only inside: older archives share layers by links. */
static int open_staged(struct loader *l, const char *path, struct error *e) {
    _cleanup_fd_ int fd = fs_open_in_root(l->dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct stat st;

    if (fd < 0)
        return error_errno(e, fd, "the archive's file %.200s", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(e, -EINVAL, "the archive's file %.200s is no regular file", path);
    return TAKE_FD(fd);
}

static int read_staged(struct loader *l, const char *path, size_t max, struct buf *ret, struct error *e) {
    _cleanup_fd_ int fd = open_staged(l, path, e);
    int r = fd < 0 ? fd : fs_read_fd(fd, max, ret, e);

    return fd >= 0 && r < 0 ? error_wrap(e, r, "the archive's file %.200s", path) : r;
}

/* A document of the layout: read, compared with its digest, stored. */
static int take_document(struct loader *l, const char *digest, size_t max, struct buf *ret, struct error *e) {
    char path[STORE_PATH_MAX], found[HASH_TEXT];
    int r;

    if (!digest_is_sha256(digest))
        return error_set(e, -ENOTSUP, "%.200s: only sha256 digests are supported", digest);
    blob_path(digest, path); /* the archive has the layout of the store */
    r = read_staged(l, path, max, ret, e);
    if (r < 0)
        return r;
    r = blob_write(l->store, buf_text(ret), ret->size, found, e);
    if (r == 0 && strcmp(found, digest) != 0)
        r = error_set(e, -EBADMSG, "the archive's file %s has digest %s", path, found);
    return r;
}

static void add_name(struct loader *l, const char *text, struct strs *names) {
    struct reference ref;

    if (text && text[0] && reference_parse(text, l->arena, &ref, NULL) == 0 && ref.tag)
        strs_add(l->arena, names, reference_key(&ref, l->arena));
}

static void note_loaded(struct loader *l, const struct image *image, const struct strs *names) {
    struct reference ref;

    for (size_t i = 0; i < names->n; i++)
        if (reference_parse(names->v[i], l->arena, &ref, NULL) == 0)
            strs_add(l->arena, l->loaded, reference_familiar(&ref, l->arena));
    if (names->n == 0)
        strs_add(l->arena, l->loaded, image->id);
}

static void close_files(struct layer_task *tasks, size_t n) {
    for (size_t i = 0; i < n; i++)
        tasks[i].file = fd_close(tasks[i].file);
}

static bool is_wanted(struct loader *l, const struct image_config *config) {
    const struct platform have = {.os = config->os, .architecture = config->architecture, .variant = config->variant};

    return !l->platform || platform_match(l->platform, &have) > 0;
}

/* --- OCI layouts ------------------------------------------------------------------------------------------------------------- */

static int load_manifest(struct loader *l, const struct descriptor *d, const char *text, size_t n, const struct strs *names,
                         struct error *e) {
    _cleanup_buf_ struct buf config_text = BUF_INIT;
    struct image_commit c = {.manifest_digest = d->digest,
                             .manifest_type = d->media_type,
                             .names = *names,
                             .progress = l->progress,
                             .event.action = "load"};
    struct image_manifest m;
    struct image_config config;
    struct layer_task *tasks;
    struct image image;
    int r = image_manifest_decode(text, n, l->arena, &m, e);

    if (r >= 0)
        r = take_document(l, m.config.digest, IMAGE_CONFIG_MAX, &config_text, e);
    if (r >= 0)
        r = image_config_decode(buf_text(&config_text), config_text.size, l->arena, &config, e);
    if (r < 0 || !is_wanted(l, &config))
        return r;
    if (config.rootfs.diff_ids.n != m.layers.n)
        return error_set(e, -EINVAL, "the manifest has %zu layers, but the configuration %zu", m.layers.n,
                         config.rootfs.diff_ids.n);
    tasks = arena_array(l->arena, struct layer_task, m.layers.n + 1);
    for (size_t i = 0; i < m.layers.n; i++) {
        char path[STORE_PATH_MAX];

        tasks[i] = (struct layer_task){
            .blob = *LIST_AT(struct descriptor, &m.layers, i), .diff_id = config.rootfs.diff_ids.v[i], .file = -1};
        r = layer_compression_of(tasks[i].blob.media_type, e);
        if (r < 0)
            break;
        blob_path(tasks[i].blob.digest, path);
        tasks[i].file = open_staged(l, path, NULL); /* absent: the store may have it */
        tasks[i].file = MAX_OF(tasks[i].file, -1);
    }
    if (r >= 0)
        r = layers_ingest(l->store, tasks, m.layers.n, NULL, l->progress, l->arena, e);
    if (r == 0)
        r = commit_image(l->store, &c, &m, arena_strndup(l->arena, buf_text(&config_text), config_text.size), tasks, l->arena,
                         &image, e);
    close_files(tasks, m.layers.n);
    if (r == 0)
        note_loaded(l, &image, names);
    return r;
}

static int load_descriptor(struct loader *l, const struct descriptor *d, const struct strs *names, unsigned depth,
                           struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    const struct descriptor *chosen = NULL;
    struct image_index index;
    int r, kind;

    if (depth > IMAGE_INDEX_DEPTH_MAX)
        return error_set(e, -ELOOP, "indexes are nested deeper than %d", IMAGE_INDEX_DEPTH_MAX);
    if (map_get(&d->annotations, "vnd.docker.reference.type"))
        return 0; /* an attestation */
    r = take_document(l, d->digest, IMAGE_MANIFEST_MAX, &b, e);
    if (r < 0)
        return r;
    kind = image_document_kind(buf_text(&b), b.size, d->media_type, e);
    if (kind < 0)
        return error_wrap(e, kind, "%s", d->digest);
    if (kind == IMAGE_DOCUMENT_MANIFEST)
        return load_manifest(l, d, buf_text(&b), b.size, names, e);
    r = image_index_decode(buf_text(&b), b.size, l->arena, &index, e);
    if (r >= 0)
        r = platform_choose(&index, l->platform, &chosen, e);
    return r < 0 ? error_wrap(e, r, "%s", d->digest) : load_descriptor(l, chosen, names, depth + 1, e);
}

static int load_layout(struct loader *l, const char *text, size_t n, struct error *e) {
    struct image_index index;
    int r = image_index_decode(text, n, l->arena, &index, e);

    if (r == 0 && index.manifests.n > LOAD_IMAGES_MAX)
        r = error_set(e, -E2BIG, "the archive has more than %d images", LOAD_IMAGES_MAX);
    for (size_t i = 0; r == 0 && i < index.manifests.n; i++) {
        const struct descriptor *d = LIST_AT(struct descriptor, &index.manifests, i);
        const char *full = map_get(&d->annotations, "io.containerd.image.name");
        const char *short_name = map_get(&d->annotations, "org.opencontainers.image.ref.name");
        struct strs names = {NULL, 0};

        if (full)
            add_name(l, full, &names);
        else if (short_name && strpbrk(short_name, ":/")) /* a bare word there is a tag without a repository */
            add_name(l, short_name, &names);
        r = load_descriptor(l, d, &names, 1, e);
    }
    return r;
}

/* --- Docker's older archives ---------------------------------------------------------------------------------------------------
 */

/* Such an archive has no manifest in the registry's sense: one is written over what was found. */
static int write_manifest(struct loader *l, const char *config_digest, size_t config_size, const struct layer_task *tasks, size_t n,
                          struct image_manifest *ret, const char **ret_digest, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    char digest[HASH_TEXT];
    int r;

    *ret = (struct image_manifest){.schema_version = 2,
                                   .media_type = MEDIA_OCI_MANIFEST,
                                   .config = {.media_type = MEDIA_OCI_CONFIG, .digest = config_digest, .size = config_size}};
    for (size_t i = 0; i < n; i++) {
        struct descriptor *d = LIST_ADD(l->arena, struct descriptor, &ret->layers);

        *d = tasks[i].blob;
        if (!d->media_type)
            return error_set(e, -ENOTSUP, "layer %zu is compressed in a way that images may not use", i + 1);
    }
    json_encode(&image_manifest_table, ret, 0, &b);
    r = blob_write(l->store, buf_text(&b), b.size, digest, e);
    *ret_digest = arena_strdup(l->arena, digest);
    return r;
}

static int load_item_layers(struct loader *l, const struct archive_item *item, const struct image_config *config,
                            struct layer_task *tasks, struct error *e) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < item->layers.n; i++) {
        struct stat st;

        tasks[i].diff_id = config->rootfs.diff_ids.v[i];
        tasks[i].file = open_staged(l, item->layers.v[i], e);
        if (tasks[i].file < 0)
            return tasks[i].file;
        if (fstat(tasks[i].file, &st) == 0)
            tasks[i].blob.size = (uint64_t)st.st_size;
    }
    return layers_ingest(l->store, tasks, item->layers.n, NULL, l->progress, l->arena, e);
}

static int load_item(struct loader *l, const struct archive_item *item, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct image_commit c = {.manifest_type = MEDIA_OCI_MANIFEST, .progress = l->progress, .event.action = "load"};
    struct layer_task *tasks = arena_array(l->arena, struct layer_task, item->layers.n + 1);
    char config_digest[HASH_TEXT];
    struct image_config config;
    struct image_manifest m;
    struct image image;
    int r;

    for (size_t i = 0; i < item->repo_tags.n; i++)
        add_name(l, item->repo_tags.v[i], &c.names);
    r = read_staged(l, item->config, IMAGE_CONFIG_MAX, &text, e);
    if (r >= 0)
        r = image_config_decode(buf_text(&text), text.size, l->arena, &config, e);
    if (r < 0)
        return error_wrap(e, r, "%.200s", item->config);
    if (!is_wanted(l, &config))
        return 0;
    if (config.rootfs.diff_ids.n != item->layers.n || item->layers.n > IMAGE_LAYERS_MAX)
        return error_set(e, -EINVAL, "the archive has %zu layers, but the configuration %zu", item->layers.n,
                         config.rootfs.diff_ids.n);
    for (size_t i = 0; i < item->layers.n; i++)
        tasks[i].file = -1;
    r = blob_write(l->store, buf_text(&text), text.size, config_digest, e);
    if (r == 0)
        r = load_item_layers(l, item, &config, tasks, e);
    if (r == 0)
        r = write_manifest(l, arena_strdup(l->arena, config_digest), text.size, tasks, item->layers.n, &m, &c.manifest_digest, e);
    if (r == 0)
        r = commit_image(l->store, &c, &m, arena_strndup(l->arena, buf_text(&text), text.size), tasks, l->arena, &image, e);
    close_files(tasks, item->layers.n);
    if (r == 0)
        note_loaded(l, &image, &c.names);
    return r;
}

static int load_docker(struct loader *l, const char *text, struct error *e) {
    const char *wrapped = arena_printf(l->arena, "{\"items\":%s}", text); /* the document is a bare list */
    struct archive_list list;
    int r = json_decode(&list_table, wrapped, strlen(wrapped), l->arena, &list, e);

    if (r == 0 && list.items.n > LOAD_IMAGES_MAX)
        r = error_set(e, -E2BIG, "the archive has more than %d images", LOAD_IMAGES_MAX);
    for (size_t i = 0; r == 0 && i < list.items.n; i++)
        r = load_item(l, LIST_AT(struct archive_item, &list.items, i), e);
    return r;
}

/* ------------------------------------------------------------------------------------------------------------------------------ */

static bool has_file(struct loader *l, const char *name) {
    struct stat st;

    return fstatat(l->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int load_staged(struct loader *l, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    bool layout = has_file(l, "oci-layout") && has_file(l, "index.json");
    int r;

    if (!layout && !has_file(l, "manifest.json")) {
        error_set(e, -EINVAL, "the archive holds no image: it has neither manifest.json nor an OCI index.json");
        return error_hint(e, "a root file system goes in by import");
    }
    r = read_staged(l, layout ? "index.json" : "manifest.json", IMAGE_MANIFEST_MAX, &b, e);
    if (r == 0)
        r = layout ? load_layout(l, buf_text(&b), b.size, e) : load_docker(l, buf_text(&b), e);
    return r;
}

int image_load(struct image_store *s, int fd, const char *platform, const struct image_progress *progress, struct arena *a,
               struct strs *ret, struct error *e) {
    struct loader l = {.store = s, .dir = -1, .progress = progress, .arena = a, .loaded = ret};
    char scratch[STORE_PATH_MAX];
    _cleanup_fd_ int lock = -1, dir = -1;
    struct platform want;
    int r = platform ? platform_parse(platform, a, &want, e) : 0;

    if (r < 0)
        return r;
    l.platform = platform ? &want : NULL;
    *ret = (struct strs){NULL, 0};
    lock = store_scratch(s, scratch, e);
    if (lock < 0)
        return lock;
    dir = fs_open_dir(s->root, scratch, e);
    r = dir < 0 ? dir : mkdirat(dir, "archive", 0700) < 0 ? error_errno(e, -errno, "create %s/archive", scratch) : 0;
    if (r == 0)
        r = l.dir = fs_open_dir(dir, "archive", e);
    if (r >= 0)
        r = archive_extract(s, fd, l.dir, e);
    if (r == 0)
        r = load_staged(&l, e);
    if (r == 0 && ret->n == 0 && platform)
        r = error_set(e, -ENOENT, "the archive has no image for %s", platform);
    (void)fd_close(l.dir);
    lock = fd_close(lock);
    store_empty_trash(s);
    return r;
}

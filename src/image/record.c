/* Records: what a name, or an id, stands for. One file each, read whole by `run`. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "image/store_internal.h"

static const struct json_field record_fields[] = {
    JSON_FIELD(struct image_record, version, "version", JSON_U32, JSON_REQUIRED),
    JSON_FIELD(struct image_record, name, "name", JSON_STR, JSON_OMIT),
    JSON_FIELD_OF(struct image_record, manifest, "manifest", JSON_OBJ, JSON_REQUIRED, &descriptor_table),
    JSON_FIELD_OF(struct image_record, view, "view", JSON_OBJ_PTR, JSON_OMIT, &descriptor_table),
    JSON_FIELD_OF(struct image_record, config, "config", JSON_OBJ, JSON_REQUIRED, &descriptor_table),
    JSON_FIELD(struct image_record, blobs, "blobs", JSON_STRS, 0),
    JSON_FIELD(struct image_record, layers, "layers", JSON_STRS, 0),
    JSON_FIELD(struct image_record, size, "size", JSON_U64, 0),
    JSON_FIELD_OF(struct image_record, platform, "platform", JSON_OBJ, 0, &platform_table),
    JSON_FIELD(struct image_record, created, "created", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct image_record, tagged, "tagged", JSON_STR, JSON_OMIT),
    JSON_END,
};

static int record_check(const void *object, struct error *e) {
    const struct image_record *r = object;

    if (r->version > RECORD_VERSION)
        return error_set(e, -EPROTONOSUPPORT, "it was written by a newer tare (format %u)", r->version);
    for (size_t i = 0; i < r->layers.n; i++) /* they become paths */
        if (strspn(r->layers.v[i], "0123456789abcdefs") != strlen(r->layers.v[i]) || !r->layers.v[i][0])
            return error_set(e, -EINVAL, "layers[%zu]: invalid key", i);
    return 0;
}

static const struct json_table record_table = {
    .name = "image record", .size = sizeof(struct image_record), .fields = record_fields, .check = record_check};

/* '/' cannot be in a file's name and '%' not in a reference. A name that is too long for a file goes by its digest. */
void record_ref_path(const char *name, char ret[STORE_PATH_MAX]) {
    char *at = ret + snprintf(ret, STORE_PATH_MAX, DIR_REFS "/");
    char digest[HASH_TEXT];

    if (strlen(name) > NAME_MAX) {
        sha256_digest(name, strlen(name), digest);
        (void)snprintf(at, HASH_TEXT, "%%%s", digest_hex(digest));
        return;
    }
    for (; *name; name++)
        *at++ = *name == '/' ? '%' : *name;
    *at = '\0';
}

void record_image_path(const char *id, char ret[STORE_PATH_MAX]) {
    (void)snprintf(ret, STORE_PATH_MAX, DIR_IMAGES "/%.64s", digest_hex(id));
}

int record_read(struct image_store *s, const char *path, struct arena *a, struct image_record *ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    int r;

    if (faccessat(s->root, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        return -ENOENT;
    r = fs_read_at(s->root, path, RECORD_MAX, &b, e);
    if (r == 0)
        r = json_decode(&record_table, buf_text(&b), b.size, a, ret, e);
    if (r < 0 && r != -ENOENT) {
        error_wrap(e, r, "%s/%s", s->root_path, path);
        error_hint(e, "tare system check --repair");
    }
    return r;
}

int record_write(struct image_store *s, const char *path, const struct image_record *r, enum fs_sync sync, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    _cleanup_fd_ int dir = -1;
    char parent[STORE_PATH_MAX];
    const char *slash = strchr(path, '/');
    int code;

    json_encode(&record_table, r, 0, &b);
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    dir = fs_open_dir(s->root, parent, e);
    code = dir < 0 ? dir : fs_publish_at(dir, slash + 1, buf_text(&b), b.size, 0644, sync, e);
    return code < 0 ? error_wrap(e, code, "write the image's record") : 0;
}

struct reader {
    struct image_store *store;
    const char *dir;
    struct arena *arena;
    struct list *list;
};

static int read_one(int dirfd, const char *name, void *arg, struct error *e) {
    _cleanup_error_ struct error own = ERROR_INIT;
    struct reader *reader = arg;
    struct image_record record, *item;
    char path[STORE_PATH_MAX];
    int r;

    (void)dirfd;
    (void)e;
    if (name[0] == '.')
        return 0; /* being written */
    (void)snprintf(path, sizeof(path), "%s/%.255s", reader->dir, name);
    r = record_read(reader->store, path, reader->arena, &record, &own);
    if (r < 0) {
        if (r == -ENOENT)
            return 0;
        log_warn("%s", own.text ? own.text : path);
        reader->store->unreadable++;
        return 0;
    }
    item = LIST_ADD(reader->arena, struct image_record, reader->list);
    *item = record;
    return 0;
}

int record_read_all(struct image_store *s, const char *dir, struct arena *a, struct list *ret, struct error *e) {
    struct reader reader = {s, dir, a, ret};

    s->unreadable = 0;
    *ret = (struct list){NULL, 0};
    return fs_each(s->root, dir, read_one, &reader, e);
}

/* Unpacked layers on the disk: layers/KEY, what KEY.json says of it, and the mark KEY.unsynced. */
#include <fcntl.h>
#include <string.h>

#include "base/sha256.h"
#include "image/store_internal.h"

static const struct json_field layer_fields[] = {
    JSON_FIELD(struct layer_info, version, "version", JSON_U32, JSON_REQUIRED),
    JSON_FIELD(struct layer_info, chain_id, "chainId", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct layer_info, diff_id, "diffId", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct layer_info, size, "size", JSON_U64, 0),
    JSON_FIELD(struct layer_info, inodes, "inodes", JSON_U64, 0),
    JSON_FIELD(struct layer_info, opaque_root, "opaqueRoot", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct layer_info, owners, "owners", JSON_STR, JSON_OMIT),
    JSON_END,
};
static const struct json_table layer_table = JSON_TABLE("layer", struct layer_info, layer_fields);

void layer_chain_id(const char *parent, const char *diff_id, char ret[72]) {
    char text[2 * HASH_TEXT];
    int n;

    if (!parent) {
        (void)snprintf(ret, HASH_TEXT, "%.71s", diff_id);
        return;
    }
    n = snprintf(text, sizeof(text), "%.71s %.71s", parent, diff_id);
    sha256_digest(text, (size_t)n, ret);
}

const char *layer_owners_text(const struct id_shift *owners, struct arena *a) {
    const struct id_map *u = &owners->uids, *g = &owners->gids;

    return arena_printf(a, "%u+%u:%u:%u:%u %u+%u:%u:%u:%u", u->start, u->size, u->keeps, u->kept, u->other, g->start, g->size,
                        g->keeps, g->kept, g->other);
}

void layer_key(struct image_store *s, const char *chain_id, const struct id_shift *owners, char ret[LAYER_KEY_MAX]) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char digest[HASH_TEXT];

    if (owners && id_shift_is_any(owners)) {
        const char *text = arena_printf(&a, "%s %s", chain_id, layer_owners_text(owners, &a));

        sha256_digest(text, strlen(text), digest);
        chain_id = digest;
    }
    (void)snprintf(ret, LAYER_KEY_MAX, "%.*s%s", LAYER_KEY_DIGITS, digest_hex(chain_id), s->one_owner ? "s" : "");
}

static void layer_path(const char *key, const char *suffix, char ret[STORE_PATH_MAX]) {
    (void)snprintf(ret, STORE_PATH_MAX, DIR_LAYERS "/%s%s", key, suffix);
}

/* A layer that was unpacked in this boot is whole even if nobody synced it; of an earlier boot, a power cut may have torn it. Names
 * appear only after the sync, though, so a layer that a record refers to is whole in any case. */
static bool is_torn(struct image_store *s, const char *key) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf b = BUF_INIT;
    char path[STORE_PATH_MAX];
    struct list records;

    layer_path(key, ".unsynced", path);
    if (faccessat(s->root, path, F_OK, 0) < 0)
        return false;
    if (fs_read_at(s->root, path, 128, &b, NULL) == 0 && strcmp(buf_text(&b), boot_id()) == 0)
        return false;
    if (record_read_all(s, DIR_IMAGES, &a, &records, NULL) < 0)
        return true;
    for (size_t i = 0; i < records.n; i++)
        if (strs_has(&LIST_AT(struct image_record, &records, i)->layers, key))
            return false;
    return true;
}

int layer_read_info(struct image_store *s, const char *key, const char *chain_id, struct arena *a, struct layer_info *ret,
                    struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    char path[STORE_PATH_MAX];
    struct stat st;
    int r;

    layer_path(key, "", path);
    if (fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -ENOENT;
    layer_path(key, ".json", path);
    if (faccessat(s->root, path, F_OK, 0) < 0 || fs_read_at(s->root, path, RECORD_MAX, &b, NULL) < 0 ||
        json_decode(&layer_table, buf_text(&b), b.size, a, ret, NULL) < 0 || is_torn(s, key))
        return -ENOENT;
    r = chain_id && strcmp(ret->chain_id, chain_id) != 0 ? -EEXIST : 0;
    return r < 0 ? error_set(e, r, "layers %s and %s have the same short key", ret->chain_id, chain_id) : 0;
}

int layer_store_info(struct image_store *s, const char *key, const struct layer_info *info, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    _cleanup_fd_ int dir = fs_open_dir(s->root, DIR_LAYERS, e);
    char name[LAYER_KEY_MAX + 16];
    int r = dir < 0 ? dir : 0;

    (void)snprintf(name, sizeof(name), "%s.unsynced", key);
    if (r == 0)
        r = fs_publish_at(dir, name, boot_id(), strlen(boot_id()), 0600, FS_NO_SYNC, e);
    json_encode(&layer_table, info, 0, &b);
    (void)snprintf(name, sizeof(name), "%s.json", key);
    if (r == 0)
        r = fs_publish_at(dir, name, buf_text(&b), b.size, 0644, FS_NO_SYNC, e);
    return r;
}

void layer_mark_synced(struct image_store *s, const char *key) {
    char path[STORE_PATH_MAX];

    layer_path(key, ".unsynced", path);
    (void)unlinkat(s->root, path, 0);
}

/* The description first: without it the directory counts as not there. */
int layer_trash(struct image_store *s, const char *key, struct error *e) {
    static const char *const suffixes[] = {".json", ".unsynced", ""};
    char path[STORE_PATH_MAX];
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(suffixes); i++) {
        layer_path(key, suffixes[i], path);
        r = suffixes[i][0] ? fs_unlink_at(s->root, path, e) : store_trash(s, path, e);
    }
    return r;
}

/* Garbage: blobs and layers that no record and no commit on its way refers to. Renamed into the trash under the store's exclusive
 * lock, unlinked after it was given up. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "image/store_internal.h"

/* What is not known to be synced was written a moment ago by a commit that is about to refer to it (the small documents of a pull
 * are stored before anything is pinned). */
#define FRESH_NS (3600 * NS_PER_SEC)
#define PIN_MAX  4096

struct sweep {
    struct image_store *store;
    struct arena arena;
    bool thorough;
    struct strs live;   /* hexadecimal digests and layer keys; sorted */
    struct strs copies; /* owners that copies of layers have for containers */
    uint64_t freed;
};

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_live(const struct sweep *w, const char *name) {
    return w->live.n && bsearch(&name, w->live.v, w->live.n, sizeof(*w->live.v), compare_strings);
}

static void add_record(struct sweep *w, const struct image_record *r) {
    strs_add(&w->arena, &w->live, digest_hex(r->manifest.digest));
    strs_add(&w->arena, &w->live, digest_hex(r->config.digest));
    if (r->view)
        strs_add(&w->arena, &w->live, digest_hex(r->view->digest));
    for (size_t i = 0; i < r->blobs.n; i++)
        if (digest_is_sha256(r->blobs.v[i]))
            strs_add(&w->arena, &w->live, digest_hex(r->blobs.v[i]));
    for (size_t i = 0; i < r->layers.n; i++)
        strs_add(&w->arena, &w->live, r->layers.v[i]);
}

static int find_pinned(int dirfd, const char *name, void *arg, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    char path[STORE_PATH_MAX], *rest;
    struct sweep *w = arg;

    (void)e;
    if (name[0] == '.' || fs_read_at(dirfd, name, PIN_MAX, &b, NULL) < 0)
        return 0;
    rest = arena_strdup(&w->arena, buf_text(&b));
    for (char *id = strtok_r(rest, "\n", &rest); id; id = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(id, PIN_COPIES, strlen(PIN_COPIES)) == 0)
            strs_add(&w->arena, &w->copies, id + strlen(PIN_COPIES));
        if (!digest_is_sha256(id))
            continue;
        record_image_path(id, path);
        w->store->unreadable += faccessat(w->store->root, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    }
    return 0;
}

/* -EUCLEAN: a record cannot be read, so nobody knows what it needs: then nothing is garbage. */
static int find_live(struct sweep *w, struct error *e) {
    static const char *const dirs[] = {DIR_REFS, DIR_IMAGES};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        struct list records;
        int r = record_read_all(w->store, dirs[i], &w->arena, &records, e);

        if (r < 0)
            return r;
        if (r == 0 && i == 0)
            r = fs_each(w->store->root, DIR_PINS, find_pinned, w, e); /* a container's image whose record was torn and set aside */
        if (r < 0)
            return r;
        if (w->store->unreadable)
            return -EUCLEAN;
        for (size_t k = 0; k < records.n; k++)
            add_record(w, LIST_AT(struct image_record, &records, k));
    }
    return ingest_pins_read(w->store, &w->arena, &w->live, e);
}

static int sweep_blob(int dirfd, const char *name, void *arg, struct error *e) {
    struct sweep *w = arg;
    char path[STORE_PATH_MAX];
    struct stat st;

    if (is_live(w, name) || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if ((st.st_mode & 0200) && clock_is_recent(st.st_mtim, FRESH_NS))
        return 0;
    (void)snprintf(path, sizeof(path), DIR_BLOBS "/%.255s", name);
    w->freed += (uint64_t)st.st_size;
    return store_trash(w->store, path, e);
}

/* A copy with other owners, of a layer that is needed. */
static bool is_live_copy(struct sweep *w, const char *name) {
    char key[LAYER_KEY_MAX];
    struct layer_info info;

    if (layer_read_info(w->store, name, NULL, &w->arena, &info, NULL) < 0 || !info.owners)
        return false;
    layer_key(w->store, info.chain_id, NULL, key);
    return is_live(w, key) && (!w->thorough || strs_has(&w->copies, info.owners));
}

static int sweep_layer(int dirfd, const char *name, void *arg, struct error *e) {
    struct sweep *w = arg;
    char mark[NAME_MAX + 16];
    struct layer_info info;
    struct stat st;

    if (strchr(name, '.') || is_live(w, name) || is_live_copy(w, name)) /* KEY.json goes with KEY; .new-KEY is another command's */
        return 0;
    (void)snprintf(mark, sizeof(mark), "%.255s.unsynced", name);
    if (fstatat(dirfd, mark, &st, AT_SYMLINK_NOFOLLOW) == 0 && clock_is_recent(st.st_mtim, FRESH_NS))
        return 0;
    if (layer_read_info(w->store, name, NULL, &w->arena, &info, NULL) == 0)
        w->freed += info.size;
    return layer_trash(w->store, name, e);
}

int store_collect(struct image_store *s, bool thorough, uint64_t *ret_freed, struct error *e) {
    struct sweep w = {.store = s, .thorough = thorough};
    int r = find_live(&w, e);

    if (r == -EUCLEAN) {
        log_warn(
            "an image's record is missing or cannot be read, so nothing is removed from the disk (tare system check --repair)");
        r = 0;
    } else if (r == 0) {
        if (w.live.n)
            qsort(w.live.v, w.live.n, sizeof(*w.live.v), compare_strings);
        r = fs_each(s->root, DIR_BLOBS, sweep_blob, &w, e);
        if (r == 0)
            r = fs_each(s->root, DIR_LAYERS, sweep_layer, &w, e);
    }
    if (r == 0 && ret_freed)
        *ret_freed = w.freed;
    arena_release(&w.arena);
    return r;
}

/* system check and system df: is all there that the records speak of, and is it what they say? */
#include <fcntl.h>
#include <string.h>

#include "base/id.h"
#include "image/store_internal.h"

struct checker {
    struct image_store *store;
    bool deep, repair;
    struct arena *arena;
    struct list *problems; /* of struct image_problem */
    struct strs seen;      /* digests and keys that were looked at */
    struct list names;     /* of struct image_record: those of refs/ that can be read */
};

static struct image_problem *found(struct checker *c, enum image_problem_kind kind, const char *what, const char *image,
                                   const char *text) {
    struct image_problem *p = LIST_ADD(c->arena, struct image_problem, c->problems);

    *p = (struct image_problem){.kind = kind, .what = what, .image = image, .text = text};
    return p;
}

static bool first_time(struct checker *c, const char *what) {
    if (strs_has(&c->seen, what))
        return false;
    strs_add(c->arena, &c->seen, what);
    return true;
}

/* Out of the way, but not gone: it may be all that somebody has, and a running container may stand on it. */
static bool set_aside(struct checker *c, const char *path) {
    const char *slash = strrchr(path, '/');
    char to[2 * STORE_PATH_MAX], id[ID_LENGTH + 1];

    if (id_new(id) < 0 || (mkdirat(c->store->root, DIR_TORN, 0700) < 0 && errno != EEXIST))
        return false;
    (void)snprintf(to, sizeof(to), DIR_TORN "/%s.%.8s", slash ? slash + 1 : path, id);
    return renameat(c->store->root, path, c->store->root, to) == 0;
}

/* --- blobs -------------------------------------------------------------------------------------------------------------------- */

/* A damaged blob is moved away: an empty place is filled by the next pull, a wrong content would be believed. */
static bool check_blob(struct checker *c, const char *digest, const char *image) {
    _cleanup_fd_ int fd = blob_open(c->store, digest, NULL);
    char hash[HASH_TEXT], path[STORE_PATH_MAX];
    struct image_problem *p;

    if (fd < 0) {
        found(c, IMAGE_PROBLEM_BLOB, digest, image, "missing: pull the image again");
        return false;
    }
    if (!c->deep || (blob_hash_fd(fd, hash) == 0 && strcmp(hash, digest) == 0))
        return true;
    p = found(c, IMAGE_PROBLEM_BLOB, digest, image, arena_printf(c->arena, "damaged: the content has digest %s", hash));
    blob_path(digest, path);
    if (c->repair && set_aside(c, path))
        p->text = arena_printf(c->arena, "%s; set aside in torn/, pull the image again", p->text);
    return false;
}

/* --- layers ------------------------------------------------------------------------------------------------------------------- */

/* Unpacks what is missing once more from the blobs. */
static int unpack_again(struct checker *c, const struct image_record *r, struct error *e) {
    struct layer_task *tasks;
    int code = layer_tasks_again(c->store, r, c->arena, &tasks, e);

    if (code == 0)
        code = layers_ingest(c->store, tasks, r->blobs.n, NULL, NULL, c->arena, e);
    if (code == 0 && syncfs(c->store->root) < 0)
        code = error_errno(e, -errno, "sync");
    for (size_t i = 0; code == 0 && i < r->layers.n; i++)
        layer_mark_synced(c->store, r->layers.v[i]);
    ingest_unpin(c->store);
    return code;
}

static void check_layers(struct checker *c, const struct image_record *r, const char *image) {
    _cleanup_error_ struct error e = ERROR_INIT;
    char path[STORE_PATH_MAX];
    size_t first = c->problems->n;

    for (size_t i = 0; i < r->layers.n; i++) {
        struct layer_info info;

        if (first_time(c, r->layers.v[i]) && layer_read_info(c->store, r->layers.v[i], NULL, c->arena, &info, NULL) < 0)
            found(c, IMAGE_PROBLEM_LAYER, r->layers.v[i], image, "the unpacked layer is missing or incomplete");
    }
    if (c->problems->n == first || !c->repair)
        return;
    for (size_t i = first; i < c->problems->n; i++) { /* what is left of it may be mounted */
        (void)snprintf(path, sizeof(path), DIR_LAYERS "/%.64s", LIST_AT(struct image_problem, c->problems, i)->what);
        (void)set_aside(c, path);
    }
    if (unpack_again(c, r, &e) == 0) {
        for (size_t i = first; i < c->problems->n; i++)
            LIST_AT(struct image_problem, c->problems, i)->repaired = true;
        return;
    }
    for (size_t i = first; i < c->problems->n; i++) {
        struct image_problem *p = LIST_AT(struct image_problem, c->problems, i);

        p->text = arena_printf(c->arena, "%s; it cannot be unpacked again: %s", p->text, e.text ? e.text : "unknown reason");
    }
}

/* --- records ------------------------------------------------------------------------------------------------------------------ */

struct scan {
    struct checker *checker;
    const char *dir;
};

/* A name whose image has no record of its own is in no list, and no container can be made from it. The name's record says it all.
 */
static void check_targets(struct checker *c) {
    for (size_t i = 0; i < c->names.n; i++) {
        struct image_record record = *LIST_AT(struct image_record, &c->names, i);
        struct image_problem *p;
        char path[STORE_PATH_MAX];

        record_image_path(record.config.digest, path);
        if (faccessat(c->store->root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || !first_time(c, arena_strdup(c->arena, path)))
            continue;
        p = found(c, IMAGE_PROBLEM_RECORD, arena_strdup(c->arena, path), record.name, "the image's own record is missing");
        record.name = NULL;
        record.tagged = NULL;
        p->repaired = c->repair && record_write(c->store, path, &record, FS_SYNC, NULL) == 0;
    }
}

static int check_record(int dirfd, const char *name, void *arg, struct error *e) {
    _cleanup_error_ struct error why = ERROR_INIT;
    struct scan *scan = arg;
    struct checker *c = scan->checker;
    char path[STORE_PATH_MAX];
    struct image_record r;
    const char *image;
    int code;

    (void)dirfd;
    (void)e;
    if (name[0] == '.')
        return 0;
    (void)snprintf(path, sizeof(path), "%s/%.255s", scan->dir, name);
    code = record_read(c->store, path, c->arena, &r, &why);
    if (code == -ENOENT)
        return 0;
    if (code < 0) {
        struct image_problem *p = found(c, IMAGE_PROBLEM_RECORD, arena_strdup(c->arena, path), NULL,
                                        arena_strdup(c->arena, why.text ? why.text : "unreadable"));

        p->repaired = c->repair && code != -EPROTONOSUPPORT && set_aside(c, path);
        if (p->repaired)
            p->text = arena_printf(c->arena, "%s; set aside in torn/", p->text);
        return 0;
    }
    if (r.name)
        *LIST_ADD(c->arena, struct image_record, &c->names) = r;
    image = r.name ? r.name : r.config.digest;
    if (first_time(c, r.manifest.digest))
        (void)check_blob(c, r.manifest.digest, image);
    if (first_time(c, r.config.digest))
        (void)check_blob(c, r.config.digest, image);
    for (size_t i = 0; i < r.blobs.n; i++)
        if (first_time(c, r.blobs.v[i]))
            (void)check_blob(c, r.blobs.v[i], image);
    check_layers(c, &r, image);
    return 0;
}

static void check_index(struct checker *c) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct image_index index;

    if (fs_read_at(c->store->root, "index.json", BUF_MAX_DEFAULT, &b, NULL) < 0 ||
        json_decode(&image_index_table, buf_text(&b), b.size, c->arena, &index, NULL) < 0)
        found(c, IMAGE_PROBLEM_INDEX, "index.json", NULL, "missing or not an index")->repaired = c->repair;
}

int image_store_check(struct image_store *s, bool deep, bool repair, struct arena *a, struct list *ret, struct error *e) {
    struct checker c = {.store = s, .deep = deep, .repair = repair, .arena = a, .problems = ret};
    struct scan refs = {&c, DIR_REFS}, images = {&c, DIR_IMAGES};
    int r;

    *ret = (struct list){NULL, 0};
    r = fs_each(s->root, DIR_REFS, check_record, &refs, e);
    if (r == 0)
        r = fs_each(s->root, DIR_IMAGES, check_record, &images, e);
    if (r < 0)
        return r;
    check_targets(&c); /* after what is torn was moved out of images/ */
    check_index(&c);
    if (!repair)
        return 0;
    image_store_reap(s);
    return view_write(s, e);
}

/* --- system df ---------------------------------------------------------------------------------------------------------------- */

static int add_blob(int dirfd, const char *name, void *arg, struct error *e) {
    struct image_usage *u = arg;
    struct stat st;

    (void)e;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
        u->blobs++;
        u->blob_bytes += (uint64_t)st.st_blocks * 512;
    }
    return 0;
}

struct copies {
    struct image_store *store;
    struct image_usage *usage;
    const struct strs *layers; /* of all images */
    struct arena *arena;
};

/* Copies of layers with other owners can be made again. */
static int add_copy(int dirfd, const char *name, void *arg, struct error *e) {
    struct copies *c = arg;
    struct layer_info info;

    (void)dirfd;
    (void)e;
    if (strchr(name, '.') || strs_has(c->layers, name) || layer_read_info(c->store, name, NULL, c->arena, &info, NULL) < 0 ||
        !info.owners)
        return 0;
    c->usage->layers++;
    c->usage->layer_bytes += info.size;
    return 0;
}

/* The sizes were counted when the layers were unpacked: no walk through all of their files. */
int image_store_usage(struct image_store *s, struct image_usage *ret, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct image_usage u = {0};
    struct strs all = {NULL, 0};
    struct list records;
    int r = record_read_all(s, DIR_IMAGES, &a, &records, e);

    for (size_t pass = 0; r == 0 && pass < 2; pass++) /* first what containers use, so that shared layers count as used */
        for (size_t i = 0; i < records.n; i++) {
            const struct image_record *record = LIST_AT(struct image_record, &records, i);
            struct strs users;

            if (image_users(s, record->config.digest, &a, &users, e) < 0 || (users.n > 0) != (pass == 0))
                continue;
            u.images++;
            for (size_t k = 0; k < record->layers.n; k++) {
                struct layer_info info;

                if (strs_has(&all, record->layers.v[k]) || layer_read_info(s, record->layers.v[k], NULL, &a, &info, NULL) < 0)
                    continue;
                strs_add(&a, &all, record->layers.v[k]);
                u.layers++;
                u.layer_bytes += info.size;
                u.reclaimable_bytes += pass == 1 ? info.size : 0;
            }
        }
    struct copies copies = {s, &u, &all, &a};
    if (r == 0)
        r = fs_each(s->root, DIR_LAYERS, add_copy, &copies, e);
    if (r == 0)
        r = fs_each(s->root, DIR_BLOBS, add_blob, &u, e);
    if (r == 0)
        *ret = u;
    return r;
}

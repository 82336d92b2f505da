/* From a name or id to an image: what `run` does. One file of refs/, one blob. */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/id.h"
#include "image/store_internal.h"
#include "model/platform.h"

int image_from_record(struct image_store *s, const struct image_record *r, struct arena *a, struct image *ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct image image = {.id = r->config.digest,
                          .name = r->name,
                          .manifest_digest = r->manifest.digest,
                          .manifest_type = r->manifest.media_type,
                          .size = r->size};
    int code = blob_read(s, r->config.digest, IMAGE_CONFIG_MAX, &b, e);

    if (code == 0) {
        image.config_text = arena_strndup(a, buf_text(&b), b.size);
        code = image_config_decode(image.config_text, b.size, a, &image.config, e);
    }
    if (code < 0) {
        error_wrap(e, -EUCLEAN, "image %.19s", image.id);
        error_hint(e, "tare system check --repair, or pull it again");
        return -EUCLEAN;
    }
    for (size_t i = 0; i < r->layers.n; i++)
        strs_add(a, &image.layers, arena_printf(a, "%s/" DIR_LAYERS "/%s", s->root_path, r->layers.v[i]));
    *ret = image;
    return 0;
}

/* --- by id -------------------------------------------------------------------------------------------------------------------- */

struct prefix {
    const char *text;
    size_t n, found;
    char id[65];
};

static int match_prefix(int dirfd, const char *name, void *arg, struct error *e) {
    struct prefix *p = arg;

    (void)dirfd;
    (void)e;
    if (id_is_full(name) && strncmp(name, p->text, p->n) == 0) {
        p->found++;
        (void)snprintf(p->id, sizeof(p->id), "%s", name);
    }
    return 0;
}

static int find_by_id(struct image_store *s, const char *hex, struct arena *a, struct image_record *ret, struct error *e) {
    struct prefix p = {.text = hex, .n = strlen(hex)};
    char path[STORE_PATH_MAX];
    int r;

    if (p.n < 64) {
        r = fs_each(s->root, DIR_IMAGES, match_prefix, &p, e);
        if (r < 0)
            return r;
        if (p.found != 1)
            return p.found ? error_set(e, -ENOTUNIQ, "several images have ids that begin with %s", hex) : -ENOENT;
        hex = p.id;
    }
    (void)snprintf(path, sizeof(path), DIR_IMAGES "/%.64s", hex);
    return record_read(s, path, a, ret, e);
}

/* --- by name or id --------------------------------------------------------------------------------------------------------------
 */

static int find_by_name(struct image_store *s, const char *text, struct arena *a, struct image_record *ret, struct error *e) {
    struct reference ref;
    char path[STORE_PATH_MAX];
    int r = reference_parse(text, a, &ref, e);

    if (r < 0)
        return r;
    record_ref_path(reference_key(&ref, a), path);
    return record_read(s, path, a, ret, e);
}

/* With the tag that was meant, as Docker says it: "nosuch:latest". */
static const char *asked_name(const char *text, struct arena *a) {
    struct reference ref;
    bool name = strncmp(text, "sha256:", 7) != 0 && !id_is_full(text) && reference_parse(text, a, &ref, NULL) >= 0;

    return name ? reference_familiar(&ref, a) : text;
}

int record_find(struct image_store *s, const char *text, struct arena *a, struct image_record *ret, struct error *e) {
    _cleanup_error_ struct error as_name = ERROR_INIT;
    bool full = digest_is_sha256(text) || id_is_full(text);
    int r = -ENOENT;

    if (full)
        r = find_by_id(s, digest_is_sha256(text) ? digest_hex(text) : text, a, ret, e);
    else
        r = find_by_name(s, text, a, ret, &as_name);
    if (r == -ENOENT && !full) {
        const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;

        if (id_is_prefix(hex))
            r = find_by_id(s, hex, a, ret, e);
    } else if (r < 0 && !full) {
        error_move(e, &as_name);
    }
    return r == -ENOENT ? error_set(e, r, "No such image: %s", asked_name(text, a)) : r;
}

static int check_platform(const struct image_record *r, const char *text, const char *wanted, struct arena *a, struct error *e) {
    struct platform want;
    int code = platform_parse(wanted, a, &want, e);

    if (code < 0 || platform_match(&want, &r->platform) > 0)
        return code;
    return error_set(e, -ENOENT, "image %s is for %s, not for %s", text, platform_text(&r->platform, a), platform_text(&want, a));
}

int image_resolve(struct image_store *s, const char *name_or_id, const char *platform, struct arena *a, struct image *ret,
                  struct error *e) {
    struct image_record record;
    int r = record_find(s, name_or_id, a, &record, e);

    if (r == 0 && platform)
        r = check_platform(&record, name_or_id, platform, a, e);
    return r < 0 ? r : image_from_record(s, &record, a, ret, e);
}

int image_lookup(struct image_store *s, const char *name_or_id, struct arena *a, const char **ret_id, struct error *e) {
    struct image_record record;
    int r = record_find(s, name_or_id, a, &record, e);

    if (r == 0)
        *ret_id = record.config.digest;
    return r;
}

/* --- who uses it -----------------------------------------------------------------------------------------------------------------
 */

/* In place: a temporary of a process that was killed would be nobody's, this file is in its owner's journal. Who reads pins to
 * remove images holds the lock alone. */
static int pin_add(struct image_store *s, const char *owner, const char *line, struct error *e) {
    _cleanup_fd_ int dir = fs_open_dir(s->root, DIR_PINS, e);
    if (dir < 0)
        return dir;
    _cleanup_fd_ int fd = openat(dir, owner, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : fs_write_all(fd, line, strlen(line));
    return r < 0 ? error_errno(e, r, "pin an image for %s", owner) : 0;
}

int image_pin_copies(struct image_store *s, const struct id_shift *owners, const char *owner, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_fd_ int lock = store_lock(s, false, e);

    return lock < 0 ? lock : pin_add(s, owner, arena_printf(&a, PIN_COPIES "%s\n", layer_owners_text(owners, &a)), e);
}

/* pins/OWNER holds the ids of the images that the owner uses, one a line. */
int image_pin(struct image_store *s, const char *image_id, const char *owner, struct error *e) {
    _cleanup_fd_ int lock = -1;
    char path[STORE_PATH_MAX], line[HASH_TEXT + 1];

    if (!digest_is_sha256(image_id) || strchr(owner, '/') || owner[0] == '.' || strlen(owner) > NAME_MAX)
        return error_set(e, -EINVAL, "pin image %s for %s: invalid", image_id, owner);
    lock = store_lock(s, false, e);
    if (lock < 0)
        return lock;
    record_image_path(image_id, path);
    if (faccessat(s->root, path, F_OK, 0) < 0)
        return error_set(e, -ENOENT, "No such image: %s", image_id);
    (void)snprintf(line, sizeof(line), "%s\n", image_id);
    return pin_add(s, owner, line, e);
}

int image_unpin(struct image_store *s, const char *owner, struct error *e) {
    char path[STORE_PATH_MAX];

    if (strchr(owner, '/') || owner[0] == '.' || strlen(owner) > NAME_MAX)
        return error_set(e, -EINVAL, "unpin for %s: invalid", owner);
    (void)snprintf(path, sizeof(path), DIR_PINS "/%.255s", owner);
    return fs_unlink_at(s->root, path, e);
}

struct users {
    const char *image_id;
    struct arena *arena;
    struct strs *owners;
};

static int match_user(int dirfd, const char *name, void *arg, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct users *u = arg;

    (void)e;
    if (name[0] != '.' && fs_read_at(dirfd, name, 4096, &b, NULL) == 0 && strstr(buf_text(&b), u->image_id))
        strs_add(u->arena, u->owners, arena_strdup(u->arena, name));
    return 0;
}

int image_users(struct image_store *s, const char *image_id, struct arena *a, struct strs *ret, struct error *e) {
    struct users u = {image_id, a, ret};

    *ret = (struct strs){NULL, 0};
    return fs_each(s->root, DIR_PINS, match_user, &u, e);
}

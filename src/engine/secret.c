#include "engine/secret.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/event_change.h"
#include "base/fs.h"
#include "engine/lookup.h"
#include "engine/secret_store.h"

#define SECRET_HEAD_MAX ((size_t)1 << 20)

static const struct json_field driver_fields[] = {
    JSON_FIELD(struct secret_driver, name, "Name", JSON_STR, 0),
    JSON_FIELD(struct secret_driver, options, "Options", JSON_MAP, 0),
    JSON_END,
};
static const struct json_table driver_table = JSON_TABLE("secret driver", struct secret_driver, driver_fields);

static const struct json_field spec_fields[] = {
    JSON_FIELD(struct secret_spec, name, "Name", JSON_STR, JSON_REQUIRED),
    JSON_FIELD_OF(struct secret_spec, driver, "Driver", JSON_OBJ, 0, &driver_table),
    JSON_FIELD(struct secret_spec, labels, "Labels", JSON_MAP, 0),
    JSON_END,
};
static const struct json_table spec_table = JSON_TABLE("secret", struct secret_spec, spec_fields);

static const struct json_field secret_fields[] = {
    JSON_FIELD(struct secret, id, "ID", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct secret, created_at, "CreatedAt", JSON_STR, 0),
    JSON_FIELD(struct secret, updated_at, "UpdatedAt", JSON_STR, 0),
    JSON_FIELD_OF(struct secret, spec, "Spec", JSON_OBJ, JSON_REQUIRED, &spec_table),
    JSON_END,
};
const struct json_table secret_table = JSON_TABLE("secret", struct secret, secret_fields);

/* --- the store -------------------------------------------------------------------------------------------------------------- */

static int secrets_dir(const struct roots *roots, struct error *e) {
    if (mkdirat(roots->root_fd, "secrets", 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create %s/secrets", roots->root);
    int fd = openat(roots->root_fd, "secrets", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? error_errno(e, -errno, "open %s/secrets", roots->root) : fd;
}

void secret_forget(struct buf *b) {
    if (b->data)
        explicit_bzero(b->data, b->room);
    buf_release(b);
}

int secret_create(const struct roots *roots, const char *name, const struct map *labels, const void *data, size_t n, bool replace,
                  struct arena *a, struct secret *ret, struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    char id[ID_LENGTH + 1], now[TIME_TEXT_MAX];
    _cleanup_(secret_forget) struct buf text = BUF_INIT;
    int r = name_check("secret name", name, e);

    if (r < 0)
        return r;
    if (n == 0 || n > SECRET_SIZE_MAX)
        return error_set(e, n ? -EFBIG : -EINVAL, "secret %s: it has %zu bytes; 1 to %zu are allowed", name, n, SECRET_SIZE_MAX);
    r = id_new(id);
    if (r < 0)
        return error_errno(e, r, "make an id");
    id[25] = '\0'; /* the length of Podman's and Docker's ids of secrets */
    time_format(clock_wall(), now);
    *ret = (struct secret){.id = arena_strdup(a, id),
                           .created_at = arena_strdup(a, now),
                           .updated_at = arena_strdup(a, now),
                           .spec = {.name = name, .driver = {.name = "file"}, .labels = *labels}};
    json_encode(&secret_table, ret, 0, &text);
    if (text.size > SECRET_HEAD_MAX)
        return error_set(e, -EFBIG, "secret %s: too many labels", name);
    buf_add_char(&text, '\n');
    if (!buf_reserve(&text, n))
        return error_errno(e, -ENOMEM, "secret %s", name);
    buf_add(&text, data, n);
    _cleanup_fd_ int dir = secrets_dir(roots, e);
    if (dir < 0)
        return dir;
    event_change_of(&change, roots->run_fd, roots->root_fd, arena_printf(a, "secrets/%s", name), "secret", "create", ret->id,
                    "name", name, (char *)NULL);
    r = replace ? fs_publish_at(dir, name, text.data, text.size, 0600, FS_SYNC, e)
                : fs_create_at(dir, name, text.data, text.size, 0600, FS_SYNC, e);
    if (r == -EEXIST)
        return error_set(e, r, "secret %s: the name is in use", name);
    if (r == 0)
        event_change_tell(&change);
    return r < 0 ? error_wrap(e, r, "create the secret %s", name) : 0;
}

/* Reads one; data may be NULL. */
static int read_one(int dir, const char *name, struct arena *a, struct secret *ret, struct buf *data, struct error *e) {
    _cleanup_(secret_forget) struct buf text = BUF_INIT;
    int r = fs_read_at(dir, name, SECRET_HEAD_MAX + SECRET_SIZE_MAX + 1, &text, NULL);
    const char *end = r >= 0 ? memchr(buf_text(&text), '\n', text.size) : NULL;

    if (r == -ENOENT)
        return error_set(e, r, "no such secret: %s", name);
    if (r >= 0 && !end)
        r = -EBADMSG;
    if (r >= 0)
        r = json_decode(&secret_table, text.data, (size_t)(end - text.data), a, ret, e);
    if (r < 0)
        return error_wrap(e, r, "read the secret %s", name);
    if (data)
        buf_add(data, end + 1, text.size - (size_t)(end + 1 - text.data));
    return 0;
}

int secret_read(const struct roots *roots, const char *name, struct arena *a, struct buf *data, struct error *e) {
    _cleanup_fd_ int dir = secrets_dir(roots, e);
    struct secret s;

    return dir < 0 ? dir : read_one(dir, name, a, &s, data, e);
}

struct walk {
    struct arena *arena;
    struct list *found;
};

static int list_entry(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    struct walk *w = arg;
    struct secret s;

    if (name_check("secret name", name, NULL) == 0 && read_one(dirfd, name, w->arena, &s, NULL, NULL) == 0)
        *LIST_ADD(w->arena, struct secret, w->found) = s;
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct secret *)a)->spec.name, ((const struct secret *)b)->spec.name);
}

int secret_list(const struct roots *roots, struct arena *a, struct list *ret, struct error *e) {
    _cleanup_fd_ int dir = secrets_dir(roots, e);
    struct walk w = {a, ret};

    if (dir < 0)
        return dir;
    *ret = (struct list){0};
    int r = fs_each(dir, ".", list_entry, &w, e);
    if (r == 0 && ret->n > 1)
        qsort(ret->v, ret->n, sizeof(struct secret), by_name);
    return r;
}

int secret_open(const struct roots *roots, const char *name, struct arena *a, struct secret *ret, struct error *e) {
    _cleanup_fd_ int dir = secrets_dir(roots, e);
    struct list all;

    if (dir < 0)
        return dir;
    if (name_check("secret name", name, NULL) == 0 && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return read_one(dir, name, a, ret, NULL, e);
    int r = secret_list(roots, a, &all, e);
    for (size_t i = 0; r == 0 && i < all.n; i++) {
        const struct secret *s = LIST_AT(struct secret, &all, i);

        if (strcmp(s->id, name) == 0) {
            *ret = *s;
            return 0;
        }
    }
    return r < 0 ? r : error_set(e, -ENOENT, "no such secret: %s", name);
}

struct users {
    const char *secret;
    const char *container; /* one that has it */
    struct arena *arena;
};

static int look_for_user(struct engine *engine _unused_, struct container *c, void *arg, struct error *e _unused_) {
    struct users *u = arg;

    for (size_t i = 0; i < c->record.host.secrets.n; i++)
        if (strcmp(LIST_AT(struct secret_request, &c->record.host.secrets, i)->source, u->secret) == 0)
            u->container = arena_strdup(u->arena, c->record.name);
    return 0;
}

int secret_remove(struct engine *engine, const char *name, bool force, struct arena *a, struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    struct users users = {.arena = a};
    struct secret s;
    int r = secret_open(engine->roots, name, a, &s, e);

    if (r < 0)
        return r;
    users.secret = s.spec.name;
    r = force ? 0 : container_each(engine, a, look_for_user, &users, e);
    if (r < 0)
        return r;
    if (users.container) {
        error_set(e, -EBUSY, "secret %s is in use by container %s", s.spec.name, users.container);
        return error_hint(e, "remove the container, or --force");
    }
    _cleanup_fd_ int dir = secrets_dir(engine->roots, e);
    if (dir >= 0)
        (void)fs_each(dir, ".", fs_reap_temporary, NULL, NULL); /* of a replacement that was killed */
    event_change_of(&change, engine->roots->run_fd, engine->roots->root_fd, arena_printf(a, "secrets/%s", s.spec.name), "secret",
                    "remove", s.id, "name", s.spec.name, (char *)NULL);
    r = dir < 0 ? dir : fs_unlink_at(dir, s.spec.name, e);
    if (r == 0)
        event_change_tell(&change);
    return r;
}

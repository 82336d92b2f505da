/* rmi and prune, with Docker's rules about who may lose what. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event_change.h"
#include "base/event_log.h"
#include "base/id.h"
#include "image/store_internal.h"

struct removal {
    struct image_store *store;
    const struct image_remove_options *options;
    struct arena *arena;
    const char *id;    /* of the image */
    struct strs names; /* canonical names of the image, sorted */
    struct strs users; /* containers */
    struct list *done; /* of struct image_removal */
};

static const char *short_id(const char *id, struct arena *a) {
    const char *hex = digest_is_sha256(id) ? digest_hex(id) : id;

    return arena_strndup(a, hex, ID_SHORT_LENGTH);
}

static const char *repository_of(const char *name, struct arena *a) {
    struct reference ref;

    return reference_parse(name, a, &ref, NULL) == 0 ? ref.repository : name;
}

static const char *familiar(const char *name, struct arena *a) {
    struct reference ref;

    return reference_parse(name, a, &ref, NULL) == 0 ? reference_familiar(&ref, a) : name;
}

static bool is_digest_name(const char *name) {
    return strchr(name, '@');
}

/* --- looking ------------------------------------------------------------------------------------------------------------------ */

static int look(struct removal *m, struct error *e) {
    struct list refs;
    int r = record_read_all(m->store, DIR_REFS, m->arena, &refs, e);

    m->names = (struct strs){NULL, 0};
    for (size_t i = 0; r == 0 && i < refs.n; i++) {
        const struct image_record *record = LIST_AT(struct image_record, &refs, i);

        if (record->name && strcmp(record->config.digest, m->id) == 0)
            strs_add(m->arena, &m->names, record->name);
    }
    return r < 0 ? r : image_users(m->store, m->id, m->arena, &m->users, e);
}

static bool is_running(const struct removal *m, const char *owner) {
    return !m->options->is_running || m->options->is_running(owner, m->options->arg);
}

/* A user of the image, running ones first; NULL = nobody. */
static const char *user(const struct removal *m, bool *ret_running) {
    *ret_running = false;
    for (size_t i = 0; i < m->users.n; i++)
        if (is_running(m, m->users.v[i])) {
            *ret_running = true;
            return m->users.v[i];
        }
    return m->users.n ? m->users.v[0] : NULL;
}

/* --- doing -------------------------------------------------------------------------------------------------------------------- */

static void note(struct removal *m, bool untagged, const char *what) {
    struct image_removal *item = LIST_ADD(m->arena, struct image_removal, m->done);

    item->untagged = untagged;
    item->what = what;
}

static int untag(struct removal *m, const char *name, struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    char path[STORE_PATH_MAX];
    int r;

    record_ref_path(name, path);
    event_change_of(&change, m->store->run_root, m->store->root, path, "image", "untag", m->id, "name", familiar(name, m->arena),
                    (char *)NULL);
    r = fs_unlink_at(m->store->root, path, e);
    if (r < 0)
        return r;
    note(m, true, familiar(name, m->arena));
    event_change_tell(&change);
    return 0;
}

static int delete_image(struct removal *m, struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    char path[STORE_PATH_MAX];
    int r;

    record_image_path(m->id, path);
    event_change_of(&change, m->store->run_root, m->store->root, path, "image", "delete", m->id, "name", m->id, (char *)NULL);
    r = fs_unlink_at(m->store->root, path, e);
    if (r < 0)
        return r;
    note(m, false, m->id);
    event_change_tell(&change);
    return 0;
}

/* --- rmi NAME ----------------------------------------------------------------------------------------------------------------- */

/* The name, and with the last tag of a repository its digests, which stood for the same thing. */
static void names_to_untag(struct removal *m, const char *name, struct strs *ret) {
    const char *repository = repository_of(name, m->arena);
    bool other_tag = false;

    strs_add(m->arena, ret, name);
    if (is_digest_name(name))
        return;
    for (size_t i = 0; i < m->names.n; i++)
        if (strcmp(m->names.v[i], name) != 0 && !is_digest_name(m->names.v[i]) &&
            strcmp(repository_of(m->names.v[i], m->arena), repository) == 0)
            other_tag = true;
    for (size_t i = 0; !other_tag && i < m->names.n; i++)
        if (is_digest_name(m->names.v[i]) && strcmp(repository_of(m->names.v[i], m->arena), repository) == 0)
            strs_add(m->arena, ret, m->names.v[i]);
}

static int remove_name(struct removal *m, const char *name, struct error *e) {
    struct strs go = {NULL, 0};
    bool running, last;
    const char *container = user(m, &running);
    int r = 0;

    names_to_untag(m, name, &go);
    last = go.n == m->names.n;
    if (last && container && !m->options->force)
        return error_set(
            e, -EBUSY,
            "conflict: unable to remove repository reference \"%s\" (must force) - container %s is using its referenced "
            "image %s",
            familiar(name, m->arena), short_id(container, m->arena), short_id(m->id, m->arena));
    for (size_t i = 0; r == 0 && i < go.n; i++)
        r = untag(m, go.v[i], e);
    if (r == 0 && last && !container) /* in use, it stays without a name until its last container is gone */
        r = delete_image(m, e);
    return r;
}

/* --- rmi ID ------------------------------------------------------------------------------------------------------------------- */

/* One tag and any digests are one reference. */
static bool is_single_reference(const struct removal *m) {
    size_t tags = 0;
    bool same = true;

    for (size_t i = 0; i < m->names.n; i++) {
        tags += !is_digest_name(m->names.v[i]);
        same = same && strcmp(repository_of(m->names.v[i], m->arena), repository_of(m->names.v[0], m->arena)) == 0;
    }
    return same && tags <= 1;
}

static int remove_id(struct removal *m, struct error *e) {
    const char *id = short_id(m->id, m->arena);
    bool running;
    const char *container = user(m, &running);
    int r = 0;

    if (container && running)
        return error_set(e, -EBUSY,
                         "conflict: unable to delete %s (cannot be forced) - image is being used by running container %s", id,
                         short_id(container, m->arena));
    if (!m->options->force && !is_single_reference(m))
        return error_set(e, -EBUSY, "conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories",
                         id);
    if (!m->options->force && container)
        return error_set(e, -EBUSY, "conflict: unable to delete %s (must be forced) - image is being used by stopped container %s",
                         id, short_id(container, m->arena));
    for (size_t i = 0; r == 0 && i < m->names.n; i++)
        r = untag(m, m->names.v[i], e);
    if (r == 0 && !container)
        r = delete_image(m, e);
    return r;
}

/* ------------------------------------------------------------------------------------------------------------------------------ */

/* Whether the text was understood as (a prefix of) the id, not as a name. */
static bool was_by_id(const char *text, const char *id) {
    const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;

    return id_is_prefix(hex) && strncmp(digest_hex(id), hex, strlen(hex)) == 0;
}

/* Before what the records referred to goes: after a power cut neither is the image there again, nor without its parts. */
static int sync_records(struct image_store *s, struct error *e) {
    static const char *const dirs[] = {DIR_REFS, DIR_IMAGES};

    for (size_t i = 0; i < ARRAY_SIZE(dirs) && !s->limits.no_sync; i++) {
        _cleanup_fd_ int fd = fs_open_dir(s->root, dirs[i], e);

        if (fd < 0)
            return fd;
        if (fsync(fd) < 0)
            return error_errno(e, -errno, "sync %s", dirs[i]);
    }
    return 0;
}

static int remove_locked(struct removal *m, const char *text, struct error *e) {
    struct image_record record;
    int r = record_find(m->store, text, m->arena, &record, e);

    if (r < 0)
        return r;
    m->id = record.config.digest;
    r = look(m, e);
    if (r < 0)
        return r;
    r = record.name && !was_by_id(text, m->id) ? remove_name(m, record.name, e) : remove_id(m, e);
    if (r == 0)
        r = sync_records(m->store, e);
    return r < 0 ? r : store_collect(m->store, false, NULL, e);
}

int image_remove(struct image_store *s, const char *name_or_id, const struct image_remove_options *o, struct arena *a,
                 struct list *ret, struct error *e) {
    struct removal m = {.store = s, .options = o, .arena = a, .done = ret};
    int lock = store_lock(s, true, e), r;

    *ret = (struct list){NULL, 0};
    if (lock < 0)
        return lock;
    r = remove_locked(&m, name_or_id, e);
    (void)fd_close(lock);
    if (r == 0)
        r = view_write(s, e);
    image_store_reap(s);
    return r;
}

/* --- prune -------------------------------------------------------------------------------------------------------------------- */

static bool is_prunable(struct removal *m, const struct image_record *record, const struct image_prune_options *o) {
    struct timespec created = {0};
    struct image image;

    m->id = record->config.digest;
    if (look(m, NULL) < 0 || m->users.n || (m->names.n && !o->all))
        return false;
    if (o->until && record->created && time_parse(record->created, &created) == 0 && created.tv_sec >= o->until)
        return false;
    if (!o->labels.n && !o->not_labels.n)
        return true;
    if (image_from_record(m->store, record, m->arena, &image, NULL) < 0)
        return false;
    for (size_t i = 0; i < o->labels.n; i++)
        if (!map_fits(&image.config.config.labels, o->labels.v[i]))
            return false;
    for (size_t i = 0; i < o->not_labels.n; i++)
        if (map_fits(&image.config.config.labels, o->not_labels.v[i]))
            return false;
    return true;
}

static int prune_locked(struct removal *m, const struct image_prune_options *o, uint64_t *ret_freed, struct error *e) {
    struct list records;
    int r = record_read_all(m->store, DIR_IMAGES, m->arena, &records, e);

    for (size_t i = 0; r == 0 && i < records.n; i++) {
        if (!is_prunable(m, LIST_AT(struct image_record, &records, i), o))
            continue;
        for (size_t k = 0; r == 0 && k < m->names.n; k++)
            r = untag(m, m->names.v[k], e);
        if (r == 0)
            r = delete_image(m, e);
    }
    if (r == 0 && m->done->n > 0)
        r = sync_records(m->store, e);
    return r < 0 ? r : store_collect(m->store, true, ret_freed, e);
}

int image_prune(struct image_store *s, const struct image_prune_options *o, struct arena *a, struct list *ret, uint64_t *ret_freed,
                struct error *e) {
    static const struct image_remove_options none = {0};
    struct removal m = {.store = s, .options = &none, .arena = a, .done = ret};
    int lock = store_lock(s, true, e), r;

    *ret = (struct list){NULL, 0};
    if (lock < 0)
        return lock;
    r = prune_locked(&m, o, ret_freed, e);
    (void)fd_close(lock);
    if (r == 0) {
        event_tell(s->run_root, "image", "prune", "", "reclaimed", arena_printf(a, "%" PRIu64, ret_freed ? *ret_freed : 0),
                   (char *)NULL);
        r = view_write(s, e);
    }
    image_store_reap(s);
    return r;
}

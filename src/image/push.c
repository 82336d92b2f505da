#include "image/push.h"

#include <stdarg.h>
#include <string.h>

#include "base/event_log.h"
#include "image/store_internal.h"

#define MOUNT_TRIES_MAX 4 /* of one blob */

struct push {
    struct image_store *store;
    const struct push_options *options;
    struct arena *a;
    struct reference ref;
    struct registry *registry;
    struct list siblings; /* of struct sibling */
};

/* An image that another repository of this registry gave us, or got from us. */
struct sibling {
    const char *path;
    const struct image_record *record;
};

static void _printf_(2, 3) say(const struct push *p, const char *fmt, ...) {
    const struct pull_observer *o = p->options->observer;
    _cleanup_free_ char *text = NULL;
    va_list ap;

    if (!o || !o->line)
        return;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    o->line(o->arg, text);
}

static const char *short_digest(const char *digest, struct arena *a) {
    return arena_strndup(a, digest_hex(digest), 12);
}

static bool has_blob(const struct image_record *r, const char *digest) {
    return strs_has(&r->blobs, digest) || !strcmp(r->config.digest, digest);
}

/* Asks for the blob from each repository that should have it. Where the registry begins an upload instead, *ret_upload says where.
 */
static const char *mount_blob(struct push *p, const char *digest, const char **ret_upload) {
    struct strs tried = {0};

    for (size_t i = 0; i < p->siblings.n && tried.n < MOUNT_TRIES_MAX; i++) {
        const struct sibling *s = LIST_AT(struct sibling, &p->siblings, i);

        if (!has_blob(s->record, digest) || strs_has(&tried, s->path))
            continue;
        strs_add(p->a, &tried, s->path);
        if (registry_blob_mount(p->registry, digest, s->path, p->a, ret_upload, NULL) > 0)
            return s->path;
    }
    return NULL;
}

static int push_blob(struct push *p, const struct descriptor *d, bool is_layer, struct error *e) {
    _cleanup_fd_ int fd = -1;
    const char *id = short_digest(d->digest, p->a), *from, *upload = NULL;
    uint64_t size;
    int r = registry_blob_exists(p->registry, d->digest, e);

    if (r < 0)
        return r;
    if (r > 0) {
        if (is_layer)
            say(p, "%s: Layer already exists", id);
        return 0;
    }
    from = mount_blob(p, d->digest, &upload);
    if (from) {
        if (is_layer)
            say(p, "%s: Mounted from %s", id, from);
        return 0;
    }
    fd = blob_open(p->store, d->digest, &size);
    if (fd < 0)
        return error_errno(e, fd, "blob %s", d->digest);
    r = registry_blob_upload(p->registry, d->digest, upload, fd, size, e);
    if (r >= 0 && is_layer)
        say(p, "%s: Pushed", id);
    return r;
}

static int push_manifest(struct push *p, const char *tag, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct image_manifest m;
    struct image image;
    int r = image_resolve(p->store, arena_printf(p->a, "%s:%s", p->ref.repository, tag), p->options->platform, p->a, &image, e);

    if (r >= 0)
        r = blob_read(p->store, image.manifest_digest, IMAGE_MANIFEST_MAX, &text, e);
    if (r >= 0)
        r = image_manifest_decode(buf_text(&text), text.size, p->a, &m, e);
    for (size_t i = 0; r >= 0 && i < m.layers.n; i++)
        r = push_blob(p, LIST_AT(struct descriptor, &m.layers, i), true, e);
    if (r >= 0)
        r = push_blob(p, &m.config, false, e);
    if (r >= 0)
        r = registry_manifest_put(p->registry, tag, image.manifest_type, (struct bytes){text.data, text.size}, e);
    if (r < 0)
        return r;
    say(p, "%s: digest: %s size: %zu", tag, image.manifest_digest, text.size);
    event_tell(p->store->run_root, "image", "push", arena_printf(p->a, "%s:%s", p->ref.repository, tag), "name", p->ref.repository,
               (char *)NULL);
    return 0;
}

/* The tags of our repository, and the other repositories of its registry, from the names that the store knows. */
static int look_around(struct push *p, struct strs *tags, struct error *e) {
    struct list records;
    int r = record_read_all(p->store, DIR_REFS, p->a, &records, e);

    for (size_t i = 0; r >= 0 && i < records.n; i++) {
        const struct image_record *record = LIST_AT(struct image_record, &records, i);
        struct reference ref;

        if (reference_parse(record->name, p->a, &ref, NULL) < 0 || strcmp(ref.host, p->ref.host) != 0)
            continue;
        if (strcmp(ref.repository, p->ref.repository) != 0)
            *LIST_ADD(p->a, struct sibling, &p->siblings) = (struct sibling){ref.path, record};
        else if (ref.tag && !ref.digest)
            strs_add(p->a, tags, ref.tag);
    }
    return r;
}

int image_push(struct image_store *s, const char *name, const struct push_options *o, struct arena *a, struct error *e) {
    _cleanup_registry_ struct registry *registry = NULL;
    struct push p = {.store = s, .options = o, .a = a};
    struct strs known = {0}, tags = {0};
    int r = reference_parse(name, a, &p.ref, e);

    if (r >= 0 && p.ref.digest)
        return error_set(e, -EINVAL, "cannot push a digest reference: give a tag");
    if (r >= 0)
        r = look_around(&p, &known, e);
    if (r < 0)
        return r;
    if (o->all_tags)
        tags = known;
    else
        strs_add(a, &tags, p.ref.tag);
    say(&p, "The push refers to repository [%s]", p.ref.repository);
    if (!known.n)
        return error_set(e, -ENOENT, "An image does not exist locally with the tag: %s", reference_familiar_repository(&p.ref, a));
    if (!o->all_tags && !strs_has(&known, p.ref.tag))
        return error_set(e, -ENOENT, "tag does not exist: %s", reference_familiar(&p.ref, a));
    r = registry_open_primary(p.ref.repository, "pull,push", a, &registry, e);
    p.registry = registry;
    for (size_t i = 0; r >= 0 && i < tags.n; i++)
        r = push_manifest(&p, tags.v[i], e);
    return r < 0 ? r : 0;
}

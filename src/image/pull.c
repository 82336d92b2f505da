#include "image/pull.h"

#include <stdarg.h>
#include <string.h>

#include "base/log.h"
#include "image/courier.h"
#include "image/registry_config.h"
#include "image/store_internal.h"
#include "model/platform.h"

/* One pull of one name. */
struct pull {
    struct image_store *store;
    const struct pull_options *options;
    struct arena *a;
    struct reference ref;
    const char *also;     /* one more name for the image; NULL */
    struct platform want; /* valid when has_want */
    bool has_want;
};

int pull_policy_parse(const char *text, enum pull_policy *ret, struct error *e) {
    static const struct {
        const char *text;
        enum pull_policy policy;
    } known[] = {
        {"", PULL_MISSING}, {"missing", PULL_MISSING}, {"always", PULL_ALWAYS}, {"never", PULL_NEVER}, {"newer", PULL_NEWER}};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (!strcmp(known[i].text, text)) {
            *ret = known[i].policy;
            return 0;
        }
    return error_set(e, -EINVAL, "invalid pull option: '%s': must be one of \"always\", \"missing\", \"never\" or \"newer\"", text);
}

static void _printf_(2, 3) say(const struct pull_options *o, const char *fmt, ...) {
    _cleanup_free_ char *text = NULL;
    va_list ap;

    if (!o->observer || !o->observer->line)
        return;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    o->observer->line(o->observer->arg, text);
}

/* --- the documents --------------------------------------------------------------------------------------------------------- */

/* From the document under the tag to the manifest for one platform. */
static int find_manifest(struct pull *p, struct registry *reg, struct registry_document *doc, struct error *e) {
    for (unsigned depth = 0;; depth++) {
        int kind = image_document_kind(doc->text.p, doc->text.n, doc->media_type, e);
        const struct descriptor *chosen;
        struct image_index index;
        int r;

        if (kind < 0)
            return error_wrap(e, kind, "manifest of %s", p->ref.full);
        if (kind == IMAGE_DOCUMENT_MANIFEST)
            return 0;
        if (depth == IMAGE_INDEX_DEPTH_MAX)
            return error_set(e, -ELOOP, "%s: an index in an index in an index…", p->ref.full);
        r = image_index_decode(doc->text.p, doc->text.n, p->a, &index, e);
        if (r >= 0)
            r = platform_choose(&index, p->has_want ? &p->want : NULL, &chosen, e);
        if (r < 0)
            return error_wrap(e, r, "%s", p->ref.full);
        r = registry_manifest(reg, chosen->digest, p->a, doc, e);
        if (r < 0)
            return r;
        if (doc->text.n != chosen->size)
            return error_set(e, -EBADMSG, "manifest %s: %zu bytes instead of the announced %llu", chosen->digest, doc->text.n,
                             (unsigned long long)chosen->size);
        if (!doc->media_type)
            doc->media_type = chosen->media_type;
    }
}

/* The type that the manifest itself claims wins over the header, which proxies rewrite. */
static const char *manifest_type(const struct image_manifest *m, const struct registry_document *doc) {
    return m->media_type && *m->media_type ? m->media_type : doc->media_type ? doc->media_type : MEDIA_OCI_MANIFEST;
}

static int check_platform(struct pull *p, const struct image_config *config, struct error *e) {
    struct platform have = {.os = config->os, .architecture = config->architecture, .variant = config->variant};

    platform_normalise(&have);
    if (!p->has_want || platform_match(&p->want, &have))
        return 0;
    return error_set(e, -ENOENT, "%s is for %s only, not for %s", p->ref.full, platform_text(&have, p->a),
                     platform_text(&p->want, p->a));
}

/* Brings the configuration into the store, from the registry only when it is not there. */
static int fetch_config(struct pull *p, struct registry *reg, const struct descriptor *d, struct error *e) {
    _cleanup_buf_ struct buf have = BUF_INIT;
    struct image_config config;
    struct bytes text;
    char digest[72];
    int r = blob_read(p->store, d->digest, IMAGE_CONFIG_MAX, &have, NULL);

    if (r >= 0) {
        text = (struct bytes){buf_text(&have), have.size};
    } else {
        r = registry_blob_read(reg, d, IMAGE_CONFIG_MAX, p->a, &text, e);
        if (r < 0)
            return error_wrap(e, r, "configuration of %s", p->ref.full);
    }
    r = image_config_decode(text.p, text.n, p->a, &config, e);
    if (r >= 0)
        r = check_platform(p, &config, e);
    if (r >= 0 && !have.size)
        r = blob_write(p->store, text.p, text.n, digest, e);
    return r < 0 ? error_wrap(e, r, "configuration of %s", p->ref.full) : 0;
}

static void names_for(struct pull *p, const char *digest, struct strs *names) {
    if (!p->ref.digest)
        strs_add(p->a, names, arena_printf(p->a, "%s:%s", p->ref.repository, p->ref.tag));
    strs_add(p->a, names, arena_printf(p->a, "%s@%s", p->ref.repository, digest));
    if (p->also)
        strs_add(p->a, names, p->also);
}

static int commit(struct pull *p, struct registry *reg, const struct registry_document *doc, const struct image_manifest *m,
                  const char *top_digest, struct image *ret, struct error *e) {
    struct couriers couriers = {.registry = reg};
    struct blob_source source = courier_source(&couriers);
    struct reference bare = p->ref;
    struct image_commit c = {.manifest_type = manifest_type(m, doc), .source = &source, .event.action = "pull"};
    char digest[72];
    int r;

    c.progress = p->options->observer ? p->options->observer->progress : NULL;
    r = blob_write(p->store, doc->text.p, doc->text.n, digest, e);
    if (r < 0)
        return r;
    c.manifest_digest = digest;
    names_for(p, top_digest, &c.names);
    bare.tag = bare.digest = NULL;
    c.event.id = reference_familiar(&p->ref, p->a);
    c.event.name = reference_familiar(&bare, p->a);
    r = image_commit(p->store, &c, p->a, ret, e);
    couriers_release(&couriers);
    return r;
}

/* --- one registry, then all that registries.conf names -------------------------------------------------------------------------
 */

static int registry_for(struct pull *p, const struct registry_endpoint *ep, struct registry **ret, struct error *e) {
    struct registry_target target = {.host = ep->host,
                                     .path = ep->path,
                                     .repository = p->ref.repository,
                                     .actions = "pull",
                                     .insecure = ep->insecure,
                                     .mirror = ep->mirror};

    return registry_open(&target, ret, e);
}

static bool is_same(struct pull *p, const char *digest) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *by_digest, *by_tag;

    return image_lookup(p->store, arena_printf(&a, "%s@%s", p->ref.repository, digest), &a, &by_digest, NULL) >= 0 &&
           image_lookup(p->store, p->ref.full, &a, &by_tag, NULL) >= 0 && !strcmp(by_digest, by_tag);
}

static int pull_from(struct pull *p, const struct registry_endpoint *ep, struct image *ret, struct error *e) {
    _cleanup_registry_ struct registry *reg = NULL;
    const char *what = p->ref.digest ? p->ref.digest : p->ref.tag, *slash = strchr(p->ref.repository, '/');
    const char *before = NULL, *familiar = reference_familiar(&p->ref, p->a);
    struct registry_document doc;
    struct image_manifest m;
    char top[72];
    int r = registry_for(p, ep, &reg, e);

    if (r >= 0)
        r = registry_manifest(reg, what, p->a, &doc, e);
    if (r < 0)
        return r;
    memcpy(top, doc.digest, sizeof top);
    say(p->options, "%s: Pulling from %s", what, strcmp(p->ref.host, REFERENCE_DEFAULT_HOST) ? p->ref.path : slash + 1);
    r = find_manifest(p, reg, &doc, e);
    if (r < 0)
        return r;
    r = image_manifest_decode(doc.text.p, doc.text.n, p->a, &m, e);
    if (r < 0)
        return error_wrap(e, r, "manifest of %s", p->ref.full);
    r = fetch_config(p, reg, &m.config, e);
    if (r < 0)
        return r;
    (void)image_lookup(p->store, p->ref.full, p->a, &before, NULL);
    r = commit(p, reg, &doc, &m, top, ret, e);
    if (r < 0)
        return r;
    say(p->options, "Digest: %s", top);
    if (before && !strcmp(before, ret->id))
        say(p->options, "Status: Image is up to date for %s", familiar);
    else
        say(p->options, "Status: Downloaded newer image for %s", familiar);
    return 0;
}

/* The first endpoint that works; what mirrors answered is forgotten once one does. */
static int each_endpoint(struct pull *p, const struct registries_config *conf,
                         int (*fn)(struct pull *, const struct registry_endpoint *, struct image *, struct error *),
                         struct image *ret, struct error *e) {
    struct list endpoints;
    int r = registries_config_endpoints(conf, p->ref.repository, p->ref.digest != NULL, p->a, &endpoints, e);

    for (size_t i = 0; r >= 0 && i < endpoints.n; i++) {
        const struct registry_endpoint *ep = LIST_AT(struct registry_endpoint, &endpoints, i);
        struct error inner = ERROR_INIT;
        int one = fn(p, ep, ret, &inner);

        if (one >= 0)
            return one;
        if (i + 1 < endpoints.n)
            log_warn("mirror %s: %s", ep->host, inner.text ? inner.text : errno_text(one));
        else
            error_move(e, &inner);
        error_release(&inner);
        r = i + 1 < endpoints.n ? 0 : one;
    }
    return r;
}

static int newer_check(struct pull *p, const struct registry_endpoint *ep, struct image *ret, struct error *e) {
    _cleanup_registry_ struct registry *reg = NULL;
    const char *digest;
    int r = registry_for(p, ep, &reg, e);

    if (r >= 0)
        r = registry_manifest_digest(reg, p->ref.tag, p->a, &digest, e);
    return r < 0 ? r : is_same(p, digest);
}

static int resolve(struct pull *p, struct image *ret, struct error *e) {
    return image_resolve(p->store, p->ref.full, p->options->platform, p->a, ret, e);
}

/* 1: what is in the store will do (*ret is filled); 0: pull. */
static int decide(struct pull *p, const struct registries_config *conf, struct image *ret, struct error *e) {
    struct error inner = ERROR_INIT;
    int present, same;

    if (p->options->policy == PULL_ALWAYS)
        return 0;
    present = resolve(p, ret, &inner);
    if (present < 0 && p->options->policy == PULL_NEVER) {
        error_move(e, &inner);
        return present;
    }
    error_release(&inner);
    if (present < 0)
        return 0;
    if (p->options->policy != PULL_NEWER || p->ref.digest)
        return 1;
    same = each_endpoint(p, conf, newer_check, NULL, &inner);
    if (same < 0)
        log_warn("%s: using the image in the store: %s", p->ref.full, inner.text ? inner.text : errno_text(same));
    error_release(&inner);
    return same != 0;
}

static int pull_name(struct image_store *s, const struct registries_config *conf, const char *name, const char *also,
                     const struct pull_options *o, struct arena *a, struct image *ret, struct error *e) {
    struct pull p = {.store = s, .options = o, .a = a, .also = also};
    int r = reference_parse(name, a, &p.ref, e);

    if (r >= 0 && o->platform) {
        r = platform_parse(o->platform, a, &p.want, e);
        p.has_want = true;
    }
    if (r >= 0)
        r = decide(&p, conf, ret, e);
    if (r)
        return r < 0 ? r : 0;
    return each_endpoint(&p, conf, pull_from, ret, e);
}

/* A short name that registries.conf leads elsewhere stays a name of the image, too, so that the next `run` finds it. NULL: the name
 * says where it is. */
static const char *short_name(const char *name, const char *used, struct arena *a) {
    struct reference ref;

    return strcmp(name, used) && reference_parse(name, a, &ref, NULL) >= 0 && !ref.digest ? ref.full : NULL;
}

/* A registry's answer is about a name, a connection's failure about a host: then the name has still to be said. */
static bool error_names(const struct error *e, const char *name) {
    size_t n = strcspn(name, "@");
    const char *tag = memrchr(name, ':', n);
    size_t repository = tag && !memchr(tag, '/', n - (size_t)(tag - name)) ? (size_t)(tag - name) : n;

    return e->text && memmem(e->text, strlen(e->text), name, repository);
}

int image_pull(struct image_store *s, const char *name, const struct pull_options *o, struct arena *a, struct image *ret,
               struct error *e) {
    struct registries_config conf;
    struct image ignored = {0};
    struct strs candidates;
    int r = registries_config_read(a, &conf, e);

    if (r >= 0)
        r = registries_config_candidates(&conf, name, a, &candidates, e);
    if (r < 0)
        return r;
    if (!ret)
        ret = &ignored;
    for (size_t i = 0; i < candidates.n; i++) {
        struct error inner = ERROR_INIT;

        r = pull_name(s, &conf, candidates.v[i], short_name(name, candidates.v[i], a), o, a, ret, &inner);
        if (r >= 0)
            return r;
        if (i + 1 == candidates.n) {
            error_move(e, &inner);
            if (!error_names(e, candidates.v[i]))
                (void)error_wrap(e, r, "pull %s", candidates.v[i]);
        } else
            log_info("%s: %s", candidates.v[i], inner.text ? inner.text : errno_text(r));
        error_release(&inner);
    }
    return r;
}

static int list_tags(struct pull *p, const struct registry_endpoint *ep, struct strs *ret, struct error *e) {
    _cleanup_registry_ struct registry *reg = NULL;
    int r = registry_for(p, ep, &reg, e);

    return r < 0 ? r : registry_tags(reg, p->a, ret, e);
}

int image_pull_all_tags(struct image_store *s, const char *repository, const struct pull_options *o, struct arena *a,
                        struct strs *ret_names, struct error *e) {
    struct pull p = {.store = s, .options = o, .a = a};
    struct registries_config conf;
    struct strs candidates, tags = {0}, names = {0};
    struct list endpoints;
    int r = registries_config_read(a, &conf, e);

    if (r >= 0)
        r = registries_config_candidates(&conf, repository, a, &candidates, e);
    if (r >= 0)
        r = reference_parse(candidates.v[0], a, &p.ref, e);
    if (r >= 0)
        r = registries_config_endpoints(&conf, p.ref.repository, false, a, &endpoints, e);
    if (r >= 0) /* the registry itself: a mirror need not have all */
        r = list_tags(&p, LIST_AT(struct registry_endpoint, &endpoints, endpoints.n - 1), &tags, e);
    for (size_t i = 0; r >= 0 && i < tags.n; i++) {
        struct image image = {0};
        const char *name = arena_printf(a, "%s:%s", p.ref.repository, tags.v[i]);

        r = pull_name(s, &conf, name, NULL, o, a, &image, e);
        strs_add(a, &names, name);
    }
    if (r >= 0)
        *ret_names = names;
    return r;
}

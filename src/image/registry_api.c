/* The requests of the distribution specification. */
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "image/registry_private.h"
#include "model/reference.h"

static const char *const accepted[] = {MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST, MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST};

static void accept_manifests(struct arena *a, struct registry_call *call) {
    for (size_t i = 0; i < ARRAY_SIZE(accepted); i++)
        strs_add(a, &call->headers, arena_printf(a, "Accept: %s", accepted[i]));
}

static const char *media_type_of(const struct fetch_reply *reply, struct arena *a) {
    const char *text = fetch_header(reply, "content-type", NULL);

    return text ? arena_strndup(a, text, strcspn(text, "; ")) : NULL;
}

static const char *subject(const struct registry *r, const char *tag_or_digest, struct arena *a) {
    return arena_printf(a, "%s%s%s", r->target.repository, strchr(tag_or_digest, ':') ? "@" : ":", tag_or_digest);
}

static int ask_for_manifest(struct registry *r, const char *tag_or_digest, struct registry_call *call, struct arena *a,
                            struct fetch_reply *ret, struct error *e) {
    int res;

    call->path = arena_printf(a, "%s/manifests/%s", r->target.path, tag_or_digest);
    accept_manifests(a, call);
    res = registry_call(r, call, a, ret, e);
    if (res < 0)
        return res;
    if (ret->status != 200)
        return registry_status_error(r, arena_printf(a, "manifest for %s", subject(r, tag_or_digest, a)), ret, e);
    return 0;
}

int registry_manifest(struct registry *r, const char *tag_or_digest, struct arena *a, struct registry_document *ret,
                      struct error *e) {
    struct registry_call call = {.method = "GET", .body_max = IMAGE_MANIFEST_MAX, .fd = -1};
    struct registry_document d = {0};
    struct fetch_reply reply;
    const char *named;
    int res = ask_for_manifest(r, tag_or_digest, &call, a, &reply, e);

    if (res < 0)
        return res;
    d.text = reply.body;
    d.media_type = media_type_of(&reply, a);
    sha256_digest(d.text.p, d.text.n, d.digest);
    if (digest_is_valid(tag_or_digest) && strcmp(tag_or_digest, d.digest) != 0)
        return error_set(e, -EBADMSG, "manifest for %s: the registry sent other content, with digest %s",
                         subject(r, tag_or_digest, a), d.digest);
    named = fetch_header(&reply, "docker-content-digest", NULL);
    if (named && digest_is_sha256(named) && strcmp(named, d.digest) != 0)
        return error_set(e, -EBADMSG, "manifest for %s: the registry names digest %s, its content has %s",
                         subject(r, tag_or_digest, a), named, d.digest);
    *ret = d;
    return 0;
}

int registry_manifest_digest(struct registry *r, const char *tag, struct arena *a, const char **ret, struct error *e) {
    struct registry_call call = {.method = "HEAD", .body_max = ERROR_BODY_MAX, .fd = -1};
    struct fetch_reply reply;
    const char *digest;
    int res = ask_for_manifest(r, tag, &call, a, &reply, e);

    if (res < 0)
        return res;
    digest = fetch_header(&reply, "docker-content-digest", NULL);
    if (!digest || !digest_is_sha256(digest))
        return error_set(e, -ENODATA, "%s does not tell digests", r->target.host);
    *ret = digest;
    return 0;
}

int registry_blob_read(struct registry *r, const struct descriptor *d, size_t max, struct arena *a, struct bytes *ret,
                       struct error *e) {
    struct registry_call call = {.method = "GET", .body_max = MIN_OF((uint64_t)max, d->size), .fd = -1};
    struct fetch_reply reply;
    char digest[DIGEST_SHA256_TEXT];
    int res;

    if (d->size > max)
        return error_set(e, -EFBIG, "blob %s has %llu bytes, more than %zu", d->digest, (unsigned long long)d->size, max);
    call.path = arena_printf(a, "%s/blobs/%s", r->target.path, d->digest);
    call.body_max = MAX_OF(call.body_max, (uint64_t)ERROR_BODY_MAX);
    res = registry_call(r, &call, a, &reply, e);
    if (res < 0)
        return error_wrap(e, res, "blob %s", d->digest);
    if (reply.status != 200)
        return registry_status_error(r, arena_printf(a, "blob %s of %s", d->digest, r->target.repository), &reply, e);
    sha256_digest(reply.body.p, reply.body.n, digest);
    if (reply.body.n != d->size || strcmp(digest, d->digest) != 0)
        return error_set(e, -EBADMSG, "blob %s: the registry sent other content (%zu bytes, digest %s)", d->digest, reply.body.n,
                         digest);
    *ret = reply.body;
    return 0;
}

int registry_blob_stream(struct registry *r, const struct descriptor *d, uint64_t offset, int sink, struct error *e) {
    struct registry_call call = {
        .method = "GET", .body_max = ERROR_BODY_MAX, .fd = sink, .flags = FETCH_SINK, .offset = offset, .size = d->size};

    while (call.offset < call.size) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        uint64_t before = call.offset;
        struct fetch_reply reply;
        int res;

        call.path = arena_printf(&a, "%s/blobs/%s", r->target.path, d->digest);
        res = registry_call(r, &call, &a, &reply, e);
        if (res < 0)
            return res; /* the caller knows which blob it is */
        if (reply.status == 416 && call.offset)
            return error_set(e, -EBADMSG, "the registry has only %llu bytes of %llu", (unsigned long long)call.offset,
                             (unsigned long long)call.size);
        if (reply.status != 200 && reply.status != 206)
            return registry_status_error(r, r->target.repository, &reply, e);
        if (call.offset == before) /* a whole answer, and nothing new in it */
            return error_set(e, -EBADMSG, "the registry has only %llu bytes of %llu", (unsigned long long)call.offset,
                             (unsigned long long)call.size);
    }
    return 0;
}

struct tag_list {
    struct strs tags;
};
static const struct json_field tag_list_fields[] = {
    JSON_FIELD(struct tag_list, tags, "tags", JSON_STRS, 0),
    JSON_END,
};
static const struct json_table tag_list_table = JSON_TABLE("tag list", struct tag_list, tag_list_fields);

/* Link: </v2/x/tags/list?n=…&last=…>; rel="next". Only the query counts: the page comes from where the first came from. */
static const char *next_page(const struct fetch_reply *reply, struct arena *a) {
    const char *link = fetch_header(reply, "link", NULL), *query, *end;

    if (!link || !strstr(link, "next") || *link != '<')
        return NULL;
    end = strchr(link, '>');
    query = strchr(link, '?');
    return query && end && query < end ? arena_strndup(a, query, (size_t)(end - query)) : NULL;
}

int registry_tags(struct registry *r, struct arena *a, struct strs *ret, struct error *e) {
    const char *query = "?n=1000";
    struct strs tags = {0};

    while (query) {
        struct registry_call call = {.method = "GET", .body_max = DOCUMENT_MAX, .fd = -1};
        struct tag_list list = {0};
        struct fetch_reply reply;
        int res;

        call.path = arena_printf(a, "%s/tags/list%s", r->target.path, query);
        res = registry_call(r, &call, a, &reply, e);
        if (res < 0)
            return res;
        if (reply.status != 200)
            return registry_status_error(r, arena_printf(a, "tags of %s", r->target.repository), &reply, e);
        res = json_decode(&tag_list_table, reply.body.p, reply.body.n, a, &list, e);
        if (res < 0)
            return error_wrap(e, res, "tags of %s", r->target.repository);
        for (size_t i = 0; i < list.tags.n; i++)
            strs_add(a, &tags, list.tags.v[i]);
        if (tags.n > REGISTRY_TAGS_MAX || (list.tags.n == 0 && tags.n))
            break;
        query = next_page(&reply, a);
    }
    *ret = tags;
    return 0;
}

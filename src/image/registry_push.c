/* The requests that write: uploads, mounts, manifests; and the one that only tries a password. */
#include <string.h>

#include "image/registry_private.h"

static const char *blob_name(const struct registry *r, const char *digest, struct arena *a) {
    return arena_printf(a, "blob %s of %s", digest, r->target.repository);
}

int registry_blob_exists(struct registry *r, const char *digest, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct registry_call call = {.method = "HEAD", .body_max = ERROR_BODY_MAX, .fd = -1};
    struct fetch_reply reply;
    int res;

    call.path = arena_printf(&a, "%s/blobs/%s", r->target.path, digest);
    res = registry_call(r, &call, &a, &reply, e);
    if (res < 0)
        return res;
    if (reply.status == 200 || reply.status == 404)
        return reply.status == 200;
    return registry_status_error(r, blob_name(r, digest, &a), &reply, e);
}

/* Where an upload goes on: absolute, or a path on the registry. */
static const char *upload_location(struct registry *r, const struct fetch_reply *reply, struct arena *a) {
    const char *location = fetch_header(reply, "location", NULL);

    if (location && *location == '/')
        return arena_printf(a, "%s://%s%s", r->https ? "https" : "http", r->connect_host, location);
    return location;
}

static int start_upload(struct registry *r, const char *query, const char *scope, struct arena *a, struct fetch_reply *ret,
                        struct error *e) {
    struct registry_call call = {.method = "POST", .scope = scope, .body_max = ERROR_BODY_MAX, .fd = -1};

    call.path = arena_printf(a, "%s/blobs/uploads/%s", r->target.path, query);
    return registry_call(r, &call, a, ret, e);
}

int registry_blob_mount(struct registry *r, const char *digest, const char *from_path, struct arena *a, const char **ret_upload,
                        struct error *e) {
    _cleanup_buf_ struct buf query = BUF_INIT;
    /* A token for both, where the registry asks for one: without a right to read there it will not mount. */
    const char *scope = arena_printf(a, "repository:%s:%s repository:%s:pull", r->target.path, r->target.actions, from_path);
    struct fetch_reply reply;
    int res;

    buf_add_str(&query, "?mount=");
    url_escape(digest, &query);
    buf_add_str(&query, "&from=");
    url_escape(from_path, &query);
    res = start_upload(r, buf_text(&query), scope, a, &reply, e);
    if (res < 0)
        return res;
    if (reply.status == 202)
        *ret_upload = upload_location(r, &reply, a);
    return reply.status == 201;
}

/* A new upload's place. */
static int upload_place(struct registry *r, const char *digest, struct arena *a, const char **ret, struct error *e) {
    struct fetch_reply reply;
    int res = start_upload(r, "", NULL, a, &reply, e);

    if (res < 0)
        return res;
    if (reply.status != 202)
        return registry_status_error(r, arena_printf(a, "upload of %s", blob_name(r, digest, a)), &reply, e);
    *ret = upload_location(r, &reply, a);
    return *ret ? 0 : error_set(e, -EBADMSG, "%s does not say where to upload to", r->target.host);
}

int registry_blob_upload(struct registry *r, const char *digest, const char *upload, int fd, uint64_t size, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf to = BUF_INIT;
    struct registry_call call = {
        .method = "PUT", .body_max = ERROR_BODY_MAX, .fd = fd, .flags = FETCH_UPLOAD, .size = size, .once = true};
    struct fetch_reply reply;
    int res = upload ? 0 : upload_place(r, digest, &a, &upload, e);

    if (res < 0 || !upload)
        return res;
    buf_printf(&to, "%s%cdigest=", upload, strchr(upload, '?') ? '&' : '?');
    url_escape(digest, &to);
    call.path = buf_text(&to);
    strs_add(&a, &call.headers, "Content-Type: application/octet-stream");
    res = registry_call(r, &call, &a, &reply, e);
    if (res >= 0 && reply.status != 201)
        res = registry_status_error(r, arena_printf(&a, "upload of %s", blob_name(r, digest, &a)), &reply, e);
    return res;
}

int registry_manifest_put(struct registry *r, const char *tag_or_digest, const char *media_type, struct bytes text,
                          struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct registry_call call = {.method = "PUT", .body = text, .body_max = ERROR_BODY_MAX, .fd = -1};
    struct fetch_reply reply;
    int res;

    call.path = arena_printf(&a, "%s/manifests/%s", r->target.path, tag_or_digest);
    strs_add(&a, &call.headers, arena_printf(&a, "Content-Type: %s", media_type));
    res = registry_call(r, &call, &a, &reply, e);
    if (res >= 0 && reply.status != 201)
        res = registry_status_error(r, arena_printf(&a, "manifest %s of %s", tag_or_digest, r->target.repository), &reply, e);
    return res;
}

int registry_login(struct registry *r, const struct credentials *c, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct registry_call call = {.method = "GET", .path = "", .body_max = ERROR_BODY_MAX, .fd = -1};
    struct fetch_reply reply;
    int res;

    r->credentials = (struct credentials){arena_strdup(&r->arena, c->user), arena_strdup(&r->arena, c->password),
                                          arena_strdup(&r->arena, c->identity_token)};
    r->credentials_known = true;
    res = registry_call(r, &call, &a, &reply, e);
    if (res < 0)
        return res;
    if (reply.status == 401)
        return error_set(e, -EACCES, "login to %s: unauthorized: incorrect username or password", r->target.host);
    if (reply.status != 200)
        return registry_status_error(r, arena_printf(&a, "login to %s", r->target.host), &reply, e);
    return 0;
}

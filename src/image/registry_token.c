/* Answers to 401: Basic, or a Bearer token fetched from the realm that the registry names. */
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "image/registry_private.h"

struct token {
    const char *token, *access_token, *refresh_token;
};

static const struct json_field token_fields[] = {
    JSON_FIELD(struct token, token, "token", JSON_STR, 0),
    JSON_FIELD(struct token, access_token, "access_token", JSON_STR, 0),
    JSON_FIELD(struct token, refresh_token, "refresh_token", JSON_STR, 0),
    JSON_END,
};
static const struct json_table token_table = JSON_TABLE("token", struct token, token_fields);

static int look_up(struct registry *r, struct error *e) {
    const char *name = r->target.mirror ? arena_printf(&r->arena, "%s/%s", r->target.host, r->target.path) : r->target.repository;
    int found;

    if (r->credentials_known)
        return 0;
    found = credentials_find(name, &r->arena, &r->credentials, e);
    if (found < 0)
        return found;
    r->credentials_known = true;
    return 0;
}

static const char *basic(const struct credentials *c, struct arena *a) {
    _cleanup_buf_ struct buf plain = BUF_INIT, text = BUF_INIT;

    buf_printf(&plain, "%s:%s", c->user, c->password ? c->password : "");
    buf_add_str(&text, "Basic ");
    base64_encode(buf_text(&plain), plain.size, &text);
    explicit_bzero(plain.data, plain.size);
    return arena_strdup(a, buf_text(&text));
}

static void form_add(struct buf *form, const char *name, const char *value) {
    if (!value || !*value)
        return;
    buf_printf(form, "%s%s=", form->size ? "&" : "", name);
    url_escape(value, form);
}

/* OAuth2's refresh grant, where an identity token is kept instead of a password. */
static void refresh_form(const struct challenge *c, const char *scope, const char *refresh, struct buf *form) {
    form_add(form, "grant_type", "refresh_token");
    form_add(form, "service", c->service);
    form_add(form, "scope", scope);
    form_add(form, "client_id", "tare");
    form_add(form, "refresh_token", refresh);
}

static bool is_printable(const char *token) {
    for (const char *p = token; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return false;
    return *token != 0;
}

static int read_token(const struct url *realm, const struct fetch_reply *reply, struct registry *r, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct token t = {0};
    const char *text;

    if (json_decode(&token_table, reply->body.p, reply->body.n, &a, &t, e) < 0)
        return error_wrap(e, -EBADMSG, "the token service %s", realm->host);
    text = t.token && *t.token ? t.token : t.access_token;
    if (!text || !is_printable(text)) /* it becomes a header: no line breaks */
        return error_set(e, -EBADMSG, "the token service %s sent no token", realm->host);
    r->authorization = arena_printf(&r->arena, "Bearer %s", text);
    return 0;
}

/* Asks the realm; 5xx and 429 are repeated by the caller's own retries, since the whole request is. */
static int fetch_token(struct registry *r, const struct url *url, const struct challenge *c, const char *scope, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf form = BUF_INIT;
    const struct credentials *cred = &r->credentials;
    struct registry_call call = {.method = "GET", .body_max = TOKEN_BODY_MAX, .fd = -1};
    struct fetch_reply reply;
    struct url realm;
    uint64_t flags;
    int res = url_parse(c->realm, &a, &realm, e);

    if (res >= 0)
        res = realm_check(url, r->is_private, &realm, e);
    if (res < 0)
        return error_wrap(e, res, "token for %s", r->target.host);
    flags = !strcmp(realm.host, url->host) ? 0 : r->is_private ? FETCH_REFUSE_LINK_LOCAL : FETCH_REFUSE_PRIVATE;
    if (cred->identity_token) {
        refresh_form(c, scope, cred->identity_token, &form);
        call.method = "POST";
        call.body = (struct bytes){buf_text(&form), form.size};
        strs_add(&a, &call.headers, "Content-Type: application/x-www-form-urlencoded");
    } else {
        res = url_parse(realm_query(&realm, c, scope, cred->user, &a), &a, &realm, e);
    }
    if (res >= 0)
        res = registry_send(r, &realm, &call, cred->user && !cred->identity_token ? basic(cred, &a) : NULL, flags, &a, &reply, e);
    if (form.data)
        explicit_bzero(form.data, form.size);
    if (res < 0)
        return res;
    if (reply.result != FETCH_OK)
        return registry_result_error(r, &realm, &reply, e);
    if (reply.status != 200)
        return registry_status_error(r, arena_printf(&a, "token for %s", r->target.repository), &reply, e);
    return read_token(&realm, &reply, r, e);
}

int registry_authorize(struct registry *r, const struct url *url, const struct fetch_reply *reply, const char *scope,
                       struct error *e) {
    struct challenge c = {0}, best = {0};
    bool found = false;
    size_t from = 0;
    const char *header;
    int res = look_up(r, e);

    if (res < 0)
        return res;
    while ((header = fetch_header(reply, "www-authenticate", &from))) {
        res = challenge_parse(header, &r->arena, &c, e);
        if (res >= 0 && (!found || (c.bearer && !best.bearer))) {
            best = c;
            found = true;
        }
    }
    if (!found)
        return res < 0 ? res : -EACCES;
    if (best.bearer)
        return fetch_token(r, url, &best, best.scope && !r->target.path[0] ? best.scope : scope, e);
    if (!r->credentials.user)
        return -EACCES;
    r->authorization = basic(&r->credentials, &r->arena);
    return 0;
}

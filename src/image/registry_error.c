#include <string.h>

#include "base/json.h"
#include "image/registry_private.h"

struct registry_error {
    const char *code, *message;
};
struct registry_errors {
    struct list errors;
    const char *details; /* Docker Hub's token service */
};

static const struct json_field error_fields[] = {
    JSON_FIELD(struct registry_error, code, "code", JSON_STR, 0),
    JSON_FIELD(struct registry_error, message, "message", JSON_STR, 0),
    JSON_END,
};
static const struct json_table error_table = JSON_TABLE("error", struct registry_error, error_fields);
static const struct json_field errors_fields[] = {
    JSON_FIELD_OF(struct registry_errors, errors, "errors", JSON_OBJS, 0, &error_table),
    JSON_FIELD(struct registry_errors, details, "details", JSON_STR, 0),
    JSON_END,
};
static const struct json_table errors_table = JSON_TABLE("errors", struct registry_errors, errors_fields);

/* A stranger's words on a terminal: one line of printable characters. */
static const char *printable(const char *text, struct arena *a) {
    char *copy = arena_strndup(a, text, 300);

    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    return copy;
}

static const char *body_message(const struct fetch_reply *reply, struct arena *a) {
    struct registry_errors errors = {0};

    if (json_decode(&errors_table, reply->body.p, reply->body.n, a, &errors, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < errors.errors.n; i++) {
        const struct registry_error *one = LIST_AT(struct registry_error, &errors.errors, i);

        if (one->message || one->code)
            return printable(one->message ? one->message : one->code, a);
    }
    return errors.details ? printable(errors.details, a) : NULL;
}

static int unknown_authority(const struct registry *r, const struct url *url, const char *text, struct error *e) {
    error_set(e, -EKEYREJECTED, "TLS with %s: %s", url->host, text);
    return error_hint(e, "put its authority into /etc/docker/certs.d/%s/ca.crt, or mark it insecure in registries.conf",
                      r->target.host);
}

int registry_result_error(const struct registry *r, const struct url *url, const struct fetch_reply *reply, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *text = reply->text ? printable(reply->text, &a) : "";
    const char *host = url->host;

    switch ((enum fetch_result)reply->result) {
    case FETCH_RESOLVE:
        error_set(e, -EHOSTUNREACH, "no such host: %s", host);
        return error_hint(e, "check the name and /etc/resolv.conf");
    case FETCH_REFUSED:
        error_set(e, -ECONNREFUSED, "cannot connect to %s port %u: %s", host, url->port, text);
        return error_hint(e, "is the registry running there?");
    case FETCH_TIMEOUT: return error_set(e, -ETIMEDOUT, "no connection to %s port %u in time", host, url->port);
    case FETCH_STALLED: return error_set(e, -ETIMEDOUT, "%s sent nothing for too long", host);
    case FETCH_NOT_TLS:
        error_set(e, -EPROTO, "TLS with %s failed: %s", host, text);
        return error_hint(e, "if the registry speaks plain HTTP, mark it insecure in registries.conf");
    case FETCH_AUTHORITY: return unknown_authority(r, url, text, e);
    case FETCH_STRANGER:
        error_set(e, -EKEYREJECTED, "%s wants another client certificate, or one at all: %s", host, text);
        return error_hint(e, "put client.cert and client.key into /etc/docker/certs.d/%s", r->target.host);
    case FETCH_BROKEN: return error_set(e, -ECONNRESET, "the connection to %s broke off: %s", host, text);
    case FETCH_TOO_LARGE: return error_set(e, -EFBIG, "%s sent more than is allowed (headers or body)", host);
    case FETCH_ADDRESS: return error_set(e, -EPERM, "%s leads to an address inside this network: refused", host);
    case FETCH_SINK_GONE: return error_set(e, -EPIPE, "the unpacking side ended");
    case FETCH_OK:
    case FETCH_FAILED:
    case FETCH_RESULTS: break;
    }
    return error_set(e, -EIO, "request to %s failed: %s", host, text);
}

int registry_status_error(const struct registry *r, const char *what, const struct fetch_reply *reply, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *message = body_message(reply, &a);
    unsigned status = (unsigned)reply->status;

    switch (status) {
    case 401:
        error_set(e, -EACCES, "%s: unauthorized: %s", what, message ? message : "authentication required");
        return error_hint(e, "tare login %s", r->target.host);
    case 403:
        error_set(e, -EACCES, "%s: denied: %s", what, message ? message : "requested access to the resource is denied");
        return error_hint(e, "does the repository exist, and may you read it? tare login %s", r->target.host);
    case 404: return error_set(e, -ENOENT, "%s: not found: %s", what, message ? message : "manifest unknown");
    case 429:
        error_set(e, -EBUSY, "%s: too many requests: %s", what, message ? message : "the registry limits how often it is asked");
        return error_hint(e, "wait, or tare login %s", r->target.host);
    default:
        return error_set(e, -EIO, "%s: %s answered with status %u%s%s", what, r->target.host, status, message ? ": " : "",
                         message ? message : "");
    }
}

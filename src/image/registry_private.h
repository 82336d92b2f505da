/* Shared by the files of the registry client. */
#pragma once

#include "image/credentials.h"
#include "image/fetch.h"
#include "image/registry.h"
#include "image/registry_auth.h"
#include "image/registry_certs.h"

#define DOCUMENT_MAX    IMAGE_MANIFEST_MAX
#define ERROR_BODY_MAX  ((size_t)64 << 10)
#define TOKEN_BODY_MAX  ((size_t)256 << 10)
#define CONNECT_MS      30000
#define PROBE_MS        3000 /* for the TLS handshake with a loopback address, which may speak plain HTTP and say nothing */
#define STALL_S_DEFAULT 30
#define DOCUMENT_MS     120000
#define TRIES_TOTAL_MAX 64 /* of one blob, however much progress each makes */

struct registry {
    struct arena arena;
    struct registry_target target;
    const char *connect_host; /* host[:port]; docker.io is served at registry-1.docker.io */
    const char *host;         /* of it, alone */
    struct fetcher *fetcher;
    struct registry_certs certs;
    bool https, scheme_known;
    bool is_private; /* at a private address */
    bool peer_known;
    uint64_t stall_ms;
    const char *authorization; /* "Bearer …" or "Basic …" of the last answer; NULL */
    bool credentials_known;    /* looked up, found or not */
    struct credentials credentials;
};

/* One request below /v2/. */
struct registry_call {
    const char *method;
    const char *path; /* "library/alpine/manifests/latest", or an absolute URL (uploads) */
    struct strs headers;
    struct bytes body;
    uint64_t body_max;
    int fd;                /* sink or source; -1 */
    uint64_t flags;        /* FETCH_SINK, FETCH_UPLOAD */
    uint64_t offset, size; /* of a sink; offset moves on while bytes arrive */
    const char *scope;     /* NULL: of the target */
    bool once;             /* not to be repeated when it breaks off (uploads) */
};

/* Makes the call with everything around it. 0: *ret has the final answer, whatever its status but those that were repeated. */
int registry_call(struct registry *r, struct registry_call *call, struct arena *a, struct fetch_reply *ret, struct error *e);
/* One request to one place, without credentials unless given; chooses the proxy. */
int registry_send(struct registry *r, const struct url *url, const struct registry_call *call, const char *authorization,
                  uint64_t flags, struct arena *a, struct fetch_reply *ret, struct error *e);

/* Answers a 401: sets r->authorization. -EACCES: there is nothing (more) to offer. */
int registry_authorize(struct registry *r, const struct url *url, const struct fetch_reply *reply, const char *scope,
                       struct error *e);

/* Sentences. `what`: "pull alpine:latest". Both return a negative errno. */
int registry_result_error(const struct registry *r, const struct url *url, const struct fetch_reply *reply, struct error *e);
int registry_status_error(const struct registry *r, const char *what, const struct fetch_reply *reply, struct error *e);

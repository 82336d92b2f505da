#include "image/registry.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "image/registry_config.h"
#include "image/registry_private.h"

#define DOCKER_HUB_HOST "registry-1.docker.io"

static uint64_t stall_ms(void) {
    const char *text = getenv("TARE_REGISTRY_STALL_SECONDS"); /* for slow links, and for tests that cannot wait */
    unsigned long s = text ? strtoul(text, NULL, 10) : 0;

    return (s && s <= 3600 ? s : STALL_S_DEFAULT) * 1000;
}

int registry_open(const struct registry_target *target, struct registry **ret, struct error *e) {
    _cleanup_registry_ struct registry *r = calloc(1, sizeof *r);
    uint16_t port;
    int res;

    if (!r)
        abort();
    r->target = *target;
    r->target.host = arena_strdup(&r->arena, target->host);
    r->target.path = arena_strdup(&r->arena, target->path);
    r->target.repository = arena_strdup(&r->arena, target->repository);
    r->target.actions = arena_strdup(&r->arena, target->actions);
    r->connect_host = strcmp(target->host, "docker.io") ? r->target.host : DOCKER_HUB_HOST;
    r->stall_ms = stall_ms();
    res = host_split(r->connect_host, &r->arena, &r->host, &port, e);
    if (res < 0)
        return res;
    r->is_private = host_is_private(r->host);
    r->https = true;
    r->scheme_known = !target->insecure && !host_is_loopback(r->host);
    res = registry_certs_read(r->target.host, &r->arena, &r->certs, e);
    if (res < 0)
        return res;
    *ret = TAKE_PTR(r);
    return 0;
}

int registry_open_primary(const char *repository, const char *actions, struct arena *a, struct registry **ret, struct error *e) {
    struct registries_config conf;
    struct registry_target target;
    struct registry_endpoint *ep;
    struct list endpoints;
    int r = registries_config_read(a, &conf, e);

    if (r >= 0)
        r = registries_config_endpoints(&conf, repository, false, a, &endpoints, e);
    if (r < 0)
        return r;
    ep = LIST_AT(struct registry_endpoint, &endpoints, endpoints.n - 1);
    target = (struct registry_target){
        .host = ep->host, .path = ep->path, .repository = repository, .actions = actions, .insecure = ep->insecure};
    return registry_open(&target, ret, e);
}

struct registry *registry_free(struct registry *r) {
    if (r) {
        fetcher_free(r->fetcher);
        arena_release(&r->arena);
        free(r);
    }
    return NULL;
}

void registry_forked(struct registry *r) {
    r->fetcher = NULL; /* its memory goes with this process; the worker is the parent's to end */
}

/* What Go's programs do with the usual variables, so that one environment serves all. Loopback is never proxied. */
static void choose_proxy(const struct url *url, struct fetch_request *q) {
    const char *lower = getenv(url->https ? "https_proxy" : "http_proxy"),
               *upper = getenv(url->https ? "HTTPS_PROXY" : "HTTP_PROXY");
    const char *none_lower = getenv("no_proxy"), *none_upper = getenv("NO_PROXY");

    if (host_is_loopback(url->host))
        return;
    q->proxy = lower && *lower ? lower : upper && *upper ? upper : NULL;
    q->no_proxy = none_lower && *none_lower ? none_lower : none_upper;
}

int registry_send(struct registry *r, const struct url *url, const struct registry_call *call, const char *authorization,
                  uint64_t flags, struct arena *a, struct fetch_reply *ret, struct error *e) {
    struct fetch_request q = {
        .method = call->method,
        .url = url->text,
        .flags = call->flags | flags,
        .body = call->body,
        .body_max = call->body_max,
        .offset = call->offset,
        .size = call->size,
        .upload_size = call->flags & FETCH_UPLOAD ? call->size : 0,
        .connect_timeout_ms = !r->scheme_known && url->https ? PROBE_MS : CONNECT_MS,
        .stall_timeout_ms = r->stall_ms,
        .total_timeout_ms = call->flags & (FETCH_SINK | FETCH_UPLOAD) ? 0 : MAX_OF((uint64_t)DOCUMENT_MS, r->stall_ms),
        .ca = r->certs.ca,
    };
    int res;

    for (size_t i = 0; i < call->headers.n; i++)
        strs_add(a, &q.headers, call->headers.v[i]);
    if (authorization)
        strs_add(a, &q.headers, arena_printf(a, "Authorization: %s", authorization));
    if (!strcmp(url->host, r->host)) {
        q.cert = r->certs.cert; /* our own certificate is shown to the registry, not where it redirects to */
        q.key = r->certs.key;
    }
    if (r->target.insecure)
        q.flags |= FETCH_SKIP_VERIFY;
    choose_proxy(url, &q);
    if (q.proxy) /* then the proxy's address is what the worker sees, and the user chose it */
        q.flags &= ~(uint64_t)(FETCH_REFUSE_PRIVATE | FETCH_REFUSE_LINK_LOCAL);
    if (!r->fetcher) {
        res = fetcher_start(&r->fetcher, e);
        if (res < 0)
            return res;
    }
    log_debug("%s %.*s", q.method, (int)strcspn(q.url, "?"), q.url); /* signed links carry secrets behind the ? */
    res = fetcher_do(r->fetcher, &q, call->fd, a, ret, e);
    if (res < 0)
        r->fetcher = fetcher_free(r->fetcher);
    else if (!r->peer_known && ret->result == FETCH_OK && !q.proxy) {
        r->peer_known = true;
        r->is_private = r->is_private || ret->peer != FETCH_PEER_PUBLIC;
    }
    return res;
}

static int registry_address(struct registry *r, const struct registry_call *call, struct arena *a, struct url *ret,
                            struct error *e) {
    const char *text = call->path;

    if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
        text = arena_printf(a, "%s://%s/v2/%s", r->https ? "https" : "http", r->connect_host, call->path);
    return url_parse(text, a, ret, e);
}

/* With a registry that may speak plain HTTP (loopback, or configured insecure) TLS is tried first; what does not speak it is asked
 * again without. true: the scheme has changed, try again. */
static bool fall_back_to_http(struct registry *r, const struct fetch_reply *reply) {
    if (r->scheme_known)
        return false;
    if (reply->result == FETCH_OK || reply->result == FETCH_AUTHORITY || reply->result == FETCH_STRANGER || !r->https) {
        r->scheme_known = true;
        return false;
    }
    r->https = false;
    r->scheme_known = true;
    return true;
}

static bool is_redirect(const struct fetch_reply *reply) {
    return reply->redirect &&
           (reply->status == 301 || reply->status == 302 || reply->status == 303 || reply->status == 307 || reply->status == 308);
}

/* The registry's own address: where credentials belong. */
static int registry_origin(struct registry *r, struct arena *a, struct url *ret, struct error *e) {
    return url_parse(arena_printf(a, "%s://%s/v2/", r->https ? "https" : "http", r->connect_host), a, ret, e);
}

/* From `url` on, through redirects. Credentials go to the registry and nowhere else. */
static int follow(struct registry *r, struct registry_call *call, struct url url, struct arena *a, struct fetch_reply *ret,
                  struct url *ret_url, struct error *e) {
    struct url origin;
    int res = registry_origin(r, a, &origin, e);

    for (unsigned hops = 0; res >= 0; hops++) {
        struct url next;
        bool home = url_same_origin(&origin, &url);

        if (call->flags & FETCH_UPLOAD && lseek(call->fd, 0, SEEK_SET) < 0)
            return error_errno(e, -errno, "read the blob to upload");
        res = registry_send(r, &url, call, home ? r->authorization : NULL, hops && !r->is_private ? FETCH_REFUSE_LINK_LOCAL : 0, a,
                            ret, e);
        *ret_url = url;
        if (res < 0 || ret->result != FETCH_OK || !is_redirect(ret))
            return res;
        if (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0)
            return 0;
        if (hops == REGISTRY_REDIRECTS_MAX)
            return error_set(e, -ELOOP, "%s: more than %d redirects", origin.host, REGISTRY_REDIRECTS_MAX);
        res = url_parse(ret->redirect, a, &next, e);
        if (res >= 0)
            res = redirect_check(&url, &next, e);
        if (res < 0)
            return error_wrap(e, res, "redirect by %s", url.host);
        url = next;
    }
    return res;
}

static const char *own_scope(struct registry *r, struct arena *a) {
    return r->target.path[0] ? arena_printf(a, "repository:%s:%s", r->target.path, r->target.actions) : NULL;
}

/* One try: scheme, 401, redirects. */
static int try_once(struct registry *r, struct registry_call *call, struct arena *a, struct fetch_reply *ret, struct url *ret_url,
                    struct error *e) {
    const char *scope = call->scope ? call->scope : own_scope(r, a);
    bool authorized = false;

    for (;;) {
        struct url url, home;
        int res = registry_address(r, call, a, &home, e);

        if (res >= 0)
            res = follow(r, call, home, a, ret, &url, e);
        if (res < 0)
            return res;
        *ret_url = url;
        if (fall_back_to_http(r, ret))
            continue;
        if (ret->result != FETCH_OK || ret->status != 401 || authorized || !url_same_origin(&home, &url))
            return 0;
        authorized = true;
        res = registry_authorize(r, &home, ret, scope, e);
        if (res == -EACCES && !(e && e->text))
            return 0; /* the caller says it, with the registry's words */
        if (res < 0)
            return res;
    }
}

static bool result_is_transient(const struct fetch_reply *reply) {
    switch ((enum fetch_result)reply->result) {
    case FETCH_OK: return status_is_transient((unsigned)reply->status);
    case FETCH_TIMEOUT:
    case FETCH_STALLED:
    case FETCH_BROKEN: return true;
    default: return false;
    }
}

static void wait_before_retry(unsigned attempt, const struct fetch_reply *reply) {
    struct timespec pause;
    uint32_t random = 0;
    unsigned ms;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_monotonic_ns();
    ms = retry_delay_ms(attempt, reply->result == FETCH_OK ? fetch_header(reply, "retry-after", NULL) : NULL, clock_wall().tv_sec,
                        random);
    log_info("registry: trying again in %u ms", ms);
    pause = (struct timespec){ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
        ;
}

int registry_call(struct registry *r, struct registry_call *call, struct arena *a, struct fetch_reply *ret, struct error *e) {
    unsigned attempt = 1;

    for (unsigned total = 1;; total++) {
        struct fetch_reply reply = {0};
        struct url url;
        bool transient;
        int res = try_once(r, call, a, &reply, &url, e);

        if (res < 0)
            return res;
        if (call->flags & FETCH_SINK) {
            /* The worker is believed only as far as what was asked for: it can lie about bytes, the hash over them cannot. */
            if (reply.written > call->size - call->offset)
                return error_set(e, -EBADMSG, "tare-fetch says that it wrote more than there is");
            call->offset += reply.written;
            if (reply.written)
                attempt = 1;
        }
        transient = result_is_transient(&reply);
        if (!transient || call->once || attempt >= RETRY_TRIES || total >= TRIES_TOTAL_MAX) {
            if (reply.result != FETCH_OK)
                return registry_result_error(r, &url, &reply, e);
            *ret = reply;
            return 0;
        }
        wait_before_retry(attempt++, &reply);
    }
}

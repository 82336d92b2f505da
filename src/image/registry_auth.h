/* What registries ask for (WWW-Authenticate), whether they may have it, and how long to wait before trying again. Pure: tested
 * without a registry. Source: RFC 9110 section 11, Docker's token specification, OCI distribution specification. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "image/registry_url.h"

struct challenge {
    bool bearer;         /* else Basic */
    const char *realm;   /* bearer: where tokens are had; NULL = none given */
    const char *service; /* NULL = none */
    const char *scope;   /* NULL = none */
    const char *error;   /* "invalid_token", "insufficient_scope"; NULL */
};

/* Reads one header, which may hold several challenges; prefers Bearer. -EINVAL: malformed, or only schemes that tare has not. */
int challenge_parse(const char *header, struct arena *a, struct challenge *ret, struct error *e);

/* May `realm` be asked for a token on behalf of `registry`? Credentials go there, so: https, unless the registry itself is spoken
 * to in plain HTTP; and no loopback, link-local or private address, unless the registry is at such a place (registry_private: by
 * its name or by the address that answered). -EPERM says why not. */
int realm_check(const struct url *registry, bool registry_private, const struct url *realm, struct error *e);
/* The realm with its query: service, scope and account. */
const char *realm_query(const struct url *realm, const struct challenge *c, const char *scope, const char *account,
                        struct arena *a);

/* May a redirect from `from` be followed to `to`? -EPERM: from https to http, or to a link-local address. */
int redirect_check(const struct url *from, const struct url *to, struct error *e);

void base64_encode(const void *p, size_t n, struct buf *out);
/* Standard alphabet, padding optional. -EINVAL. */
int base64_decode(const char *text, size_t n, struct buf *out);

#define RETRY_TRIES       5
#define RETRY_DELAY_MAX_S 60
/* Milliseconds to wait before try number `attempt` (1 = the first repetition): 0.5 s doubled each time up to 16 s and spread by
 * `random` (any number), or what Retry-After asks for (seconds or a date; capped at RETRY_DELAY_MAX_S). */
unsigned retry_delay_ms(unsigned attempt, const char *retry_after, int64_t now_s, uint32_t random);
/* Answers that may be better next time: 408, 429, 500, 502, 503, 504. */
bool status_is_transient(unsigned status);

/* Addresses of registries, as far as the engine must understand them: which origin a request goes to, and whether it may go there.
 * curl does the rest. Pure. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define URL_MAX ((size_t)16 << 10) /* signed links of blob stores are long */

struct url {
    bool https;       /* else http */
    const char *host; /* lower case; an IPv6 address without brackets */
    uint16_t port;    /* the scheme's default when none is given */
    const char *rest; /* path and query, "/…"; the fragment is dropped */
    const char *text; /* the whole, as sent */
};

/* http:// and https:// only. -EINVAL: another scheme, user information, control characters, a bad port. */
int url_parse(const char *text, struct arena *a, struct url *ret, struct error *e);
/* The same scheme, host and port: only then do credentials go along. */
bool url_same_origin(const struct url *a, const struct url *b);

/* Splits "host[:port]" as registries are written. -EINVAL. ret_port 0: none given. */
int host_split(const char *text, struct arena *a, const char **ret_host, uint16_t *ret_port, struct error *e);
/* "localhost", 127.0.0.0/8, ::1: what tare speaks plain HTTP to without being told. */
bool host_is_loopback(const char *host);
/* An address literal, or a name that by its nature stays inside: loopback, link-local, private, "localhost". Names are looked at
 * again when they are connected to (FETCH_REFUSE_PRIVATE). */
bool host_is_private(const char *host);

/* Percent-encodes what is not unreserved (RFC 3986). */
void url_escape(const char *text, struct buf *out);

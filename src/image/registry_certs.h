/* Certificates for one registry: /etc/docker/certs.d/HOST[:PORT]/ and /etc/containers/certs.d/…, and the user's
 * ~/.config/containers/certs.d. Every *.crt is one more authority; NAME.cert with NAME.key is what we show. The texts are read
 * here, with the user's rights, and handed to the worker, which could not read them. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct registry_certs {
    const char *ca, *cert, *key; /* PEM; NULL = none */
};

/* host: "host[:port]". -EINVAL: a .cert without its .key or the other way round. */
int registry_certs_read(const char *host, struct arena *a, struct registry_certs *ret, struct error *e);

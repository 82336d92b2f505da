/* docker-credential-NAME: a program that keeps the user's passwords. Started as the user with a small environment; speaks JSON over
 * its standard input and output. Source: docker-credential-helpers' documented protocol. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct credentials {
    const char *user;           /* NULL = none */
    const char *password;       /* with user */
    const char *identity_token; /* a refresh token instead of a password; NULL */
};

/* 1 found, 0 it has none for this server. */
int credential_helper_get(const char *helper, const char *server, struct arena *a, struct credentials *ret, struct error *e);
int credential_helper_store(const char *helper, const char *server, const struct credentials *c, struct error *e);
int credential_helper_erase(const char *helper, const char *server, struct error *e);

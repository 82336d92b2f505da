/* The user's credentials for registries: Docker's config.json (auths, credHelpers, credsStore) and containers-auth.json(5).
 *
 * Read in this order, the first that knows the registry wins: $REGISTRY_AUTH_FILE alone when set; else $DOCKER_CONFIG/config.json
 * or
 * ~/.docker/config.json, $XDG_RUNTIME_DIR/containers/auth.json (root: /run/containers/0/auth.json), ~/.config/containers/auth.json.
 */
#pragma once

#include "image/credential_helper.h"

/* repository: "host/path" (auth.json may name a part of the path). 1: found; 0: there are none; negative: a file or helper is
 * broken. */
int credentials_find(const char *repository, struct arena *a, struct credentials *ret, struct error *e);

/* The name under which Docker keeps a registry: "https://index.docker.io/v1/" for Docker Hub, else the host. */
const char *credentials_key(const char *host);

/* Puts them where Docker would: into the helper that config.json names, else base64 into its auths (mode 0600). ret_path: the file
 * that was written, NULL when a helper took them; in the arena. */
int credentials_store(const char *host, const struct credentials *c, struct arena *a, const char **ret_path, struct error *e);
/* 1: removed; 0: there were none. */
int credentials_erase(const char *host, struct arena *a, struct error *e);

/* --- parts, for the tests ------------------------------------------------------------------------------------------------------
 */

/* One file's text. As credentials_find(); ret_helper: the helper to ask instead (then 1 and *ret is empty). */
int credentials_parse(const char *text, size_t n, const char *repository, struct arena *a, struct credentials *ret,
                      const char **ret_helper, struct error *e);
/* "user:password" in base64. -EINVAL. */
int credentials_decode(const char *base64, struct arena *a, struct credentials *ret, struct error *e);

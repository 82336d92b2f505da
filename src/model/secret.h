/* What a container asks for of the secrets: --secret NAME[,type=mount|env,target=…,uid=…,gid=…,mode=…]. Pure.
 *
 * Keys and defaults are Podman's: type mount, a file /run/secrets/NAME that belongs to root and has mode 0444; with type env, the
 * variable is called as the secret. */
#pragma once

#include "model/container.h"

#define SECRETS_DIR "/run/secrets"

/* -EINVAL with the key's name. */
int secret_request_parse(const char *text, struct arena *a, struct secret_request *ret, struct error *e);
/* Also for what comes by the API: fills the defaults in. */
int secret_request_check(struct secret_request *s, struct arena *a, struct error *e);
bool secret_is_env(const struct secret_request *s);

/* Names of images, as users write them and as they are stored.
 *
 * The grammar and the normalisation are Docker's: "alpine" stands for docker.io/library/alpine:latest; the first component is a
 * host when it holds a dot or a colon, is "localhost", or holds an upper-case letter. A name may end in a tag, a digest, or both;
 * with a digest no default tag is added, and the digest decides. Source: the reference grammar of the OCI distribution
 * specification and docker-surface.md. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#define REFERENCE_DEFAULT_HOST "docker.io"
#define REFERENCE_DEFAULT_TAG  "latest"
#define REFERENCE_PATH_MAX     255 /* characters of host and path together */
#define REFERENCE_TAG_MAX      128

#define DIGEST_TEXT_MAX    (7 + 128 + 1) /* "sha512:" + 128 + NUL */
#define DIGEST_SHA256_TEXT (7 + 64 + 1)

/* All in the arena. */
struct reference {
    const char *host;       /* "docker.io", "localhost:5000" */
    const char *path;       /* "library/alpine" */
    const char *tag;        /* "latest"; NULL when only a digest was given */
    const char *digest;     /* "sha256:…"; NULL */
    const char *repository; /* host/path */
    const char *full;       /* host/path[:tag][@digest]: the canonical text */
};

/* Parses and normalises. -EINVAL with Docker's "invalid reference format" when the text does not fit the grammar, also for a bare
 * 64-digit identifier, which would be mistaken for one. */
int reference_parse(const char *text, struct arena *a, struct reference *ret, struct error *e);

/* The short form that people read: "alpine:latest" for docker.io/library/alpine:latest; other hosts stay. */
const char *reference_familiar(const struct reference *ref, struct arena *a);
/* The same for the repository alone ("alpine", "quay.io/x/y"), as `images` prints it. */
const char *reference_familiar_repository(const struct reference *ref, struct arena *a);

/* The text that names one thing: host/path@digest when there is a digest, else host/path:tag. What refs/ is keyed by. */
const char *reference_key(const struct reference *ref, struct arena *a);

/* "sha256:" and 64 lower-case hexadecimal digits; sha512 likewise is a digest, but tare stores sha256 only. */
bool digest_is_valid(const char *text);
bool digest_is_sha256(const char *text);
/* The hexadecimal part of a checked digest. */
const char *digest_hex(const char *digest);
/* For the field tables' `check`: *value is const char *. -EINVAL. */
int digest_check(const void *value, struct error *e);

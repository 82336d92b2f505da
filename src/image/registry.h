/* A client of one repository in one registry, after the OCI distribution specification 1.1 and Docker's token protocol. All bytes
 * of the network pass through tare-fetch (image/fetch.h); decisions are made here: where to go, with which credentials, what to try
 * again.
 *
 * Every call ends in bounded time: connections, stalls, retries and redirects have limits. Errors are sentences for the user. */
#pragma once

#include "image/fetch_wire.h"
#include "image/registry_url.h"
#include "model/image_spec.h"

#define REGISTRY_REDIRECTS_MAX 5
#define REGISTRY_TAGS_MAX      100000

struct registry;

struct registry_target {
    const char *host;       /* host[:port] to connect to */
    const char *path;       /* of the repository; "" only for registry_login() */
    const char *repository; /* canonical name, "docker.io/library/alpine": credentials are looked up by it, messages say it */
    const char *actions;    /* "pull" or "pull,push" */
    bool insecure;          /* plain HTTP and unchecked certificates are fine */
    bool mirror;            /* credentials are looked up by host instead */
};

/* Connects to nothing yet; strings are copied. */
int registry_open(const struct registry_target *target, struct registry **ret, struct error *e);
/* The registry itself (no mirror) of a repository "host/path", as registries.conf has it; for push and login ("host"). */
int registry_open_primary(const char *repository, const char *actions, struct arena *a, struct registry **ret, struct error *e);
struct registry *registry_free(struct registry *r); /* NULL is fine */
static inline void registry_freep(struct registry **r) {
    *r = registry_free(*r);
}
#define _cleanup_registry_ _cleanup_(registry_freep)
/* In a forked child: forget the worker, which is the parent's. The token stays. */
void registry_forked(struct registry *r);

struct registry_document {
    struct bytes text;
    const char *media_type; /* of the answer, without parameters; NULL */
    char digest[72];        /* of the text */
};

/* A manifest or index by tag or digest. By digest, and where the registry names one, the content must fit (-EBADMSG). -ENOENT. */
int registry_manifest(struct registry *r, const char *tag_or_digest, struct arena *a, struct registry_document *ret,
                      struct error *e);
/* Its digest only (HEAD). -ENOENT; -ENODATA when the registry does not say. */
int registry_manifest_digest(struct registry *r, const char *tag, struct arena *a, const char **ret, struct error *e);
/* A small blob, checked against its descriptor. */
int registry_blob_read(struct registry *r, const struct descriptor *d, size_t max, struct arena *a, struct bytes *ret,
                       struct error *e);
/* Sends the blob from `offset` on into `sink`, with as many tries as it takes and is allowed. Whoever reads the sink checks the
 * digest. sink is borrowed. */
int registry_blob_stream(struct registry *r, const struct descriptor *d, uint64_t offset, int sink, struct error *e);
/* All tags, sorted as the registry sorts them. */
int registry_tags(struct registry *r, struct arena *a, struct strs *ret, struct error *e);

/* Is the blob there? 1, 0 or an error. */
int registry_blob_exists(struct registry *r, const char *digest, struct error *e);
/* Asks the registry to take the blob over from another of its repositories; 1: it did, 0: it did not. ret_upload: where it began an
 * upload instead; unchanged when it did not. In the arena. */
int registry_blob_mount(struct registry *r, const char *digest, const char *from_path, struct arena *a, const char **ret_upload,
                        struct error *e);
/* Uploads size bytes from fd (at its start). upload: an upload that was begun; NULL = begin one. */
int registry_blob_upload(struct registry *r, const char *digest, const char *upload, int fd, uint64_t size, struct error *e);
int registry_manifest_put(struct registry *r, const char *tag_or_digest, const char *media_type, struct bytes text,
                          struct error *e);

struct credentials;
/* Tries the credentials (copied). 0: accepted; -EACCES: refused. */
int registry_login(struct registry *r, const struct credentials *c, struct error *e);

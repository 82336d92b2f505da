/* Images as the engine uses them. Functions that change something take the store's locks themselves. */
#pragma once

#include "base/id_shift.h"
#include "image/store.h"
#include "model/image_spec.h"
#include "model/reference.h"

/* One image, ready to run. In the arena given to the function that filled it. */
struct image {
    const char *id;              /* "sha256:…", the digest of its configuration */
    const char *name;            /* canonical name it was found by; NULL when found by id */
    const char *manifest_digest; /* of the manifest for this platform, as received */
    const char *manifest_type;
    const char *config_text; /* the configuration's own bytes */
    struct image_config config;
    struct strs layers; /* absolute paths of the unpacked directories, TOP FIRST */
    uint64_t size;      /* bytes, unpacked */
};

/* Finds an image by name ("alpine", "alpine@sha256:…"), id ("sha256:…", 64 digits) or unambiguous prefix of one. The hot path: one
 * file of refs/ and the configuration. platform: NULL, or text that the image must fit ("linux/arm64"). -ENOENT: no such image (or
 * not for that platform); -ENOTUNIQ: several ids begin like this; -EUCLEAN: torn (tare system check). */
int image_resolve(struct image_store *s, const char *name_or_id, const char *platform, struct arena *a, struct image *ret,
                  struct error *e);
/* The canonical id only; reads no configuration. */
int image_lookup(struct image_store *s, const char *name_or_id, struct arena *a, const char **ret_id, struct error *e);

/* The layers of an image with other owners (absolute paths, top first): copies, which are made when they are missing and `make`
 * says so. They go with their layers; image_prune() takes those that no container has pinned by image_pin_copies(). */
int image_shifted_layers(struct image_store *s, const char *image_id, const struct id_shift *owners, bool make, struct arena *a,
                         struct strs *ret, struct error *e);
int image_pin_copies(struct image_store *s, const struct id_shift *owners, const char *owner, struct error *e);

/* A container (owner: its id) uses the image: prune keeps it and rmi says so. image_pin() fails with -ENOENT when the image was
 * removed meanwhile. Pinning twice is fine, also of several images for one owner. Synced by nobody: `create` syncs its own files
 * and the pin is found again from there.
 */
int image_pin(struct image_store *s, const char *image_id, const char *owner, struct error *e);
int image_unpin(struct image_store *s, const char *owner, struct error *e);
/* The owners that pin it. */
int image_users(struct image_store *s, const char *image_id, struct arena *a, struct strs *ret, struct error *e);

/* One line of `tare images`, one item of GET /images/json. */
struct image_summary {
    const char *id;
    struct strs repo_tags;    /* familiar: "alpine:latest" */
    struct strs repo_digests; /* "alpine@sha256:…" */
    int64_t created;          /* seconds since the epoch */
    uint64_t size;            /* bytes, unpacked layers together */
    struct map labels;
    struct strs users; /* containers */
    const char *architecture, *os, *variant;
};
/* All images, newest first. ret: of struct image_summary. */
int image_list(struct image_store *s, struct arena *a, struct list *ret, struct error *e);

/* Of each of them the bytes of layers that another one has, too; in the arena. */
int image_shared_sizes(struct image_store *s, const struct list *images, struct arena *a, uint64_t **ret, struct error *e);

/* Docker's inspect answer for one image, encoded by image_inspect_table (model/image_inspect.h). */
struct image_inspect;
int image_inspect(struct image_store *s, const char *name_or_id, const char *platform, struct arena *a, struct image_inspect *ret,
                  struct error *e);

/* The unpacked size of each layer, in the order of config.rootfs.diff_ids; for `history`. */
int image_layer_sizes(struct image_store *s, const struct image *image, struct arena *a, uint64_t **ret, struct error *e);

/* Gives `source` (name or id) one more name; a name that stood for another image moves. */
int image_tag(struct image_store *s, const char *source, const char *target, struct error *e);

/* What was done, in order, as Docker says it: "Untagged: alpine:latest", "Deleted: sha256:…". */
struct image_removal {
    bool untagged; /* else deleted */
    const char *what;
};
struct image_remove_options {
    bool force;                                       /* -f: also when a stopped container uses it or it has several names */
    bool no_prune;                                    /* unused: tare images have no parents; kept for the API's sake */
    bool (*is_running)(const char *owner, void *arg); /* tells whether a container runs; NULL = all do */
    void *arg;
};
/* rmi. ret: of struct image_removal. -ENOENT "No such image"; -EBUSY with Docker's conflict sentences. */
int image_remove(struct image_store *s, const char *name_or_id, const struct image_remove_options *o, struct arena *a,
                 struct list *ret, struct error *e);

struct image_prune_options {
    bool all;                       /* also images that have names, when no container uses them */
    int64_t until;                  /* only those made before this second; 0 = all */
    struct strs labels, not_labels; /* "key" or "key=value": all must (must not) fit */
};
int image_prune(struct image_store *s, const struct image_prune_options *o, struct arena *a, struct list *ret, uint64_t *ret_freed,
                struct error *e);

/* docker-archive and OCI archives (plain or compressed tar) from `fd` (a file or a pipe). ret: struct strs of "Loaded image: …"
 * names (familiar) or ids. progress may be NULL. */
struct image_progress;
int image_load(struct image_store *s, int fd, const char *platform, const struct image_progress *progress, struct arena *a,
               struct strs *ret, struct error *e);

struct image_import_options {
    const char *reference; /* NULL = no name */
    const char *message;
    const char *platform; /* NULL = host */
    struct strs changes;  /* Dockerfile lines: CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR HEALTHCHECK */
    const char *source;   /* shown in the history; NULL */
};
/* A root file system as one tar becomes an image of one layer. ret_id: "sha256:…". */
int image_import(struct image_store *s, int fd, const struct image_import_options *o, const struct image_progress *progress,
                 struct arena *a, const char **ret_id, struct error *e);

/* Writes the images as one archive that both `docker load` and OCI tools read (OCI layout with manifest.json). */
int image_save(struct image_store *s, const struct strs *names, const char *platform, int fd, struct error *e);

/* --- system check ---------------------------------------------------------------------------------------------------------- */

enum image_problem_kind { IMAGE_PROBLEM_BLOB, IMAGE_PROBLEM_LAYER, IMAGE_PROBLEM_RECORD, IMAGE_PROBLEM_INDEX };
struct image_problem {
    enum image_problem_kind kind;
    const char *what;  /* digest, layer key or name */
    const char *text;  /* what is wrong */
    const char *image; /* a name or id that needs it; NULL */
    bool repaired;
};
/* Looks at every record, blob (hashing all of them if `deep`) and layer; with `repair`, unpacks layers again from their blobs, sets
 * torn files aside (trash) and writes index.json anew. ret: of struct image_problem. */
int image_store_check(struct image_store *s, bool deep, bool repair, struct arena *a, struct list *ret, struct error *e);

/* For system df. */
struct image_usage {
    uint64_t images, layers, blobs;   /* how many */
    uint64_t layer_bytes, blob_bytes; /* allocated */
    uint64_t reclaimable_bytes;       /* of images that no container uses */
};
int image_store_usage(struct image_store *s, struct image_usage *ret, struct error *e);

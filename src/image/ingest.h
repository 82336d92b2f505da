/* How images get in: pull, load, import and commit all end here.
 *
 * A pull fetches the manifest (image_ingest_begin() is not needed for such small documents: blob_write() hashes them), chooses the
 * platform, fetches the configuration the same way, and hands both to image_commit() with a source for the layers' blobs. The store
 * does the rest: which layers are missing, one download per digest over all processes, resuming partial blobs, the workers'
 * pipelines, checks of size, digest and diff ID, one sync, then the names.
 *
 *     source ──pipe──▶ tare-unpack inflate ──pipe──▶ tare-unpack unpack
 *                      (hashes both forms, keeps     (locked into the
 *                       the blob's own bytes)         layer's directory)
 */
#pragma once

#include "image/image.h"

/* Where the bytes of blobs come from, when the store has not got them. */
struct blob_source {
    /* Starts sending the blob from byte `offset` on into `out` (a pipe's end: pass it to a worker and close it; it is closed by the
     * callee whatever it returns). Must not block. Returns a handle >= 0 for the other two, or a negative errno. */
    int (*start)(void *arg, const struct descriptor *blob, uint64_t offset, int out, struct error *e);
    /* Called once per start(), after the pipe ended or the store gave up (cancel: then stop the transfer). 0: all was sent;
     * -EAGAIN: it broke off and may be started again from where it ended; another negative errno: it is hopeless. */
    int (*finish)(void *arg, int handle, bool cancel, struct error *e);
    void *arg;
};

enum image_phase {
    IMAGE_PHASE_WAITING,     /* for another process, or its turn */
    IMAGE_PHASE_DOWNLOADING, /* done of total bytes of the blob */
    IMAGE_PHASE_EXTRACTING,  /* all bytes are here, unpacking goes on */
    IMAGE_PHASE_COMPLETE,
    IMAGE_PHASE_EXISTS,
};
struct image_progress {
    /* Called on changes and at most 10 times a second for each layer. `digest` is the blob's, or the unpacked layer's where the
     * blob's is not known before it is read. */
    void (*layer)(void *arg, const char *digest, enum image_phase phase, uint64_t done, uint64_t total);
    void *arg;
};

struct image_commit {
    const char *manifest_digest; /* in the store already (blob_write) */
    const char *manifest_type;
    struct strs names;                     /* canonical names (reference_key()) that shall stand for the image; may be empty */
    const struct blob_source *source;      /* NULL: all blobs must be in the store */
    const struct image_progress *progress; /* NULL */
    struct {
        const char *action, *id, *name; /* "pull", "alpine:latest", "alpine"; action NULL: none; id and name NULL: the image's id */
    } event;                            /* told once, when the image is visible */
};
/* Makes the image whole and then visible. On failure no name has changed, and partial blobs stay for the next try. */
int image_commit(struct image_store *s, const struct image_commit *c, struct arena *a, struct image *ret, struct error *e);

/* --- one blob by hand (push's helpers, load) ------------------------------------------------------------------------------- */

/* A blob that is being received under its digest's lock. */
struct blob_ingest;
/* 0: *ret is ours, write from offset on; 1: the store has the blob (*ret untouched); -EAGAIN: another process is receiving it
 * (only with wait == false). */
int blob_ingest_begin(struct image_store *s, const char *digest, uint64_t size, bool wait, struct blob_ingest **ret,
                      struct error *e);
int blob_ingest_fd(const struct blob_ingest *b); /* of the partial file, open for reading and writing; owned by the ingest */
uint64_t blob_ingest_offset(const struct blob_ingest *b); /* bytes that an earlier try left */
/* Checks size and digest over the whole file and gives it its name. -EBADMSG: wrong bytes; the partial file is dropped. */
int blob_ingest_commit(struct blob_ingest *b, struct error *e);
struct blob_ingest *blob_ingest_free(struct blob_ingest *b); /* gives up the lock; the partial file stays. Returns NULL. */

/* The layers of a chain: ChainID as in the image specification. `parent` NULL for the lowest. */
void layer_chain_id(const char *parent, const char *diff_id, char ret[72]);

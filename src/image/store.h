/* The store of images: an OCI image layout in place (oci-layout, index.json, blobs/sha256), names in refs/, one record an image in
 * images/, unpacked layers in layers/. docs/architecture.md tells the order of the locks.
 *
 *   ROOT/blobs/sha256/HEX   mode 0444: known to be on the disk; 0600: written, not yet synced (hashed again before it is trusted)
 *   ROOT/refs/NAME          a record (struct image_record) for each name, '/' written as '%'
 *   ROOT/images/HEX         the same for each image id
 *   ROOT/layers/KEY         an unpacked layer, KEY.json beside it says what it is
 *   ROOT/pins/OWNER         image ids that a container uses
 *   ROOT/ingest/            partial blobs (HEX), locks (HEX.lock), layers being unpacked
 *   ROOT/trash/             renamed here first, unlinked afterwards by whoever has time
 *   ROOT/index.json         a view of refs/ for other tools, written anew under a lock
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/roots.h"

struct image_store;

/* What strangers may cost; zero = the default. */
struct image_limits {
    uint64_t layer_size_max;   /* unpacked bytes of one layer (default 64 GiB) */
    uint64_t layer_inodes_max; /* entries of one layer (default 4 million) */
    uint64_t image_size_max;   /* unpacked bytes of all layers of an image that comes in (default 256 GiB) */
    uint64_t ratio_max;        /* unpacked / compressed bytes, looked at beyond 64 MiB (default 400) */
    uint32_t path_length_max;  /* bytes of an entry's name (default 4095) */
    uint32_t path_depth_max;   /* directories above an entry (default 1000) */
    unsigned jobs_max;         /* layers at work at the same time (default: CPUs + 1) */
    bool devices;              /* make the device nodes that an archive holds (default: leave them out) */
    bool no_sync;              /* do not sync at the end of a load or pull */
};

/* Opens the store below roots->root, making it when new. Reads nothing else. The store keeps descriptors of its own; `roots` must
 * outlive it. */
int image_store_open(const struct roots *roots, struct image_store **ret, struct error *e);
void image_store_close(struct image_store *s); /* NULL is fine */
static inline void image_store_closep(struct image_store **s) {
    image_store_close(*s);
    *s = NULL;
}
#define _cleanup_image_store_ _cleanup_(image_store_closep)

void image_store_limits(struct image_store *s, const struct image_limits *limits);

/* Reads a whole small blob (a manifest, a configuration) and checks its digest. -ENOENT; -EBADMSG when the content does not fit. */
int blob_read(struct image_store *s, const char *digest, size_t max, struct buf *ret, struct error *e);
/* Opens a blob for reading; ret_size may be NULL. -ENOENT without text. */
int blob_open(struct image_store *s, const char *digest, uint64_t *ret_size);
/* Puts a small document into the store (not synced: image_commit() syncs) and gives its digest. */
int blob_write(struct image_store *s, const void *p, size_t n, char ret_digest[72], struct error *e);

/* Empties the trash and the partial blobs and layers that dead commands left. Cheap when there is nothing to do. Called by every
 * command that changes the store; `run` calls it after the answer. */
void image_store_reap(struct image_store *s);

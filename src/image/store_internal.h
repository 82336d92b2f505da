/* What the files of the image room share and nobody else sees. */
#pragma once

#include "base/buf.h"
#include "base/fs.h"
#include "base/id_shift.h"
#include "image/ingest.h"

/* Every path below the data root is written down here and nowhere else. */
#define DIR_BLOBS      "blobs/sha256"
#define DIR_REFS       "refs"
#define DIR_IMAGES     "images"
#define DIR_LAYERS     "layers"
#define DIR_PINS       "pins"
#define DIR_INGEST     "ingest"
#define DIR_TRASH      "trash"
#define DIR_TORN       "torn" /* what `system check --repair` set aside: never looked at, removed by the user */
#define LOCK_STORE     "store.lock"
#define LOCK_INDEX     "index.lock"
#define STORE_PATH_MAX 512

/* First hexadecimal digits of the chain ID: 127 of them with their slashes fit the one page that mount(2) takes on kernels without
 * fsconfig's lowerdir+. KEY.json carries the whole chain ID, and is compared. */
#define LAYER_KEY_DIGITS 28
#define LAYER_KEY_MAX    (LAYER_KEY_DIGITS + 2)

struct image_store {
    int root;              /* directory descriptor of our own */
    int run_root;          /* where events are told; borrowed from roots; -1 = nowhere */
    const char *root_path; /* of roots */
    struct image_limits limits;
    size_t unreadable; /* records that the last record_read_all() left out */
    bool one_owner;    /* only one user id is mapped here: files of all owners belong to it */
    int pin;           /* of the commit that is on its way; -1 */
    bool full_map;     /* every id is mapped: workers can become nobody */
};

#define HASH_TEXT 72 /* "sha256:", 64 digits, NUL */

/* --- blobs (blob.c) ------------------------------------------------------------------------------------------------------- */

void blob_path(const char *digest, char ret[STORE_PATH_MAX]);
bool blob_exists(struct image_store *s, const char *digest, uint64_t *ret_size);
/* There, and either known to be synced or found to have the right content. */
bool blob_is_sound(struct image_store *s, const char *digest);
int blob_hash_fd(int fd, char ret[HASH_TEXT]);
/* Gives the file that fd is open on the blob's name (no copy: a link). */
int blob_link(struct image_store *s, int fd, const char *digest, struct error *e);
void blob_mark_synced(struct image_store *s, const char *digest);
/* For who hashed the bytes already (blob_ingest_commit() does both). */
int blob_ingest_accept(struct blob_ingest *b, struct error *e);
int blob_ingest_drop(struct blob_ingest *b);

/* --- locks, trash (store.c) ------------------------------------------------------------------------------------------------ */

/* Fills one_owner and full_map; before workers are started. */
void store_read_map(struct image_store *s);

/* Held while a pin or a name is written (shared), or while what nobody needs is moved away (exclusive). Short. */
int store_lock(struct image_store *s, bool exclusive, struct error *e);
/* The lock of one digest or layer, held while it comes in. `kind` 'b' or 'l'. -EAGAIN when taken and wait is false. */
int ingest_lock(struct image_store *s, char kind, const char *name, bool wait, struct error *e);
/* Removes the lock's file and gives it up. fd is closed. */
void ingest_unlock(struct image_store *s, char kind, const char *name, int fd);
/* Renames a path of the store into the trash; absent is success. */
int store_trash(struct image_store *s, const char *path, struct error *e);
void store_empty_trash(struct image_store *s);
/* A new directory in the trash for things that die with this command; in case of a crash the next one empties it. */
int store_scratch(struct image_store *s, char ret_path[STORE_PATH_MAX], struct error *e);
const char *boot_id(void);

/* What a commit is about to need (hexadecimal digests, layer keys), so that a removal that runs meanwhile leaves it alone. Held
 * until the next pin or ingest_unpin(). */
int ingest_pin(struct image_store *s, const struct strs *names, struct error *e);
void ingest_unpin(struct image_store *s);
int ingest_pins_read(struct image_store *s, struct arena *a, struct strs *ret, struct error *e);

/* A container's line in pins/: it stands on copies of layers with these owners. */
#define PIN_COPIES "owners "

/* --- records (record.c) ---------------------------------------------------------------------------------------------------- */

struct image_record {
    uint32_t version;
    const char *name;           /* canonical; NULL in images/ */
    struct descriptor manifest; /* as received, for this platform */
    struct descriptor *view;    /* the OCI manifest derived from it; NULL when it is one itself */
    struct descriptor config;
    struct strs blobs;  /* digests of the layers' blobs, lowest first */
    struct strs layers; /* keys, TOP FIRST, down to where a layer hides the rest */
    uint64_t size;      /* unpacked bytes */
    struct platform platform;
    const char *created; /* RFC 3339, of the image */
    const char *tagged;  /* RFC 3339, of the name */
};
#define RECORD_VERSION 1
#define RECORD_MAX     ((size_t)256 << 10)

void record_ref_path(const char *name, char ret[STORE_PATH_MAX]);
void record_image_path(const char *id, char ret[STORE_PATH_MAX]);
/* -ENOENT without text. */
int record_read(struct image_store *s, const char *path, struct arena *a, struct image_record *ret, struct error *e);
int record_write(struct image_store *s, const char *path, const struct image_record *r, enum fs_sync sync, struct error *e);
/* By name, id or prefix of an id, in Docker's order. -ENOENT "No such image", -ENOTUNIQ. */
int record_find(struct image_store *s, const char *text, struct arena *a, struct image_record *ret, struct error *e);
/* All records of DIR_REFS or DIR_IMAGES; what cannot be read is left out with a warning. ret: of struct image_record. */
int record_read_all(struct image_store *s, const char *dir, struct arena *a, struct list *ret, struct error *e);

/* --- views for other tools (view.c) ---------------------------------------------------------------------------------------- */

/* Writes index.json from refs/ and images/. */
int view_write(struct image_store *s, struct error *e);
/* The OCI manifest over the same blobs as a Docker one, stored as a blob; ret NULL when it is OCI already. */
int view_derive(struct image_store *s, const char *manifest_type, const struct image_manifest *m, struct arena *a,
                struct descriptor **ret, struct error *e);

/* --- layers (layer.c, layer_job.c) ----------------------------------------------------------------------------------------- */

/* owners: of the layer's files, where they are not as the image has them (NULL: they are). */
void layer_key(struct image_store *s, const char *chain_id, const struct id_shift *owners, char ret[LAYER_KEY_MAX]);

struct layer_info {
    uint32_t version;
    const char *chain_id, *diff_id;
    uint64_t size, inodes;
    bool opaque_root;   /* hides every layer below */
    const char *owners; /* of a copy for a user namespace: whose; NULL: as the image has them */
};
/* -ENOENT: not there, or torn by a power cut. */
int layer_read_info(struct image_store *s, const char *key, const char *chain_id, struct arena *a, struct layer_info *ret,
                    struct error *e);
int layer_store_info(struct image_store *s, const char *key, const struct layer_info *info, struct error *e);
/* After the sync: the layer's mark of being unsynced goes. */
void layer_mark_synced(struct image_store *s, const char *key);
int layer_trash(struct image_store *s, const char *key, struct error *e);
/* A shift as KEY.json has it. */
const char *layer_owners_text(const struct id_shift *owners, struct arena *a);

/* One layer on its way in. */
struct layer_task {
    struct descriptor blob; /* digest NULL: not known before it is read (docker-archive) */
    const char *diff_id;    /* NULL: not known before (import) */
    int file;               /* the blob's bytes, already here: borrowed; -1 = from the store or the source */
    struct id_shift owners; /* how its files' owners differ from the image's */
    bool streamed;          /* the bytes come from `stream` and are kept in `file` (import) */
    int stream;

    char chain_id[HASH_TEXT]; /* results */
    char key[LAYER_KEY_MAX];
    uint64_t size; /* unpacked bytes */
    bool opaque_root;
};
/* Tasks that unpack the layers of an image from its blobs, which are here, once more. */
int layer_tasks_again(struct image_store *s, const struct image_record *record, struct arena *a, struct layer_task **ret,
                      struct error *e);
/* Brings all layers in, in parallel; on success each is unpacked and its blob stored. Tasks lowest first. */
int layers_ingest(struct image_store *s, struct layer_task *tasks, size_t n, const struct blob_source *source,
                  const struct image_progress *progress, struct arena *a, struct error *e);

/* --- the end of every way in (commit.c) -------------------------------------------------------------------------------------- */

/* Synced, then visible. tasks: results of layers_ingest(). */
int commit_image(struct image_store *s, const struct image_commit *c, const struct image_manifest *m, const char *config_text,
                 struct layer_task *tasks, struct arena *a, struct image *ret, struct error *e);
/* Fills `ret` from a record and the configuration's bytes (which must live in the arena). */
int image_from_record(struct image_store *s, const struct image_record *r, struct arena *a, struct image *ret, struct error *e);
/* Moves blobs and layers that nothing refers to into the trash. `thorough`: also copies of layers with other owners that no
 * container stands on. The store's lock is held exclusively. ret_freed may be NULL. */
int store_collect(struct image_store *s, bool thorough, uint64_t *ret_freed, struct error *e);

/* --- archives of images (archive.c) ----------------------------------------------------------------------------------------- */

/* Unpacks an archive (compressed or not) of plain files into the directory: nothing in it is believed, all files are ours. */
int archive_extract(struct image_store *s, int fd, int dir, struct error *e);
/* Writes into `to` what `from` is when decompressed. */
int archive_inflate(struct image_store *s, int from, int to, struct error *e);

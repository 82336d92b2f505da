#include "image/layer_job.h"

#include <fcntl.h>
#include <string.h>

#include "base/id.h"

#define PIPE_SIZE (1 << 20)
#define TRIES_MAX 6 /* of a transfer that breaks off */

static void staging_path(const struct layer_job *j, char ret[STORE_PATH_MAX]) {
    (void)snprintf(ret, STORE_PATH_MAX, DIR_LAYERS "/.new-%s", j->task->key);
}

static void final_path(const struct layer_job *j, char ret[STORE_PATH_MAX]) {
    (void)snprintf(ret, STORE_PATH_MAX, DIR_LAYERS "/%s", j->task->key);
}

static int open_layer(struct layer_job *j, struct error *e) {
    char path[STORE_PATH_MAX];

    final_path(j, path);
    j->dir = fd_close(j->dir);
    j->dir = openat(j->store->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return j->dir < 0 ? error_errno(e, -errno, "open layer %s", j->task->key) : 0;
}

int layer_job_look(struct layer_job *j, struct arena *a, struct error *e) {
    struct layer_task *t = j->task;
    struct layer_info info;
    int r = -ENOENT;

    if (t->diff_id)
        r = layer_read_info(j->store, t->key, t->chain_id, a, &info, e);
    if (r < 0 && r != -ENOENT)
        return r;
    j->need_layer = r == -ENOENT;
    if (!j->need_layer) {
        t->size = info.size;
        t->opaque_root = info.opaque_root;
        r = open_layer(j, e);
        if (r < 0)
            return r;
    }
    j->need_blob = !t->blob.digest || !blob_is_sound(j->store, t->blob.digest);
    if (!j->need_blob && !j->need_layer)
        j->state = JOB_DONE;
    return 0;
}

/* --- starting ---------------------------------------------------------------------------------------------------------------- */

static void give_up_locks(struct layer_job *j) {
    ingest_unlock(j->store, 'l', j->task->key, j->key_lock);
    j->key_lock = -1;
    j->ingest = blob_ingest_free(j->ingest);
}

static int take_locks(struct layer_job *j, struct arena *a, struct error *e) {
    const struct layer_task *t = j->task;
    int r;

    if (j->need_layer) {
        j->key_lock = ingest_lock(j->store, 'l', t->key, false, e);
        if (j->key_lock < 0)
            return j->key_lock;
    }
    if (j->need_blob && t->file < 0) {
        r = blob_ingest_begin(j->store, t->blob.digest, t->blob.size, false, &j->ingest, e);
        if (r < 0)
            return r;
    }
    return layer_job_look(j, a, e); /* another process may have brought it meanwhile */
}

static int make_staging(struct layer_job *j, struct error *e) {
    char path[STORE_PATH_MAX];
    int r;

    staging_path(j, path);
    r = store_trash(j->store, path, e); /* of a command that died: the lock is ours now */
    if (r < 0)
        return r;
    if (mkdirat(j->store->root, path, 0755) < 0)
        return error_errno(e, -errno, "create %s", path);
    j->dir = openat(j->store->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return j->dir < 0 ? error_errno(e, -errno, "open %s", path) : 0;
}

static int make_pipe(int ret[2], struct error *e) {
    if (pipe2(ret, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    (void)fcntl(ret[1], F_SETPIPE_SZ, PIPE_SIZE); /* fewer wake-ups; the default works, too */
    return 0;
}

static struct worker_request new_request(const struct layer_job *j) {
    const struct image_limits *l = &j->store->limits;

    return (struct worker_request){.size = UINT64_MAX,
                                   .unpacked_max = l->layer_size_max,
                                   .image_room = j->room,
                                   .ratio_max = l->ratio_max,
                                   .inodes_max = l->layer_inodes_max,
                                   .path_length_max = l->path_length_max,
                                   .path_depth_max = l->path_depth_max};
}

static int start_unpack(struct layer_job *j, int in, struct error *e) {
    struct worker_request q = new_request(j);
    _cleanup_fd_ int layers = j->below ? fs_open_dir(j->store->root, DIR_LAYERS, e) : -1;

    if (j->below && layers < 0)
        return layers;
    q.flags = WORKER_LAYER | (j->below ? WORKER_LOWERS : 0U) | (j->store->limits.devices ? WORKER_DEVICES : 0U) |
              (j->store->one_owner ? WORKER_ONE_OWNER : 0U);
    q.owners = j->task->owners;
    return worker_start(&j->unpack, "unpack", &q, in, -1, j->dir, layers, e);
}

/* The blob's bytes: a file that load has staged, the store's own, or the source through a pipe. */
static int open_input(struct layer_job *j, const struct blob_source *source, struct error *e) {
    int ends[2], r;
    struct layer_task *t = j->task;

    if (t->file >= 0) {
        r = fcntl(t->streamed ? t->stream : t->file, F_DUPFD_CLOEXEC, 3);
        if (r < 0 || (!t->streamed && lseek(r, 0, SEEK_SET) < 0))
            return error_errno(e, -errno, "open the layer's archive");
        return r;
    }
    if (!j->need_blob) {
        r = blob_open(j->store, t->blob.digest, NULL);
        return r < 0 ? error_errno(e, r, "open blob %s", t->blob.digest) : r;
    }
    if (!source)
        return error_set(e, -ENOENT, "blob %s is missing", t->blob.digest);
    r = make_pipe(ends, e);
    if (r < 0)
        return r;
    j->source_handle = source->start(source->arg, &t->blob, blob_ingest_offset(j->ingest), ends[1], e);
    if (j->source_handle < 0) {
        (void)fd_close(ends[0]);
        return j->source_handle;
    }
    return ends[0];
}

static int start_workers(struct layer_job *j, const struct blob_source *source, struct error *e) {
    struct worker_request q = new_request(j);
    _cleanup_fd_ int in = -1, plain_in = -1, plain_out = -1;
    int ends[2], keep, r;

    if (j->need_layer) {
        r = make_staging(j, e);
        if (r == 0)
            r = make_pipe(ends, e);
        if (r < 0)
            return r;
        plain_in = ends[0];
        plain_out = ends[1];
        r = start_unpack(j, plain_in, e);
        if (r < 0)
            return r;
    }
    in = open_input(j, source, e);
    if (in < 0)
        return in;
    keep = j->ingest ? blob_ingest_fd(j->ingest) : j->task->streamed ? j->task->file : -1;
    q.flags = (keep >= 0 ? WORKER_KEEP : 0U) | (j->store->full_map ? WORKER_NOBODY : 0U);
    q.kept = j->ingest ? blob_ingest_offset(j->ingest) : 0;
    q.size = j->task->blob.size ? j->task->blob.size : UINT64_MAX;
    return worker_start(&j->inflate, "inflate", &q, in, plain_out, keep, -1, e);
}

int layer_job_start(struct layer_job *j, const struct blob_source *source, struct arena *a, struct error *e) {
    int r = take_locks(j, a, e);

    if (r == 0 && j->state != JOB_DONE) {
        j->tries++;
        r = start_workers(j, source, e);
    }
    if (r < 0)
        layer_job_abandon(j, source);
    else if (j->state == JOB_DONE)
        give_up_locks(j);
    else
        j->state = JOB_RUNNING;
    return r;
}

/* --- finishing --------------------------------------------------------------------------------------------------------------- */

static int worker_error(const struct worker *w, struct error *e) {
    return w->message.status < 0 ? error_set(e, w->message.status, "%s", w->message.text) : 0;
}

/* The end that failed first is the cause: a broken pipe on one side means that the other side is to blame. */
static int check_workers(const struct layer_job *j, struct error *e) {
    int inflate = j->inflate.message.status, unpack = j->need_layer ? j->unpack.message.status : 0;

    if (unpack < 0 && (inflate == 0 || inflate == -EPIPE))
        return worker_error(&j->unpack, e);
    return worker_error(&j->inflate, e);
}

static int finish_source(struct layer_job *j, const struct blob_source *source, bool cancel, struct error *e) {
    int handle = j->source_handle;

    j->source_handle = -1;
    return handle >= 0 ? source->finish(source->arg, handle, cancel, e) : 0;
}

static void hash_text(const unsigned char hash[32], char ret[HASH_TEXT]) {
    memcpy(ret, "sha256:", 7);
    hex_encode(hash, 32, ret + 7);
}

static int accept_blob(struct layer_job *j, struct arena *a, struct error *e) {
    struct layer_task *t = j->task;
    char found[HASH_TEXT];

    hash_text(j->inflate.message.in_hash, found);
    if (t->blob.digest && strcmp(found, t->blob.digest) != 0) {
        if (j->ingest)
            (void)blob_ingest_drop(j->ingest);
        return error_set(e, -EBADMSG, "the content has digest %s", found);
    }
    (void)a;
    if (j->ingest)
        return blob_ingest_accept(j->ingest, e);
    if (t->file >= 0)
        return blob_link(j->store, t->file, found, e);
    return 0;
}

/* The very layer is here already, and containers may run on it: what was unpacked again goes. (An import learns only now which
 * layer it is; the key's lock is held.) 1: so it was. */
static int adopt_layer(struct layer_job *j, struct arena *a, struct error *e) {
    struct layer_task *t = j->task;
    struct layer_info there;
    char staging[STORE_PATH_MAX];
    int r;

    if (layer_read_info(j->store, t->key, t->chain_id, a, &there, NULL) < 0)
        return 0;
    t->size = there.size;
    t->opaque_root = there.opaque_root;
    staging_path(j, staging);
    r = store_trash(j->store, staging, e);
    return r < 0 ? r : 1;
}

static int accept_layer(struct layer_job *j, struct arena *a, struct error *e) {
    struct layer_task *t = j->task;
    struct layer_info info = {.version = 1, .chain_id = t->chain_id, .diff_id = t->diff_id, .opaque_root = t->opaque_root};
    char from[STORE_PATH_MAX], to[STORE_PATH_MAX];
    int r = layer_trash(j->store, t->key, e); /* what a power cut left there */

    if (r < 0)
        return r;
    t->size = info.size = j->unpack.message.out_bytes;
    info.inodes = j->unpack.message.inodes;
    info.owners = id_shift_is_any(&t->owners) ? layer_owners_text(&t->owners, a) : NULL;
    t->opaque_root = info.opaque_root = j->unpack.message.opaque_root;
    staging_path(j, from);
    final_path(j, to);
    if (renameat(j->store->root, from, j->store->root, to) < 0)
        return error_errno(e, -errno, "rename %s", from);
    return layer_store_info(j->store, t->key, &info, e);
}

/* An imported archive has no digests before it is read. */
static int learn_digests(struct layer_job *j, struct arena *a) {
    struct layer_task *t = j->task;
    char found[HASH_TEXT];

    if (!t->diff_id) {
        char from[STORE_PATH_MAX], to[STORE_PATH_MAX];

        hash_text(j->inflate.message.out_hash, found);
        t->diff_id = arena_strdup(a, found);
        staging_path(j, from);
        ingest_unlock(j->store, 'l', t->key, j->key_lock);
        layer_chain_id(j->below ? j->below->task->chain_id : NULL, t->diff_id, t->chain_id);
        layer_key(j->store, t->chain_id, &t->owners, t->key);
        j->key_lock = ingest_lock(j->store, 'l', t->key, true, NULL);
        staging_path(j, to);
        (void)store_trash(j->store, to, NULL);
        if (renameat(j->store->root, from, j->store->root, to) < 0)
            return -errno;
    }
    if (!t->blob.digest) {
        hash_text(j->inflate.message.in_hash, found);
        t->blob.digest = arena_strdup(a, found);
        t->blob.size = j->inflate.message.in_bytes;
        t->blob.media_type = layer_media_type((int)j->inflate.message.compression);
    }
    return 0;
}

static int accept(struct layer_job *j, struct arena *a, struct error *e) {
    char found[HASH_TEXT];
    int r = accept_blob(j, a, e);

    if (r < 0)
        return r;
    hash_text(j->inflate.message.out_hash, found);
    if (j->task->diff_id && strcmp(found, j->task->diff_id) != 0) {
        /* The blob is what the manifest asked for, but the configuration lies about it (or the manifest does). */
        return error_set(e, -EBADMSG, "unpacked it has digest %s, but the image's configuration says %s", found, j->task->diff_id);
    }
    r = learn_digests(j, a);
    if (r < 0)
        return error_errno(e, r, "store the layer");
    if (!j->need_layer)
        return 0;
    r = adopt_layer(j, a, e);
    return r != 0 ? MIN_OF(r, 0) : accept_layer(j, a, e);
}

int layer_job_finish(struct layer_job *j, const struct blob_source *source, struct arena *a, struct error *e) {
    _cleanup_error_ struct error why = ERROR_INIT;
    int r = check_workers(j, e), sent = finish_source(j, source, r < 0 && r != -ENODATA, &why);

    if (r == -ENODATA && sent == -EAGAIN && j->tries < TRIES_MAX) {
        layer_job_abandon(j, source);
        return -EAGAIN;
    }
    if (r == -ENODATA && sent < 0) { /* the blob is short because the transfer failed: that is the cause */
        error_move(e, &why);
        r = sent;
    }
    if (r == 0)
        r = accept(j, a, e);
    if (r < 0) {
        layer_job_abandon(j, source);
        return r;
    }
    give_up_locks(j);
    j->state = JOB_DONE;
    return 0;
}

void layer_job_abandon(struct layer_job *j, const struct blob_source *source) {
    char path[STORE_PATH_MAX];

    worker_stop(&j->inflate);
    worker_stop(&j->unpack);
    (void)finish_source(j, source, true, NULL);
    if (j->key_lock >= 0) {
        staging_path(j, path);
        (void)store_trash(j->store, path, NULL);
    }
    if (j->state != JOB_DONE)
        j->dir = fd_close(j->dir);
    give_up_locks(j);
    if (j->state == JOB_RUNNING)
        j->state = JOB_WAITING;
}

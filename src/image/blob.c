/* Blobs: files of the layout's blobs/sha256. Mode 0444 says that the content is known to be on the disk; 0600, that a power cut may
 * yet take it, so it is hashed before anybody relies on it. */
#include <fcntl.h>
#include <string.h>

#include "base/id.h"
#include "base/sha256.h"
#include "image/store_internal.h"

#define MODE_SYNCED 0444
#define MODE_FRESH  0600
#define HASH_CHUNK  ((size_t)256 << 10)

void blob_path(const char *digest, char ret[STORE_PATH_MAX]) {
    (void)snprintf(ret, STORE_PATH_MAX, DIR_BLOBS "/%.64s", digest_hex(digest));
}

int blob_open(struct image_store *s, const char *digest, uint64_t *ret_size) {
    char path[STORE_PATH_MAX];
    _cleanup_fd_ int fd = -1;
    struct stat st;

    if (!digest_is_sha256(digest))
        return -EINVAL;
    blob_path(digest, path);
    fd = openat(s->root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (ret_size)
        *ret_size = (uint64_t)st.st_size;
    return TAKE_FD(fd);
}

bool blob_exists(struct image_store *s, const char *digest, uint64_t *ret_size) {
    char path[STORE_PATH_MAX];
    struct stat st;

    if (!digest_is_sha256(digest))
        return false;
    blob_path(digest, path);
    if (fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (ret_size)
        *ret_size = (uint64_t)st.st_size;
    return true;
}

int blob_hash_fd(int fd, char ret[HASH_TEXT]) {
    _cleanup_free_ char *buffer = malloc(HASH_CHUNK);
    struct sha256 h;

    if (!buffer)
        abort();
    sha256_init(&h);
    for (off_t at = 0;;) {
        ssize_t n = pread(fd, buffer, HASH_CHUNK, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        sha256_add(&h, buffer, (size_t)n);
        at += n;
    }
    sha256_final_digest(&h, ret);
    return 0;
}

bool blob_is_sound(struct image_store *s, const char *digest) {
    _cleanup_fd_ int fd = blob_open(s, digest, NULL);
    char found[HASH_TEXT];
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    if ((st.st_mode & 07777) == MODE_SYNCED)
        return true;
    return blob_hash_fd(fd, found) == 0 && strcmp(found, digest) == 0;
}

void blob_mark_synced(struct image_store *s, const char *digest) {
    char path[STORE_PATH_MAX];

    blob_path(digest, path);
    if (fchmodat(s->root, path, MODE_SYNCED, 0) < 0)
        return; /* it is hashed again the next time, that is all */
}

int blob_read(struct image_store *s, const char *digest, size_t max, struct buf *ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(max);
    char found[HASH_TEXT];
    _cleanup_fd_ int fd = blob_open(s, digest, NULL);
    int r = fd < 0 ? error_errno(e, fd, "open blob %s", digest) : fs_read_fd(fd, max, &b, e);

    if (r < 0)
        return r;
    sha256_digest(buf_text(&b), b.size, found);
    if (strcmp(found, digest) != 0) {
        error_set(e, -EBADMSG, "blob %s is damaged: its content has digest %s", digest, found);
        error_hint(e, "tare system check --repair");
        return -EBADMSG;
    }
    buf_add(ret, buf_text(&b), b.size);
    return ret->failed ? error_errno(e, -EFBIG, "read blob %s", digest) : 0;
}

int blob_link(struct image_store *s, int fd, const char *digest, struct error *e) {
    char from[64], path[STORE_PATH_MAX];

    if (blob_is_sound(s, digest))
        return 0;
    blob_path(digest, path);
    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    if (fchmod(fd, MODE_FRESH) < 0)
        return error_errno(e, -errno, "store blob %s", digest);
    if (unlinkat(s->root, path, 0) < 0 && errno != ENOENT)
        return error_errno(e, -errno, "replace blob %s", digest);
    if (linkat(AT_FDCWD, from, s->root, path, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "store blob %s", digest);
    return 0;
}

int blob_write(struct image_store *s, const void *p, size_t n, char ret_digest[72], struct error *e) {
    _cleanup_fd_ int dir = -1;
    char path[STORE_PATH_MAX];
    int r;

    sha256_digest(p, n, ret_digest);
    blob_path(ret_digest, path);
    /* An old blob is marked as fresh: a collection that runs before the commit spares what is fresh. */
    if (blob_is_sound(s, ret_digest) && fchmodat(s->root, path, MODE_FRESH, 0) == 0 && utimensat(s->root, path, NULL, 0) == 0)
        return 0;
    dir = fs_open_dir(s->root, DIR_BLOBS, e);
    if (dir < 0)
        return dir;
    r = fs_publish_at(dir, digest_hex(ret_digest), p, n, MODE_FRESH, FS_NO_SYNC, e);
    return r < 0 ? error_wrap(e, r, "store blob %s", ret_digest) : 0;
}

/* --- one blob by hand ------------------------------------------------------------------------------------------------------- */

struct blob_ingest {
    struct image_store *store;
    char digest[HASH_TEXT];
    uint64_t size, offset;
    int lock, fd;
};

static void part_path(const char *digest, char ret[STORE_PATH_MAX]) {
    (void)snprintf(ret, STORE_PATH_MAX, DIR_INGEST "/%.64s.part", digest_hex(digest));
}

int blob_ingest_begin(struct image_store *s, const char *digest, uint64_t size, bool wait, struct blob_ingest **ret,
                      struct error *e) {
    struct blob_ingest *b;
    char path[STORE_PATH_MAX];
    struct stat st;
    int lock;

    if (!digest_is_sha256(digest))
        return error_set(e, -EINVAL, "invalid digest \"%.200s\"", digest);
    if (blob_is_sound(s, digest))
        return 1;
    lock = ingest_lock(s, 'b', digest_hex(digest), wait, e);
    if (lock < 0)
        return lock;
    if (blob_is_sound(s, digest)) { /* somebody brought it while we waited */
        ingest_unlock(s, 'b', digest_hex(digest), lock);
        return 1;
    }
    b = calloc(1, sizeof(*b));
    if (!b)
        abort();
    *b = (struct blob_ingest){.store = s, .size = size, .lock = lock, .fd = -1};
    (void)snprintf(b->digest, sizeof(b->digest), "%s", digest);
    part_path(digest, path);
    b->fd = openat(s->root, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE_FRESH);
    if (b->fd < 0 || fstat(b->fd, &st) < 0) {
        int r = error_errno(e, -errno, "open %s", path);

        (void)blob_ingest_free(b);
        return r;
    }
    b->offset = (uint64_t)st.st_size;
    if (b->offset >= size && (size != UINT64_MAX || b->offset > size)) { /* complete, but never accepted: begin anew */
        b->offset = 0;
        if (ftruncate(b->fd, 0) < 0) {
            int r = error_errno(e, -errno, "empty %s", path);

            (void)blob_ingest_free(b);
            return r;
        }
    }
    *ret = b;
    return 0;
}

int blob_ingest_fd(const struct blob_ingest *b) {
    return b->fd;
}

uint64_t blob_ingest_offset(const struct blob_ingest *b) {
    return b->offset;
}

int blob_ingest_drop(struct blob_ingest *b) {
    char path[STORE_PATH_MAX];

    part_path(b->digest, path);
    return unlinkat(b->store->root, path, 0) < 0 ? -errno : 0;
}

int blob_ingest_accept(struct blob_ingest *b, struct error *e) {
    char from[STORE_PATH_MAX], to[STORE_PATH_MAX];

    part_path(b->digest, from);
    blob_path(b->digest, to);
    if (renameat(b->store->root, from, b->store->root, to) < 0)
        return error_errno(e, -errno, "store blob %s", b->digest);
    return 0;
}

int blob_ingest_commit(struct blob_ingest *b, struct error *e) {
    char found[HASH_TEXT];
    struct stat st;
    int r;

    if (fstat(b->fd, &st) < 0)
        return error_errno(e, -errno, "stat the blob");
    if (b->size != UINT64_MAX && (uint64_t)st.st_size < b->size)
        return error_set(e, -ENODATA, "blob %s ends after %llu of %llu bytes", b->digest, (unsigned long long)st.st_size,
                         (unsigned long long)b->size);
    r = blob_hash_fd(b->fd, found);
    if (r < 0)
        return error_errno(e, r, "hash the blob");
    if ((b->size != UINT64_MAX && (uint64_t)st.st_size != b->size) || strcmp(found, b->digest) != 0) {
        (void)blob_ingest_drop(b);
        return error_set(e, -EBADMSG, "blob %s has the wrong content (%llu bytes, digest %s)", b->digest,
                         (unsigned long long)st.st_size, found);
    }
    return blob_ingest_accept(b, e);
}

struct blob_ingest *blob_ingest_free(struct blob_ingest *b) {
    if (!b)
        return NULL;
    (void)fd_close(b->fd);
    ingest_unlock(b->store, 'b', digest_hex(b->digest), b->lock);
    free(b);
    return NULL;
}

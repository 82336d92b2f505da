#include "image/store.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/lock.h"
#include "base/log.h"
#include "image/store_internal.h"

#define LAYOUT      "{\"imageLayoutVersion\":\"1.0.0\"}"
#define EMPTY_INDEX "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}"

static const struct image_limits default_limits = {
    .layer_size_max = (uint64_t)64 << 30,
    .layer_inodes_max = 4 << 20,
    .image_size_max = (uint64_t)256 << 30,
    .ratio_max = 400,
    .path_length_max = 4095,
    .path_depth_max = 1000,
};

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

static int make_store(struct image_store *s, struct error *e) {
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {
        {"blobs", 0755},    {DIR_BLOBS, 0755}, {DIR_REFS, 0755},   {DIR_IMAGES, 0755},
        {DIR_LAYERS, 0711}, {DIR_PINS, 0700},  {DIR_INGEST, 0700}, {DIR_TRASH, 0700},
    };
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if (mkdirat(s->root, dirs[i].name, dirs[i].mode) < 0 && errno != EEXIST)
            return error_errno(e, -errno, "create %s/%s", s->root_path, dirs[i].name);
    if (faccessat(s->root, "index.json", F_OK, 0) < 0) {
        r = fs_replace_at(s->root, "index.json", EMPTY_INDEX, strlen(EMPTY_INDEX), 0644, FS_NO_SYNC, e);
        if (r < 0)
            return r;
    }
    /* Last: whoever sees this file finds the rest. */
    return fs_replace_at(s->root, "oci-layout", LAYOUT, strlen(LAYOUT), 0644, FS_NO_SYNC, e);
}

/* How many ids are mapped in our user namespace. The initial one says "0 0 4294967295". */
static void read_map(struct image_store *s) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    unsigned long inside, outside, count, total = 0;
    const char *line;
    int n;

    if (fs_read_at(AT_FDCWD, "/proc/self/uid_map", 65536, &b, NULL) < 0)
        return;
    for (line = buf_text(&b); sscanf(line, " %lu %lu %lu%n", &inside, &outside, &count, &n) == 3; line += n)
        total += count;
    s->one_owner = total == 1;
    s->full_map = total == UINT32_MAX && geteuid() == 0;
}

int image_store_open(const struct roots *roots, struct image_store **ret, struct error *e) {
    _cleanup_image_store_ struct image_store *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        abort();
    s->pin = -1;
    s->limits = default_limits;
    s->run_root = roots->run_fd;
    s->root_path = roots->root;
    s->root = fcntl(roots->root_fd, F_DUPFD_CLOEXEC, 3);
    if (s->root < 0)
        return error_errno(e, -errno, "open the image store");
    if (faccessat(s->root, "oci-layout", F_OK, 0) < 0) {
        r = make_store(s, e);
        if (r < 0)
            return error_wrap(e, r, "create the image store");
    }
    *ret = TAKE_PTR(s);
    return 0;
}

void image_store_close(struct image_store *s) {
    if (!s)
        return;
    (void)fd_close(s->pin);
    (void)fd_close(s->root);
    free(s);
}

void image_store_limits(struct image_store *s, const struct image_limits *limits) {
    struct image_limits l = *limits;

    l.layer_size_max = l.layer_size_max ? l.layer_size_max : default_limits.layer_size_max;
    l.layer_inodes_max = l.layer_inodes_max ? l.layer_inodes_max : default_limits.layer_inodes_max;
    l.image_size_max = l.image_size_max ? l.image_size_max : default_limits.image_size_max;
    l.path_length_max = l.path_length_max ? l.path_length_max : default_limits.path_length_max;
    l.path_depth_max = l.path_depth_max ? l.path_depth_max : default_limits.path_depth_max;
    l.ratio_max = l.ratio_max ? l.ratio_max : default_limits.ratio_max;
    s->limits = l;
}

void store_read_map(struct image_store *s) {
    read_map(s);
}

/* --- locks ------------------------------------------------------------------------------------------------------------------ */

int store_lock(struct image_store *s, bool exclusive, struct error *e) {
    int r = lock_wait(s->root, LOCK_STORE, exclusive, e);

    return r < 0 ? error_wrap(e, r, "lock the image store") : r;
}

static void ingest_lock_path(char kind, const char *name, char path[STORE_PATH_MAX]) {
    (void)snprintf(path, STORE_PATH_MAX, DIR_INGEST "/%c-%.128s.lock", kind, name);
}

/* The file is removed by its holder at the end, so whoever got the lock of a file that has no name any more has locked nothing. */
static bool is_still_named(struct image_store *s, const char *path, int fd) {
    struct stat here, there;

    return fstat(fd, &here) == 0 && fstatat(s->root, path, &there, AT_SYMLINK_NOFOLLOW) == 0 && here.st_ino == there.st_ino;
}

int ingest_lock(struct image_store *s, char kind, const char *name, bool wait, struct error *e) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[STORE_PATH_MAX];

    ingest_lock_path(kind, name, path);
    for (;;) {
        _cleanup_fd_ int fd = openat(s->root, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
            return error_errno(e, -errno, "open %s", path);
        while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l) < 0) {
            if (!wait && (errno == EAGAIN || errno == EACCES))
                return -EAGAIN;
            if (errno != EINTR)
                return error_errno(e, -errno, "lock %s", path);
        }
        if (is_still_named(s, path, fd))
            return TAKE_FD(fd);
    }
}

void ingest_unlock(struct image_store *s, char kind, const char *name, int fd) {
    char path[STORE_PATH_MAX];

    if (fd < 0)
        return;
    ingest_lock_path(kind, name, path);
    (void)unlinkat(s->root, path, 0);
    (void)fd_close(fd);
}

const char *boot_id(void) {
    static char id[48];
    _cleanup_fd_ int fd = -1;
    ssize_t n;

    if (!id[0]) {
        fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, id, sizeof(id) - 1) : 0;
        id[n > 0 ? strcspn(id, "\n") : 0] = '\0';
        if (!id[0])
            (void)snprintf(id, sizeof(id), "unknown");
    }
    return id;
}

/* --- trash ------------------------------------------------------------------------------------------------------------------ */

static void trash_name(const char *kind, char path[STORE_PATH_MAX]) {
    char id[ID_LENGTH + 1];

    if (id_new(id) < 0)
        abort();
    (void)snprintf(path, STORE_PATH_MAX, DIR_TRASH "/image-%s%.16s", kind, id);
}

int store_trash(struct image_store *s, const char *path, struct error *e) {
    char target[STORE_PATH_MAX];

    trash_name("", target);
    if (renameat(s->root, path, s->root, target) < 0 && errno != ENOENT)
        return error_errno(e, -errno, "move %s into the trash", path);
    return 0;
}

/* Made a moment ago: its command had no time yet to lock it. */
static bool is_newborn_scratch(int dirfd, const char *name) {
    struct stat st;

    return strncmp(name, "image-scratch", 13) == 0 && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_is_recent(st.st_mtim, 60 * NS_PER_SEC);
}

static int remove_from_trash(int dirfd, const char *name, void *arg, struct error *e) {
    _cleanup_error_ struct error own = ERROR_INIT;
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    _cleanup_fd_ int lock = -1;

    (void)arg;
    (void)e;
    if (strncmp(name, "image-", 6) != 0)
        return 0; /* a container's: engine's to reap */
    /* A scratch directory carries a lock while its command lives. */
    lock = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0) {
        int in_use = openat(lock, ".lock", O_RDWR | O_CLOEXEC);

        (void)fd_close(lock);
        lock = in_use;
        if (lock >= 0 && fcntl(lock, F_OFD_SETLK, &l) < 0)
            return 0;
        if (lock < 0 && is_newborn_scratch(dirfd, name))
            return 0;
    }
    if (fs_remove_tree_at(dirfd, name, &own) < 0)
        log_warn("%s", own.text);
    return 0;
}

void store_empty_trash(struct image_store *s) {
    (void)fs_each(s->root, DIR_TRASH, remove_from_trash, NULL, NULL);
}

int store_scratch(struct image_store *s, char ret_path[STORE_PATH_MAX], struct error *e) {
    char lock[STORE_PATH_MAX + 8];
    int r;

    trash_name("scratch-", ret_path);
    if (mkdirat(s->root, ret_path, 0700) < 0)
        return error_errno(e, -errno, "create %s", ret_path);
    (void)snprintf(lock, sizeof(lock), "%s/.lock", ret_path);
    r = lock_wait(s->root, lock, true, e);
    return r;
}

/* --- reaping what dead commands left ------------------------------------------------------------------------------------------ */

#define PARTIAL_AGE_MAX_NS (24 * 3600 * NS_PER_SEC) /* a partial blob that nobody came back for */

/* ingest/DIGEST.part belongs to whoever holds the digest's lock, however old the clock says that it is. */
static void reap_partial(struct image_store *s, int dirfd, const char *name) {
    struct stat st;
    char digest[NAME_MAX + 1];
    int lock;

    (void)snprintf(digest, sizeof(digest), "%.*s", (int)(strlen(name) - strlen(".part")), name);
    lock = ingest_lock(s, 'b', digest, false, NULL);
    if (lock < 0)
        return;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !clock_is_recent(st.st_mtim, PARTIAL_AGE_MAX_NS))
        (void)unlinkat(dirfd, name, 0);
    ingest_unlock(s, 'b', digest, lock);
}

static int reap_ingest(int dirfd, const char *name, void *arg, struct error *e) {
    struct image_store *s = arg;
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    size_t n = strlen(name);

    (void)e;
    if (n > 5 && strcmp(name + n - 5, ".part") == 0) {
        reap_partial(s, dirfd, name);
        return 0;
    }
    if ((n > 5 && strcmp(name + n - 5, ".lock") == 0) || strncmp(name, "pin-", 4) == 0) {
        _cleanup_fd_ int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        struct stat here, there;

        /* Only while we hold it, and only if it is still the one with the name. */
        if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &l) == 0 && fstat(fd, &here) == 0 &&
            fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && here.st_ino == there.st_ino)
            (void)unlinkat(dirfd, name, 0);
    }
    return 0;
}

/* layers/.new-KEY belongs to whoever holds the key's lock. */
static int reap_layer(int dirfd, const char *name, void *arg, struct error *e) {
    struct image_store *s = arg;
    char path[STORE_PATH_MAX];
    int lock;

    (void)dirfd;
    if (strncmp(name, ".new-", 5) != 0)
        return 0;
    lock = ingest_lock(s, 'l', name + 5, false, NULL);
    if (lock < 0)
        return 0;
    (void)snprintf(path, sizeof(path), DIR_LAYERS "/%.255s", name);
    (void)store_trash(s, path, e);
    ingest_unlock(s, 'l', name + 5, lock);
    return 0;
}

void image_store_reap(struct image_store *s) {
    (void)fs_each(s->root, DIR_LAYERS, reap_layer, s, NULL);
    (void)fs_each(s->root, DIR_INGEST, reap_ingest, s, NULL);
    store_empty_trash(s);
}

/* --- pins of commits that are on their way ------------------------------------------------------------------------------------ */

/* The file without a holder goes at the next reap. */
void ingest_unpin(struct image_store *s) {
    s->pin = fd_close(s->pin);
}

int ingest_pin(struct image_store *s, const struct strs *names, struct error *e) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    _cleanup_buf_ struct buf b = BUF_INIT;
    _cleanup_fd_ int fd = -1, lock = -1;
    char id[ID_LENGTH + 1], path[STORE_PATH_MAX];

    if (id_new(id) < 0)
        return error_errno(e, -EIO, "make an id");
    for (size_t i = 0; i < names->n; i++)
        buf_printf(&b, "%s\n", names->v[i]);
    (void)snprintf(path, sizeof(path), DIR_INGEST "/pin-%.16s", id);
    lock = store_lock(s, false, e); /* so that no collection is half way through */
    if (lock < 0)
        return lock;
    fd = openat(s->root, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &l) < 0)
        return error_errno(e, -errno, "pin the image's parts");
    if (fs_write_all(fd, buf_text(&b), b.size) < 0)
        return error_errno(e, -errno, "pin the image's parts");
    ingest_unpin(s);
    s->pin = TAKE_FD(fd);
    return 0;
}

struct pins {
    struct arena *arena;
    struct strs *names;
};

static int read_pin(int dirfd, const char *name, void *arg, struct error *e) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct pins *p = arg;
    _cleanup_buf_ struct buf b = BUF_INIT;
    _cleanup_fd_ int fd = -1;
    char *rest;

    if (strncmp(name, "pin-", 4) != 0)
        return 0;
    fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type == F_UNLCK) {
        (void)unlinkat(dirfd, name, 0); /* its command is dead */
        return 0;
    }
    if (fs_read_fd(fd, (size_t)1 << 20, &b, e) < 0)
        return 0;
    rest = arena_strdup(p->arena, buf_text(&b));
    for (char *line = strtok_r(rest, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        strs_add(p->arena, p->names, line);
    return 0;
}

int ingest_pins_read(struct image_store *s, struct arena *a, struct strs *ret, struct error *e) {
    struct pins p = {a, ret};

    return fs_each(s->root, DIR_INGEST, read_pin, &p, e);
}

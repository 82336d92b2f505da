#include "engine/tar_stream.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"

#define BLOCK       512
#define PENDING_MAX ((size_t)128 << 10) /* bytes gathered before a write */
#define SEND_MAX    ((size_t)4 << 20)   /* one call; between two a signal is seen */
#define XATTR_MAX   ((size_t)64 << 10)  /* the kernel's own limit for a list and for a value */
#define DEPTH_MAX   512
#define OCTAL_7     07777777ULL
#define OCTAL_11    077777777777ULL

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct tar_link {
    dev_t device;
    ino_t inode;
    const char *path; /* in the archive */
};

/* One entry on its way: what stands in its header and in the pax records before it. */
struct entry {
    const char *path, *target; /* target: of links; NULL */
    struct stat st;
    char type;
    uint64_t size; /* of the content */
    struct buf records;
};

void tar_stream_release(struct tar_stream *t) {
    buf_release(&t->pending);
    arena_release(&t->arena);
}

/* --- bytes ------------------------------------------------------------------------------------------------------------------- */

static int flush(struct tar_stream *t, struct error *e) {
    int r = fs_write_all(t->fd, t->pending.data, t->pending.size);

    buf_clear(&t->pending);
    return r < 0 ? error_errno(e, r, "write the archive") : 0;
}

static int put(struct tar_stream *t, const void *p, size_t n, struct error *e) {
    buf_add(&t->pending, p, n);
    if (t->pending.failed)
        return error_errno(e, -ENOMEM, "write the archive");
    t->bytes += n;
    return t->pending.size >= PENDING_MAX ? flush(t, e) : 0;
}

static int pad(struct tar_stream *t, uint64_t size, struct error *e) {
    static const char zeros[BLOCK];
    size_t rest = (size_t)(size % BLOCK);

    return rest ? put(t, zeros, BLOCK - rest, e) : 0;
}

static int put_zeros(struct tar_stream *t, uint64_t n, struct error *e) {
    static const char zeros[4096];

    for (size_t part; n > 0; n -= part) {
        int r;

        part = (size_t)MIN_OF(n, sizeof(zeros));
        r = put(t, zeros, part, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- headers ----------------------------------------------------------------------------------------------------------------- */

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(struct buf *b, const char *key, const void *value, size_t n) {
    size_t rest = strlen(key) + n + 3, length = rest + 1;
    char digits[24];

    for (;;) {
        size_t with = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", length);

        if (with == length)
            break;
        length = with;
    }
    buf_printf(b, "%s %s=", digits, key);
    buf_add(b, value, n);
    buf_add_char(b, '\n');
}

static void add_number(struct buf *b, const char *key, uint64_t value) {
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

    add_record(b, key, text, (size_t)n);
}

static void put_octal(char *field, size_t width, uint64_t value) {
    char text[24];

    (void)snprintf(text, sizeof(text), "%0*llo", (int)width - 1, (unsigned long long)value);
    memcpy(field, text, width - 1);
}

/* A number that the header's field cannot hold stands in a record; the field then says 0. */
static uint64_t fit(struct buf *records, const char *key, uint64_t value, uint64_t max) {
    if (value <= max)
        return value;
    add_number(records, key, value);
    return 0;
}

static void fit_text(struct buf *records, const char *key, const char *text, char field[100]) {
    size_t n = strlen(text);

    memcpy(field, text, MIN_OF(n, 100U));
    if (n > 100)
        add_record(records, key, text, n);
}

static uint64_t fit_time(struct buf *records, const struct timespec *t) {
    char text[48];

    if (t->tv_sec < 0 || (uint64_t)t->tv_sec > OCTAL_11 || t->tv_nsec) {
        /* Before 1970 the fraction counts backwards from the second, as the decimal number is read. */
        long long s = t->tv_sec;
        long ns = t->tv_nsec;
        bool negative = s < 0;

        if (negative && ns) {
            s++;
            ns = 1000000000L - ns;
        }
        int n = snprintf(text, sizeof(text), "%s%lld.%09ld", negative ? "-" : "", negative ? -s : s, ns);

        while (text[n - 1] == '0')
            n--;
        n -= text[n - 1] == '.';
        add_record(records, "mtime", text, (size_t)n);
    }
    return t->tv_sec < 0 || (uint64_t)t->tv_sec > OCTAL_11 ? 0 : (uint64_t)t->tv_sec;
}

static int put_block(struct tar_stream *t, struct header *h, struct error *e) {
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned sum = 0;

    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    memset(h->checksum, ' ', sizeof(h->checksum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += bytes[i];
    put_octal(h->checksum, 7, sum);
    h->checksum[6] = '\0';
    return put(t, h, sizeof(*h), e);
}

static int put_records(struct tar_stream *t, const struct buf *records, struct error *e) {
    struct header h = {.name = "PaxHeaders/entry", .type = 'x'};
    int r;

    if (records->failed)
        return error_errno(e, -E2BIG, "describe the entry");
    if (records->size == 0)
        return 0;
    put_octal(h.mode, sizeof(h.mode), 0644);
    put_octal(h.uid, sizeof(h.uid), 0);
    put_octal(h.gid, sizeof(h.gid), 0);
    put_octal(h.size, sizeof(h.size), records->size);
    put_octal(h.mtime, sizeof(h.mtime), 0);
    r = put_block(t, &h, e);
    if (r == 0)
        r = put(t, records->data, records->size, e);
    return r < 0 ? r : pad(t, records->size, e);
}

void tar_stream_owner(const struct tar_stream *t, const struct stat *st, uint32_t *ret_uid, uint32_t *ret_gid) {
    *ret_uid = t->owner_set ? t->uid : id_inside(&t->owners.uids, st->st_uid);
    *ret_gid = t->owner_set ? t->gid : id_inside(&t->owners.gids, st->st_gid);
}

static int put_header(struct tar_stream *t, struct entry *en, struct error *e) {
    struct header h = {.type = en->type};
    bool node = en->type == '3' || en->type == '4';
    uint32_t uid, gid;
    int r;

    tar_stream_owner(t, &en->st, &uid, &gid);
    fit_text(&en->records, "path", en->path, h.name);
    if (en->target)
        fit_text(&en->records, "linkpath", en->target, h.link);
    put_octal(h.mode, sizeof(h.mode), en->st.st_mode & 07777);
    put_octal(h.uid, sizeof(h.uid), fit(&en->records, "uid", uid, OCTAL_7));
    put_octal(h.gid, sizeof(h.gid), fit(&en->records, "gid", gid, OCTAL_7));
    put_octal(h.size, sizeof(h.size), fit(&en->records, "size", en->size, OCTAL_11));
    put_octal(h.mtime, sizeof(h.mtime), fit_time(&en->records, &en->st.st_mtim));
    put_octal(h.major, sizeof(h.major), node ? major(en->st.st_rdev) & OCTAL_7 : 0);
    put_octal(h.minor, sizeof(h.minor), node ? minor(en->st.st_rdev) & OCTAL_7 : 0);
    r = put_records(t, &en->records, e);
    return r < 0 ? r : put_block(t, &h, e);
}

/* --- extended attributes ----------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_xattrs(int fd, struct buf *records) {
    _cleanup_free_ char *names = malloc(XATTR_MAX), *value = NULL;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    ssize_t size = names ? flistxattr(fd, names, XATTR_MAX) : -1;
    struct strs wanted = {0};

    for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1)
        if (fs_xattr_travels(name))
            strs_add(&a, &wanted, name);
    if (wanted.n == 0)
        return;
    value = malloc(XATTR_MAX);
    qsort(wanted.v, wanted.n, sizeof(*wanted.v), by_text);
    for (size_t i = 0; value && i < wanted.n; i++) {
        ssize_t n = fgetxattr(fd, wanted.v[i], value, XATTR_MAX);

        if (n >= 0)
            add_record(records, arena_printf(&a, "SCHILY.xattr.%s", wanted.v[i]), value, (size_t)n);
    }
}

/* --- entries ----------------------------------------------------------------------------------------------------------------- */

static const char *seen_before(struct tar_stream *t, const struct entry *en) {
    for (size_t i = 0; i < t->links.n; i++) {
        const struct tar_link *l = LIST_AT(struct tar_link, &t->links, i);

        if (l->device == en->st.st_dev && l->inode == en->st.st_ino)
            return l->path;
    }
    *LIST_ADD(&t->arena, struct tar_link, &t->links) =
        (struct tar_link){en->st.st_dev, en->st.st_ino, arena_strdup(&t->arena, en->path)};
    return NULL;
}

/* Large content goes from the page cache into a pipe without being copied. Returns what is left to be read: all of it where the
 * kernel cannot do that. */
static int send_content(struct tar_stream *t, int fd, uint64_t *left, struct error *e) {
    int r = *left > PENDING_MAX ? flush(t, e) : 0;

    while (r == 0 && *left > PENDING_MAX) {
        ssize_t n = sendfile(t->fd, fd, NULL, (size_t)MIN_OF(*left, (uint64_t)SEND_MAX));

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (n < 0 && (errno == EINVAL || errno == ENOSYS)))
            break;
        if (n < 0)
            return error_errno(e, -errno, "write the archive");
        *left -= (uint64_t)n;
        t->bytes += (uint64_t)n;
    }
    return r;
}

static int put_content(struct tar_stream *t, int fd, uint64_t size, struct error *e) {
    uint64_t left = size;
    char block[65536];
    int r = send_content(t, fd, &left, e);

    while (left > 0 && r == 0) {
        ssize_t n = read(fd, block, (size_t)MIN_OF(left, sizeof(block)));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(e, -errno, "read");
        if (n == 0)
            break; /* it became shorter: its header is written already */
        r = put(t, block, (size_t)n, e);
        left -= (uint64_t)n;
    }
    if (r == 0)
        r = put_zeros(t, left, e);
    return r < 0 ? r : pad(t, size, e);
}

static int add_file(struct tar_stream *t, int dirfd, const char *name, struct entry *en, struct error *e) {
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return error_errno(e, -errno, "open");
    if (fstat(fd, &en->st) < 0 || !S_ISREG(en->st.st_mode)) /* another thing took its name meanwhile */
        return error_errno(e, -ESTALE, "open");
    en->type = '0';
    en->target = en->st.st_nlink > 1 ? seen_before(t, en) : NULL;
    if (en->target) {
        en->type = '1';
        return put_header(t, en, e);
    }
    en->size = (uint64_t)en->st.st_size;
    add_xattrs(fd, &en->records);
    r = put_header(t, en, e);
    return r < 0 ? r : put_content(t, fd, en->size, e);
}

static int add_directory(struct tar_stream *t, int dirfd, const char *name, struct entry *en, struct error *e) {
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char slashed[PATH_MAX + 1];

    if (fd < 0 || fstat(fd, &en->st) < 0)
        return error_errno(e, -errno, "open");
    if (snprintf(slashed, sizeof(slashed), "%s/", en->path) >= (int)sizeof(slashed))
        return error_errno(e, -ENAMETOOLONG, "name");
    en->path = slashed;
    en->type = '5';
    add_xattrs(fd, &en->records);
    return put_header(t, en, e);
}

static int add_symlink(struct tar_stream *t, int dirfd, const char *name, struct entry *en, struct error *e) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

    if (n < 0)
        return error_errno(e, -errno, "read the link");
    target[n] = '\0';
    en->target = target;
    en->type = '2';
    return put_header(t, en, e);
}

static int add_by_kind(struct tar_stream *t, int dirfd, const char *name, struct entry *en, struct error *e) {
    switch (en->st.st_mode & S_IFMT) {
    case S_IFREG: return add_file(t, dirfd, name, en, e);
    case S_IFDIR: return add_directory(t, dirfd, name, en, e);
    case S_IFLNK: return add_symlink(t, dirfd, name, en, e);
    case S_IFCHR: en->type = '3'; return put_header(t, en, e);
    case S_IFBLK: en->type = '4'; return put_header(t, en, e);
    case S_IFIFO: en->type = '6'; return put_header(t, en, e);
    default: return 0; /* a socket is nothing without its process */
    }
}

int tar_stream_add(struct tar_stream *t, int dirfd, const char *name, const char *path, struct stat *ret_st, struct error *e) {
    struct entry en = {.path = path, .records = BUF_WITH_MAX((size_t)4 << 20)};
    int r = 0;

    if (fstatat(dirfd, name, &en.st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, -errno, "stat %s", path);
    r = add_by_kind(t, dirfd, name, &en, e);
    buf_release(&en.records);
    if (r < 0)
        return error_wrap(e, r, "%s", path);
    if (ret_st)
        *ret_st = en.st;
    return 0;
}

int tar_stream_add_mark(struct tar_stream *t, const char *path, struct error *e) {
    struct entry en = {.path = path, .type = '0', .records = BUF_WITH_MAX((size_t)1 << 20)};
    int r = put_header(t, &en, e);

    buf_release(&en.records);
    return r;
}

int tar_stream_end(struct tar_stream *t, struct error *e) {
    int r = put_zeros(t, (uint64_t)2 * BLOCK, e);

    return r < 0 ? r : flush(t, e);
}

/* --- trees ------------------------------------------------------------------------------------------------------------------- */

struct walk {
    struct tar_stream *stream;
    tar_skip_fn *skip;
    void *arg;
    char path[PATH_MAX]; /* in the archive */
};

static int walk_directory(struct walk *w, int fd, int depth, struct error *e);

static int collect_name(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct {
        struct arena a;
        struct strs names;
    } *all = arg;

    strs_add(&all->a, &all->names, arena_strdup(&all->a, name));
    return 0;
}

static int walk_entry(struct walk *w, int dirfd, const char *name, int depth, struct error *e) {
    size_t length = strlen(w->path);
    struct stat st;
    int r = 0;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(e, -errno, "stat %s/%s", w->path, name);
    if (snprintf(w->path + length, sizeof(w->path) - length, "%s%s", length ? "/" : "", name) >= (int)(sizeof(w->path) - length)) {
        w->path[length] = '\0';
        return error_errno(e, -ENAMETOOLONG, "%s/%s", w->path, name);
    }
    if (!w->skip || !w->skip(w->path, &st, w->arg))
        r = tar_stream_add(w->stream, dirfd, name, w->path, &st, e);
    else
        st.st_mode = 0;
    if (r == 0 && S_ISDIR(st.st_mode)) {
        _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        r = fd < 0 ? error_errno(e, -errno, "open %s", w->path) : walk_directory(w, fd, depth + 1, e);
    }
    w->path[length] = '\0';
    return r;
}

static int walk_directory(struct walk *w, int fd, int depth, struct error *e) {
    struct {
        struct arena a;
        struct strs names;
    } all = {ARENA_INIT, {0}};
    int r = depth > DEPTH_MAX ? fs_too_deep(DEPTH_MAX, w->path, e) : fs_each(fd, ".", collect_name, &all, e);

    if (r == 0 && all.names.n)
        qsort(all.names.v, all.names.n, sizeof(*all.names.v), by_text);
    for (size_t i = 0; r == 0 && i < all.names.n; i++) {
        r = walk_entry(w, fd, all.names.v[i], depth, e);
        if (r == -ENOENT || r == -ESTALE) { /* of a tree in use, something went away or changed its kind: not ours to report */
            error_release(e);
            *e = (struct error)ERROR_INIT;
            r = 0;
        }
    }
    arena_release(&all.a);
    return r;
}

int tar_stream_add_tree(struct tar_stream *t, int dirfd, const char *name, const char *path, tar_skip_fn *skip, void *arg,
                        struct error *e) {
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct walk *w = calloc(1, sizeof(*w));
    int r = w ? 0 : -ENOMEM;

    if (fd < 0)
        r = error_errno(e, -errno, "open %s", path);
    if (r == 0 && path[0])
        r = tar_stream_add(t, dirfd, name, path, NULL, e);
    if (r == 0) {
        *w = (struct walk){.stream = t, .skip = skip, .arg = arg};
        (void)snprintf(w->path, sizeof(w->path), "%s", path);
        r = walk_directory(w, fd, 0, e);
    }
    free(w);
    return r;
}

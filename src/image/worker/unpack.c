/* The role that makes files: a plain archive in, a directory out. libarchive reads the headers; everything that touches the file
 * system is here and in tree.c. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "base/arena.h"
#include "base/fs.h"
#include "image/worker/lowers.h"
#include "image/worker/tree.h"
#include "image/worker/worker.h"
#include "kernel/capability.h"
#include "kernel/confine.h"

#define READ_SIZE       ((size_t)1 << 20)
#define MEMORY_MAX      ((rlim_t)2 << 30)
#define CPU_SECONDS_MAX 7200
#define XATTRS_MAX      128                 /* of one entry */
#define PUT_OFF_MAX     ((uint64_t)1 << 30) /* bytes of memory for what waits for the last entry */
#define WHITEOUT        ".wh."
#define WHITEOUT_META   ".wh..wh." /* AUFS's own; only .opq means something here */
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* Put off until all entries are there. */
struct directory { /* owner, mode and times: what is made inside would change the times, and a mode might lock us out */
    const char *path;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
};
struct hard_link { /* to something that this layer has not got: a layer below may */
    const char *path, *target;
};

struct unpacker {
    const struct worker_request *request;
    struct worker_message *result;
    struct archive *archive;
    struct tree tree;
    struct arena arena;
    struct list directories; /* of struct directory */
    struct list hard_links;  /* of struct hard_link */
    struct strs implicit;    /* directories that no entry named: a layer below knows their owner and mode */
    uint64_t put_off;        /* bytes that these lists take */
    unsigned char *buffer;
    char path[PATH_MAX]; /* the entry at work, normalised */
};

/* --- the cage -------------------------------------------------------------------------------------------------------------- */

/* Files are made as the container's root. The overlay of a running container with a user namespace of its own was mounted there: it
 * takes none of those who are nobody inside (EOVERFLOW). */
static int become_maker(const struct id_shift *owners, struct error *e) {
    uint32_t uid = id_outside(&owners->uids, 0), gid = id_outside(&owners->gids, 0);
    struct capability_sets sets;
    int r;

    if (uid == 0 && gid == 0)
        return 0;
    r = capability_get(&sets, e);
    if (r < 0)
        return r;
    (void)setfsgid(gid);
    (void)setfsuid(uid); /* takes the rights over files from the effective set */
    return capability_apply(&sets, e);
}

int unpack_confine(const struct worker_request *request, struct error *e) {
    static const struct cage_call calls[] = {
        CAGE_CALL(read),      CAGE_CALL(write),     CAGE_CALL(pwrite64),       CAGE_CALL(sendto),
        CAGE_CALL(recvmsg),   CAGE_CALL(close),     CAGE_CALL(openat),         CAGE_CALL(openat2),
        CAGE_CALL(mkdirat),   CAGE_CALL(mknodat),   CAGE_CALL(unlinkat),       CAGE_CALL(symlinkat),
        CAGE_CALL(linkat),    CAGE_CALL(fchown),    CAGE_CALL(fchownat),       CAGE_CALL(fchmod),
        CAGE_CALL(fchmodat),  CAGE_CALL(fsetxattr), CAGE_CALL(fgetxattr),      CAGE_CALL(flistxattr),
        CAGE_CALL(utimensat), CAGE_CALL(fstat),     CAGE_CALL(newfstatat),     CAGE_CALL(statx),
        CAGE_CALL(lseek),     CAGE_CALL(ftruncate), CAGE_CALL(getdents64),     CAGE_CALL(dup),
        CAGE_CALL(fcntl),     CAGE_CALL(sendfile),  CAGE_CALL(mmap),           CAGE_CALL(munmap),
        CAGE_CALL(mremap),    CAGE_CALL(brk),       CAGE_CALL(madvise),        CAGE_CALL(futex),
        CAGE_CALL(getpid),    CAGE_CALL(umask),     CAGE_CALL(rt_sigprocmask),
    };
    static const int fds[] = {WORKER_FD_SOCKET, WORKER_FD_TARGET};
    const struct cage_limit limits[] = {
        {RLIMIT_AS, MEMORY_MAX},
        {RLIMIT_NOFILE, TREE_DEPTH_MAX + WORKER_LOWERS_MAX + 32},
        {RLIMIT_CPU, CPU_SECONDS_MAX},
        {RLIMIT_NPROC, 0},
        {RLIMIT_FSIZE, request->unpacked_max},
    };
    const struct landlock_tree trees[] = {
        {WORKER_FD_TARGET, LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_DEVICES},
        {WORKER_FD_LAYERS, LANDLOCK_READ},
    };
    struct cage cage = CAGE_INIT_WORKER;
    int r = become_maker(&request->owners, e);

    if (r < 0)
        return r;
    cage.caps = CAGE_CAP(CAP_CHOWN) | CAGE_CAP(CAP_FOWNER) | CAGE_CAP(CAP_DAC_OVERRIDE) | CAGE_CAP(CAP_FSETID) |
                CAGE_CAP(CAP_SETFCAP) | CAGE_CAP(CAP_MKNOD);
    cage.fds = fds;
    cage.fd_count = ARRAY_SIZE(fds);
    cage.root_fd = WORKER_FD_TARGET;
    cage.limits = limits;
    cage.limit_count = ARRAY_SIZE(limits);
    cage.trees = trees;
    cage.tree_count = request->flags & WORKER_LOWERS ? 2 : 1;
    cage.calls = calls;
    cage.call_count = ARRAY_SIZE(calls);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that is too large is an error with a name, not a death */
    return confine(&cage, NULL, e);
}

/* --- one entry's metadata -------------------------------------------------------------------------------------------------- */

static bool is_layer(const struct unpacker *u) {
    return u->request->flags & WORKER_LAYER;
}

/* Do modes, times and attributes of the archive count? */
static bool keeps_metadata(const struct unpacker *u) {
    return u->request->flags & (WORKER_LAYER | WORKER_COPY);
}

static bool keeps_owners(const struct unpacker *u) {
    return u->request->flags & (WORKER_LAYER | WORKER_OWNERS) && !(u->request->flags & WORKER_ONE_OWNER);
}

/* Files are made by the container's root (become_maker()), so only others' need the call. */
static bool wants_owner(const struct unpacker *u, struct archive_entry *entry) {
    if (!keeps_owners(u))
        return false;
    return archive_entry_uid(entry) != id_outside(&u->request->owners.uids, 0) ||
           archive_entry_gid(entry) != id_outside(&u->request->owners.gids, 0);
}

static mode_t entry_mode(const struct unpacker *u, struct archive_entry *entry) {
    return keeps_metadata(u) ? archive_entry_perm(entry) & 07777 : archive_entry_filetype(entry) == AE_IFDIR ? 0700 : 0600;
}

static struct timespec entry_mtime(struct archive_entry *entry) {
    return (struct timespec){archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
}

static int check_owner(const struct unpacker *u, struct archive_entry *entry, struct error *e) {
    int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
    const struct id_shift *s = &u->request->owners;

    if (uid >= 0 && uid < UINT32_MAX && gid >= 0 && gid < UINT32_MAX) {
        archive_entry_set_uid(entry, id_outside(&s->uids, (uint32_t)uid));
        archive_entry_set_gid(entry, id_outside(&s->gids, (uint32_t)gid));
        return 0;
    }
    return error_set(e, -EINVAL, "owner %lld:%lld is out of range", (long long)uid, (long long)gid);
}

static int set_xattrs(struct unpacker *u, struct archive_entry *entry, int fd, struct error *e) {
    const char *name;
    const void *value;
    size_t size;
    int left = keeps_metadata(u) ? archive_entry_xattr_reset(entry) : 0;

    if (left > XATTRS_MAX)
        return error_set(e, -E2BIG, "more than %d extended attributes", XATTRS_MAX);
    while (left-- > 0 && archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (!fs_xattr_travels(name) || fsetxattr(fd, name, value, size, 0) == 0)
            continue;
        /* The user's own attributes are lost where the file system has none; a capability that is lost would break the program. */
        if (strcmp(name, "security.capability") == 0 && !(u->request->flags & WORKER_ONE_OWNER))
            return error_errno(e, -errno, "set extended attribute %s", name);
    }
    return 0;
}

/* Owner before mode: a change of owner takes the set-user-ID bits and capabilities away. */
static int set_file_metadata(struct unpacker *u, struct archive_entry *entry, int fd, mode_t made_with, struct error *e) {
    const struct timespec mtime = entry_mtime(entry), times[2] = {mtime, mtime};
    mode_t mode = entry_mode(u, entry);
    bool owner = wants_owner(u, entry);
    int r;

    if (owner && fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0)
        return error_errno(e, -errno, "change the owner");
    if ((owner || mode != made_with) && fchmod(fd, mode) < 0)
        return error_errno(e, -errno, "change the mode");
    r = set_xattrs(u, entry, fd, e);
    if (r == 0 && keeps_metadata(u) && futimens(fd, times) < 0)
        r = error_errno(e, -errno, "set the times");
    return r;
}

/* For what has no descriptor of its own to act on (links, nodes). The name was made by us a moment ago in a directory that nobody
 * else can reach, so it still means the same thing. */
static int set_node_metadata(struct unpacker *u, struct archive_entry *entry, int dirfd, const char *name, struct error *e) {
    const struct timespec mtime = entry_mtime(entry), times[2] = {mtime, mtime};

    if (wants_owner(u, entry) &&
        fchownat(dirfd, name, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, -errno, "change the owner");
    if (archive_entry_filetype(entry) != AE_IFLNK && fchmodat(dirfd, name, entry_mode(u, entry), 0) < 0)
        return error_errno(e, -errno, "change the mode");
    if (keeps_metadata(u) && utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, -errno, "set the times");
    return 0;
}

/* Makes room for something that is no directory. */
static int clear(struct unpacker *u, int dirfd, const char *name, struct error *e) {
    struct stat st;

    if (u->tree.keep_kinds && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return error_set(e, -EISDIR, "cannot overwrite directory with non-directory");
    return tree_clear(dirfd, name, e);
}

/* --- kinds of entries ------------------------------------------------------------------------------------------------------ */

static int count_bytes(struct unpacker *u, size_t n, struct error *e) {
    u->result->out_bytes += n;
    if (u->result->out_bytes <= u->request->unpacked_max)
        return 0;
    return error_set(e, -EFBIG, "the files are larger than %llu bytes together (layer_size_max in tare.conf)",
                     (unsigned long long)u->request->unpacked_max);
}

static int write_content(struct unpacker *u, int fd, int64_t size, struct error *e) {
    int64_t at = 0;

    for (;;) {
        const void *p;
        size_t n;
        la_int64_t offset;
        int code = archive_read_data_block(u->archive, &p, &n, &offset), r;

        if (code == ARCHIVE_EOF)
            break;
        if (code < ARCHIVE_WARN)
            return error_set(e, -EBADMSG, "damaged archive: %s", archive_error_string(u->archive));
        if (n == 0)
            continue;
        if (offset != at && lseek(fd, offset, SEEK_SET) < 0) /* a hole */
            return error_errno(e, -errno, "leave a hole");
        r = count_bytes(u, n, e);
        if (r < 0)
            return r;
        r = fs_write_all(fd, p, n);
        if (r < 0)
            return error_errno(e, r, "write");
        at = offset + (int64_t)n;
    }
    if (at < size && ftruncate(fd, size) < 0)
        return error_errno(e, -errno, "set the size to %lld", (long long)size);
    return 0;
}

static int make_file(struct unpacker *u, struct archive_entry *entry, int dirfd, const char *name, struct error *e) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    mode_t made_with = wants_owner(u, entry) ? 0600 : entry_mode(u, entry) & 0777;
    _cleanup_fd_ int fd = openat(dirfd, name, flags, made_with);
    int r;

    if (fd < 0 && errno == EEXIST) {
        r = clear(u, dirfd, name, e);
        if (r < 0)
            return r;
        fd = openat(dirfd, name, flags, made_with);
    }
    if (fd < 0)
        return error_errno(e, -errno, "create");
    r = write_content(u, fd, archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0, e);
    return r < 0 ? r : set_file_metadata(u, entry, fd, made_with, e);
}

/* Memory is bounded by what it holds, not by the number of entries: names can be long. Lists grow by doubling, in an arena. */
static int put_off(struct unpacker *u, size_t item_size, const char *text, struct error *e) {
    u->put_off += 3 * item_size + strlen(text) + 1;
    if (u->put_off > PUT_OFF_MAX)
        return error_set(e, -EFBIG, "the names of its directories and links need more than %llu bytes of memory",
                         (unsigned long long)PUT_OFF_MAX);
    return 0;
}

static int note_directory(struct unpacker *u, struct archive_entry *entry, struct error *e) {
    int r = put_off(u, sizeof(struct directory), u->path, e);
    struct directory *d;

    if (r < 0)
        return r;
    d = LIST_ADD(&u->arena, struct directory, &u->directories);
    d->path = arena_strdup(&u->arena, u->path);
    d->mode = entry_mode(u, entry);
    d->uid = (uid_t)archive_entry_uid(entry);
    d->gid = (gid_t)archive_entry_gid(entry);
    d->mtime = entry_mtime(entry);
    return 0;
}

static int make_directory(struct unpacker *u, struct archive_entry *entry, int dirfd, const char *name, struct error *e) {
    bool made;
    _cleanup_fd_ int fd =
        name[0] ? tree_open_dir(&u->tree, dirfd, name, &made, e) : openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return name[0] ? fd : error_errno(e, -errno, "open the root directory");
    r = set_xattrs(u, entry, fd, e);
    return r < 0 ? r : note_directory(u, entry, e);
}

static int make_symlink(struct unpacker *u, struct archive_entry *entry, int dirfd, const char *name, struct error *e) {
    const char *text = archive_entry_symlink(entry);
    int r;

    if (!text)
        text = archive_entry_symlink_utf8(entry);
    if (!text || !text[0])
        return error_set(e, -EINVAL, "symbolic link to nothing");
    if (symlinkat(text, dirfd, name) < 0) {
        r = errno == EEXIST ? clear(u, dirfd, name, e) : -errno;
        if (r < 0 || symlinkat(text, dirfd, name) < 0)
            return error_errno(e, r < 0 ? r : -errno, "create symbolic link");
    }
    return set_node_metadata(u, entry, dirfd, name, e);
}

static int make_node(struct unpacker *u, struct archive_entry *entry, int dirfd, const char *name, mode_t type, struct error *e) {
    dev_t device = type == S_IFIFO ? 0 : archive_entry_rdev(entry);
    int r;

    if (!keeps_metadata(u))
        return error_set(e, -EINVAL, "no file, directory or symbolic link");
    if (type != S_IFIFO && !(u->request->flags & WORKER_DEVICES) && (device != 0 || !is_layer(u))) {
        u->result->skipped_devices++; /* a container's /dev is the engine's; a node elsewhere would open the host's disk */
        return 0;
    }
    r = clear(u, dirfd, name, e);
    if (r == 0 && type == S_IFCHR && device == 0)
        return tree_make_whiteout(dirfd, name, e);
    if (r == 0 && mknodat(dirfd, name, type | 0600, device) < 0)
        r = error_errno(e, -errno, "create node");
    return r < 0 ? r : set_node_metadata(u, entry, dirfd, name, e);
}

/* `name` in dirfd becomes one more name of what `target` is in this very layer. -ENOENT (no text): the layer has it not. */
static int link_inside(struct unpacker *u, const char *target, int dirfd, const char *name, struct error *e) {
    const char *slash = strrchr(target, '/'), *base = slash ? slash + 1 : target;
    char parent[PATH_MAX];
    _cleanup_fd_ int fd = -1;
    struct stat st, there;

    (void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - target) : 1, slash ? target : ".");
    fd = fs_open_beneath(u->tree.root, parent, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 || !base[0] || fstatat(fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || tree_is_whiteout(fd, base, &st))
        return -ENOENT;
    if (S_ISDIR(st.st_mode))
        return error_set(e, -EPERM, "hard link to the directory %.200s", target);
    if (fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        int r;

        if (there.st_dev == st.st_dev && there.st_ino == st.st_ino)
            return 0;
        r = clear(u, dirfd, name, e);
        if (r < 0)
            return r;
    }
    if (linkat(fd, base, dirfd, name, 0) < 0)
        return error_errno(e, -errno, "hard link to %.200s", target);
    return 0;
}

static int make_hard_link(struct unpacker *u, const char *text, int dirfd, const char *name, struct error *e) {
    char target[PATH_MAX];
    struct hard_link *l;
    int r = tree_normalise(text, target, e);

    if (r < 0)
        return error_wrap(e, r, "hard link");
    r = link_inside(u, target, dirfd, name, e);
    if (r != -ENOENT)
        return r;
    if (!(u->request->flags & WORKER_LOWERS))
        return error_set(e, -ENOENT, "hard link to %.200s, which does not exist", text);
    r = clear(u, dirfd, name, e);
    if (r == 0)
        r = put_off(u, sizeof(*l), u->path, e);
    if (r == 0)
        r = put_off(u, 0, target, e);
    if (r < 0)
        return r;
    l = LIST_ADD(&u->arena, struct hard_link, &u->hard_links);
    l->path = arena_strdup(&u->arena, u->path);
    l->target = arena_strdup(&u->arena, target);
    return 0;
}

/* The lower layers' thing of that name is hidden. What this layer itself has under the name stays (specification: whiteouts apply
 * to lower layers only), whatever the order of the entries. */
static int make_whiteout(struct unpacker *u, int dirfd, const char *name, struct error *e) {
    const char *hidden = name + strlen(WHITEOUT);
    _cleanup_fd_ int fd = -1;
    int r;

    if (strcmp(name, WHITEOUT_OPAQUE) == 0)
        return tree_hide_below(&u->tree, e);
    if (strncmp(name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
        return 0;
    if (!hidden[0] || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return error_set(e, -EINVAL, "whiteout of \"%s\"", hidden);
    r = tree_make_whiteout(dirfd, hidden, e);
    if (r != -EEXIST)
        return r;
    fd = openat(dirfd, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? tree_set_opaque(fd, hidden, e) : 0;
}

static int make_entry(struct unpacker *u, struct archive_entry *entry, struct error *e) {
    const char *link = archive_entry_hardlink(entry), *name;
    int dirfd, r = check_owner(u, entry, e);

    if (!link)
        link = archive_entry_hardlink_utf8(entry);
    if (r == 0)
        r = tree_parent(&u->tree, u->path, &dirfd, &name, e);
    if (r < 0)
        return r;
    if (!name[0]) /* the root itself */
        return archive_entry_filetype(entry) == AE_IFDIR ? make_directory(u, entry, dirfd, name, e) : 0;
    if (is_layer(u) && strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0)
        return make_whiteout(u, dirfd, name, e);
    if (link)
        return make_hard_link(u, link, dirfd, name, e);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return make_file(u, entry, dirfd, name, e);
    case AE_IFDIR: return make_directory(u, entry, dirfd, name, e);
    case AE_IFLNK: return make_symlink(u, entry, dirfd, name, e);
    case AE_IFIFO: return make_node(u, entry, dirfd, name, S_IFIFO, e);
    case AE_IFCHR: return make_node(u, entry, dirfd, name, S_IFCHR, e);
    case AE_IFBLK: return make_node(u, entry, dirfd, name, S_IFBLK, e);
    default: return 0; /* a socket, or something of a system we do not know */
    }
}

/* --- when all entries are there --------------------------------------------------------------------------------------------- */

static int finish_hard_link(struct unpacker *u, const struct lowers *l, const struct hard_link *link, struct error *e) {
    _cleanup_fd_ int from = -1;
    const char *name;
    int dirfd, r = tree_parent(&u->tree, link->path, &dirfd, &name, e);
    struct stat st;

    if (r < 0)
        return r;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0; /* a later entry took the name */
    r = link_inside(u, link->target, dirfd, name, e);
    if (r != -ENOENT)
        return r;
    /* Both names must stay one file, so the file itself comes up into this layer, as overlay would copy it up. */
    from = lowers_open(l, link->target);
    if (from < 0)
        return error_set(e, -ENOENT, "hard link to %.200s, which does not exist", link->target);
    r = tree_parent(&u->tree, link->target, &dirfd, &name, e);
    if (r == 0)
        r = copy_file(from, dirfd, name, e);
    if (r == 0)
        r = tree_parent(&u->tree, link->path, &dirfd, &name, e);
    return r < 0 ? r : link_inside(u, link->target, dirfd, name, e);
}

static int finish_implicit(struct unpacker *u, const struct lowers *l, const char *path, struct error *e) {
    _cleanup_fd_ int from = lowers_open(l, path), to = -1;
    struct stat st;

    if (from < 0 || fstat(from, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    to = fs_open_beneath(u->tree.root, path, O_RDONLY | O_DIRECTORY, 0);
    return to < 0 ? 0 : copy_metadata(from, &st, to, e);
}

static int finish_directory(struct unpacker *u, const struct directory *d, struct error *e) {
    const struct timespec times[2] = {d->mtime, d->mtime};
    _cleanup_fd_ int fd = fs_open_beneath(u->tree.root, d->path[0] ? d->path : ".", O_RDONLY | O_DIRECTORY, 0);

    if (fd < 0)
        return 0; /* a later entry put something else in its place */
    if (keeps_owners(u) && fchown(fd, d->uid, d->gid) < 0)
        return error_errno(e, -errno, "%s: change the owner", d->path);
    if (fchmod(fd, d->mode) < 0)
        return error_errno(e, -errno, "%s: change the mode", d->path);
    if (keeps_metadata(u) && futimens(fd, times) < 0)
        return error_errno(e, -errno, "%s: set the times", d->path);
    return 0;
}

static int finish_with_lowers(struct unpacker *u, struct error *e) {
    struct worker_message need = {.kind = WORKER_NEED_LOWERS};
    struct lowers l = {.n = 0}, below;
    int r;

    worker_send(&need);
    r = worker_receive_lowers(l.fd + 1, e);
    if (r < 0)
        return r;
    l.fd[0] = u->tree.root;
    l.n = (size_t)r + 1;
    for (size_t i = 0; i < u->hard_links.n; i++) {
        const struct hard_link *link = LIST_AT(struct hard_link, &u->hard_links, i);

        r = finish_hard_link(u, &l, link, e);
        if (r < 0)
            return error_wrap(e, r, "%s", link->path);
    }
    below = l;
    memmove(below.fd, below.fd + 1, --below.n * sizeof(*below.fd));
    for (size_t i = 0; i < u->implicit.n; i++) {
        r = finish_implicit(u, &below, u->implicit.v[i], e);
        if (r < 0)
            return error_wrap(e, r, "%s", u->implicit.v[i]);
    }
    return 0;
}

/* Everything but the modes of directories, which could lock us out, and their times, which the making of entries changes. */
static int finish(struct unpacker *u, struct error *e) {
    int r = 0;

    if (u->request->flags & WORKER_LOWERS && (u->hard_links.n || u->implicit.n))
        r = finish_with_lowers(u, e);
    for (size_t i = 0; r == 0 && i < u->directories.n; i++)
        r = finish_directory(u, LIST_AT(struct directory, &u->directories, i), e);
    return r;
}

/* --- the archive ------------------------------------------------------------------------------------------------------------ */

static int note_implicit(void *arg, const char *path, struct error *e) {
    struct unpacker *u = arg;
    int r = put_off(u, sizeof(char *), path, e);

    if (r < 0)
        return r;
    strs_add(&u->arena, &u->implicit, arena_strdup(&u->arena, path));
    return 0;
}

static la_ssize_t read_archive(struct archive *a, void *arg, const void **ret) {
    struct unpacker *u = arg;
    ssize_t n;

    do
        n = read(STDIN_FILENO, u->buffer, READ_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        archive_set_error(a, errno, "read the archive");
    *ret = u->buffer;
    u->result->in_bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

static int next_entry(struct unpacker *u, struct archive_entry **ret, struct error *e) {
    const char *name;
    int code = archive_read_next_header(u->archive, ret), r;

    if (code == ARCHIVE_EOF)
        return 0;
    if (code < ARCHIVE_WARN)
        return error_set(e, -EBADMSG, "damaged archive: %s", archive_error_string(u->archive));
    if (++u->result->inodes > u->request->inodes_max)
        return error_set(e, -EFBIG, "the archive has more than %llu entries (layer_entries_max in tare.conf)",
                         (unsigned long long)u->request->inodes_max);
    name = archive_entry_pathname(*ret);
    if (!name)
        name = archive_entry_pathname_utf8(*ret);
    if (!name)
        return error_set(e, -EINVAL, "an entry has a name that cannot be read");
    r = tree_normalise(name, u->path, e);
    if (r == 0 && u->request->path_length_max && strlen(u->path) > u->request->path_length_max)
        r = error_set(e, -ENAMETOOLONG, "the name \"%.100s…\" is longer than %u bytes (path_length_max in tare.conf)", u->path,
                      u->request->path_length_max);
    return r < 0 ? r : 1;
}

static int unpack_entries(struct unpacker *u, struct error *e) {
    for (;;) {
        struct archive_entry *entry;
        int r = next_entry(u, &entry, e);

        if (r <= 0)
            return r;
        r = make_entry(u, entry, e);
        if (r < 0)
            return error_wrap(e, r, "%.300s", u->path);
    }
}

/* The rest of the pipe (padding) belongs to what the other worker hashes; it must not be stopped by a closed pipe. */
static void drain(struct unpacker *u) {
    ssize_t n;

    do
        n = read(STDIN_FILENO, u->buffer, READ_SIZE);
    while (n > 0 || (n < 0 && errno == EINTR));
}

int unpack_run(const struct worker_request *request, struct worker_message *result, struct error *e) {
    static struct unpacker u; /* large, and there is one */
    int r = 0;

    u.request = request;
    u.result = result;
    u.buffer = malloc(READ_SIZE);
    u.archive = archive_read_new();
    if (!u.buffer || !u.archive)
        abort();
    tree_init(&u.tree, WORKER_FD_TARGET);
    u.tree.implicit = note_implicit;
    u.tree.keep_kinds = request->flags & WORKER_COPY;
    u.tree.arg = &u;
    if (request->path_depth_max && request->path_depth_max < TREE_DEPTH_MAX)
        u.tree.depth_max = request->path_depth_max;
    (void)archive_read_support_format_tar(u.archive);
    (void)archive_read_support_format_empty(u.archive);
    if (archive_read_open2(u.archive, &u, NULL, read_archive, NULL, NULL) != ARCHIVE_OK)
        r = error_set(e, -EBADMSG, "not an archive: %s", archive_error_string(u.archive));
    if (r == 0)
        r = unpack_entries(&u, e);
    if (r == 0)
        drain(&u);
    if (r == 0)
        r = finish(&u, e);
    result->opaque_root = u.tree.root_opaque;
    tree_release(&u.tree);
    (void)archive_read_free(u.archive);
    arena_release(&u.arena);
    free(u.buffer);
    u = (struct unpacker){0};
    return r;
}

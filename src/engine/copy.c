#include "engine/copy.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/fs.h"
#include "engine/container_event.h"
#include "engine/copy_file.h"
#include "engine/copy_path.h"
#include "engine/tar_stream.h"
#include "engine/userns.h"
#include "engine/view.h"
#include "image/unpack_into.h"

#define PIPE_SIZE (1 << 20)

/* --- where in the container -------------------------------------------------------------------------------------------------- */

/* A path of a container: the tree to look in, and the path there. */
struct inside {
    struct container_view view;
    int source; /* of a mount of a container that does not run; owned, -1 = the view itself */
    char path[PATH_MAX];
    bool read_only;
};
#define INSIDE_INIT                                                                                                                \
    { .view = CONTAINER_VIEW_INIT, .source = -1 }
#define _cleanup_inside_ _cleanup_(inside_release)

static void inside_release(struct inside *in) {
    container_view_release(&in->view);
    in->source = fd_close(in->source);
}

static int inside_root(const struct inside *in) {
    return in->source >= 0 ? in->source : in->view.root;
}

/* What of `path` lies below the mount: NULL = it does not. */
static const char *below(const char *path, const char *mount) {
    size_t n = strlen(mount);

    while (n > 1 && mount[n - 1] == '/')
        n--;
    if (strncmp(path, mount, n) != 0 || (path[n] && path[n] != '/'))
        return NULL;
    return path + n;
}

/* Nothing is mounted in a container that does not run: a path into one of its volumes or binds is looked up in what would be. */
static int enter_mount(const struct container *c, struct inside *in, struct error *e) {
    const struct mount_point *best = NULL;
    const char *rest = NULL;

    for (size_t i = 0; i < c->record.mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &c->record.mounts, i);
        const char *left = below(in->path, m->destination);

        if (left && m->source && (strcmp(m->type, "bind") == 0 || strcmp(m->type, "volume") == 0) && !m->subpath &&
            (!rest || strlen(left) < strlen(rest))) {
            best = m;
            rest = left;
        }
    }
    in->read_only = best ? !best->rw : c->record.host.readonly_rootfs;
    if (!best)
        return 0;
    in->source = open(best->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (in->source < 0)
        return errno == ENOTDIR ? 0 : error_errno(e, -errno, "open %s", best->source);
    memmove(in->path, rest, strlen(rest) + 1);
    if (!in->path[0])
        memcpy(in->path, "/", 2);
    return 0;
}

static int inside_open(struct engine *engine, const struct container *c, const char *path, bool write, struct inside *in,
                       struct error *e) {
    int r;

    if (snprintf(in->path, sizeof(in->path), "%s%s", path[0] == '/' ? "" : "/", path) >= (int)sizeof(in->path))
        return error_errno(e, -ENAMETOOLONG, "%s", path);
    r = container_view_open(engine, c, write ? VIEW_INSIDE : VIEW_SEEN, &in->view, e);
    if (r == 0 && !in->view.live)
        r = enter_mount(c, in, e);
    if (r == 0 && write && in->read_only)
        r = error_set(e, -EROFS, in->source >= 0 ? "mounted volume is marked read-only" : "container rootfs is marked read-only");
    return r;
}

static int not_found(const struct container *c, const char *path, int r, struct error *e) {
    if (r == -ENOENT)
        return error_set(e, r, "Could not find the file %s in container %s", path, c->record.name);
    return error_errno(e, r, "%s in container %s", path, c->record.name);
}

/* --- sources and destinations ------------------------------------------------------------------------------------------------ */

/* The host's paths are the caller's own: relative to where he stands, "/" is the root. */
static int find_on_host(const char *path, bool follow, struct copy_place *ret) {
    _cleanup_fd_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char whole[PATH_MAX], here[PATH_MAX];
    int n;

    if (root < 0)
        return -errno;
    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        return -errno;
    n = snprintf(whole, sizeof(whole), "%s%s%s", path[0] == '/' ? "" : here, path[0] == '/' ? "" : "/", path);
    return n >= (int)sizeof(whole) ? -ENAMETOOLONG : copy_place_find(root, whole, follow, ret);
}

/* Into which directory the archive goes, and how its first entry is called ("" = only what is in the source). */
struct target {
    int dirfd; /* owned */
    char name[NAME_MAX + 1];
};

static int open_place(const struct copy_place *p) {
    int fd = openat(p->dirfd, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int choose_target(const struct copy_place *from, const struct copy_place *to, struct target *ret, struct error *e) {
    bool dir = S_ISDIR(from->st.st_mode), into = to->exists && S_ISDIR(to->st.st_mode);
    const char *name = into ? from->base : to->name;

    if (!to->exists && (to->contents || (!dir && to->slash)))
        return error_set(e, -ENOENT, "no such directory");
    if (to->exists && !into && dir)
        return error_set(e, -ENOTDIR, "cannot copy directory");
    if (into && dir && (from->contents || !from->base[0]))
        name = "";
    ret->dirfd = into ? open_place(to) : openat(to->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->dirfd < 0)
        return error_errno(e, into ? ret->dirfd : -errno, "open the destination");
    memcpy(ret->name, name, strlen(name) + 1);
    return 0;
}

/* --- the way over ------------------------------------------------------------------------------------------------------------ */

static int pack(struct tar_stream *t, const struct copy_place *from, const char *name, struct error *e) {
    int r = S_ISDIR(from->st.st_mode) ? tar_stream_add_tree(t, from->dirfd, from->name, name, NULL, NULL, e)
                                      : tar_stream_add(t, from->dirfd, from->name, name, NULL, e);

    return r < 0 ? r : tar_stream_end(t, e);
}

/* A worker that gives up closes its end: that is an error here, not a signal. */
static int pack_quietly(struct tar_stream *t, const struct copy_place *from, const char *name, struct error *e) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int r;

    (void)sigaction(SIGPIPE, &ignore, &before);
    r = pack(t, from, name, e);
    (void)sigaction(SIGPIPE, &before, NULL);
    return r;
}

/* As an archive through the confined worker, which can reach nothing but the destination. */
static int copy_as_archive(const struct copy_place *from, const struct target *to, unsigned flags, const struct tar_stream *as,
                           const struct id_shift *owners, uint64_t *ret_bytes, struct error *e) {
    _cleanup_error_ struct error why = ERROR_INIT;
    struct unpacking u = UNPACKING_INIT;
    struct tar_stream t = *as;
    struct stat st;
    bool made = S_ISDIR(from->st.st_mode) && to->name[0] && fstatat(to->dirfd, to->name, &st, AT_SYMLINK_NOFOLLOW) < 0;
    int ends[2], r, unpacked;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE); /* fewer wake-ups; the default works, too */
    r = unpack_into_begin(&u, ends[0], to->dirfd, flags, owners, e);
    (void)fd_close(ends[0]);
    t.fd = ends[1];
    if (r == 0)
        r = pack_quietly(&t, from, to->name, &why);
    (void)fd_close(ends[1]);
    unpacked = unpack_into_finish(&u, r == 0 || r == -EPIPE ? e : NULL);
    if (r < 0 && r != -EPIPE && why.text)
        error_move(e, &why);
    else
        r = unpacked;
    if (r == 0 && ret_bytes)
        *ret_bytes = t.bytes;
    if (r < 0 && made) /* half a tree would pass for the whole */
        (void)fs_remove_tree_at(to->dirfd, to->name, NULL);
    tar_stream_release(&t);
    return r;
}

/* `as`: which owners the files have (tar_stream.h); `owners`: those are ids inside of a container, where they go (NULL: the
 * host's). */
static int copy_over(const struct copy_place *from, const struct target *to, unsigned flags, const struct tar_stream *as,
                     const struct id_shift *owners, uint64_t *ret_bytes, struct error *e) {
    /* Files of a mapped container are made by the worker as its root (WORKER_COPY). */
    bool mapped = owners && (id_outside(&owners->uids, 0) || id_outside(&owners->gids, 0));

    if (S_ISREG(from->st.st_mode) && !mapped)
        return copy_file_over(from, to->dirfd, to->name, flags & UNPACK_OWNERS ? as : NULL, owners, ret_bytes, e);
    return copy_as_archive(from, to, flags, as, owners, ret_bytes, e);
}

/* What was done is told as an event, by its name at Docker's API. */
static int tell(struct engine *engine, const struct container *c, const char *action, int r) {
    if (r == 0)
        container_event(engine, &c->record, action, (char *)NULL);
    return r;
}

static int directory_length(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? (int)MAX_OF(slash - path, 1) : 0;
}

int container_copy_out(struct engine *engine, const struct container *c, const char *path, const char *host_path,
                       const struct copy_options *o, uint64_t *ret_bytes, struct error *e) {
    _cleanup_inside_ struct inside in = INSIDE_INIT;
    _cleanup_copy_place_ struct copy_place from = COPY_PLACE_INIT, to = COPY_PLACE_INIT;
    struct target target = {.dirfd = -1};
    const struct id_shift there = userns_host_out(c);
    int r = inside_open(engine, c, path, false, &in, e);

    if (r < 0)
        return r;
    r = copy_place_find(inside_root(&in), in.path, o->follow, &from);
    if (r < 0 || !from.exists)
        return not_found(c, path, r < 0 ? r : -ENOENT, e);
    r = find_on_host(host_path, true, &to);
    if (r == -ENOENT)
        return error_set(e, r, "invalid output path: directory \"%.*s\" does not exist", directory_length(host_path), host_path);
    if (r < 0)
        return error_errno(e, r, "invalid output path: directory of \"%s\"", host_path);
    r = choose_target(&from, &to, &target, e);
    if (r == 0)
        r = copy_over(&from, &target, o->archive ? UNPACK_OWNERS : 0U, &(struct tar_stream){.fd = -1, .owners = userns_shift(c)},
                      &there, ret_bytes, e);
    (void)fd_close(target.dirfd);
    return tell(engine, c, "archive-path", r);
}

int container_copy_in(struct engine *engine, const struct container *c, const char *host_path, const char *path,
                      const struct copy_options *o, uint64_t *ret_bytes, struct error *e) {
    _cleanup_inside_ struct inside in = INSIDE_INIT;
    _cleanup_copy_place_ struct copy_place from = COPY_PLACE_INIT, to = COPY_PLACE_INIT;
    struct target target = {.dirfd = -1};
    const struct tar_stream as = {.fd = -1, .owner_set = !o->archive /* the container's root */, .owners = userns_host_in(c)};
    const struct id_shift shift = userns_shift(c);
    int r = find_on_host(host_path, o->follow, &from);

    if (r < 0 || !from.exists)
        return error_errno(e, r < 0 ? r : -ENOENT, "lstat %s", host_path);
    r = inside_open(engine, c, path, true, &in, e);
    if (r < 0)
        return r;
    r = copy_place_find(inside_root(&in), in.path, true, &to);
    if (r == -ENOTDIR)
        return error_set(e, r, "extraction point is not a directory");
    if (r < 0)
        return not_found(c, path, r, e);
    r = choose_target(&from, &to, &target, e);
    if (r == 0)
        r = copy_over(&from, &target, UNPACK_OWNERS, &as, &shift, ret_bytes, e);
    (void)fd_close(target.dirfd);
    return tell(engine, c, "extract-to-dir", r);
}

int container_archive_out(struct engine *engine, const struct container *c, const char *path, bool follow, int fd,
                          struct error *e) {
    _cleanup_inside_ struct inside in = INSIDE_INIT;
    _cleanup_copy_place_ struct copy_place from = COPY_PLACE_INIT;
    _cleanup_tar_stream_ struct tar_stream t = TAR_STREAM_INIT(fd);
    int r = inside_open(engine, c, path, false, &in, e);

    t.owners = userns_shift(c);
    if (r < 0)
        return r;
    r = copy_place_find(inside_root(&in), in.path, follow, &from);
    if (r < 0 || !from.exists)
        return not_found(c, path, r < 0 ? r : -ENOENT, e);
    return tell(engine, c, "archive-path", pack(&t, &from, from.contents ? "." : from.base, e));
}

int container_archive_in(struct engine *engine, const struct container *c, const char *path, int fd, struct error *e) {
    _cleanup_inside_ struct inside in = INSIDE_INIT;
    _cleanup_copy_place_ struct copy_place to = COPY_PLACE_INIT;
    struct unpacking u = UNPACKING_INIT;
    struct id_shift shift;
    _cleanup_fd_ int dir = -1;
    int r = inside_open(engine, c, path, true, &in, e);

    if (r < 0)
        return r;
    r = copy_place_find(inside_root(&in), in.path, true, &to);
    if (r < 0 || !to.exists)
        return not_found(c, path, r < 0 ? r : -ENOENT, e);
    if (!S_ISDIR(to.st.st_mode))
        return error_set(e, -ENOTDIR, "destination \"%s:%s\" must be a directory", c->record.name, path);
    dir = open_place(&to);
    if (dir < 0)
        return error_errno(e, dir, "open %s", path);
    shift = userns_shift(c);
    r = unpack_into_begin(&u, fd, dir, UNPACK_OWNERS | UNPACK_COMPRESSED | (engine->roots->rootless ? 0U : UNPACK_NOBODY), &shift,
                          e);
    if (r == 0)
        return tell(engine, c, "extract-to-dir", unpack_into_finish(&u, e));
    (void)unpack_into_finish(&u, NULL);
    return r;
}

int container_export(struct engine *engine, const struct container *c, int fd, struct error *e) {
    _cleanup_container_view_ struct container_view view = CONTAINER_VIEW_INIT;
    _cleanup_tar_stream_ struct tar_stream t = TAR_STREAM_INIT(fd);
    int r = container_view_open(engine, c, VIEW_READ, &view, e);

    t.owners = userns_shift(c);
    if (r == 0)
        r = tar_stream_add_tree(&t, view.root, ".", "", NULL, NULL, e);
    return tell(engine, c, "export", r < 0 ? r : tar_stream_end(&t, e));
}

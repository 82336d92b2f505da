#include "engine/changes.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/fs.h"
#include "engine/rootfs.h"
#include "engine/userns.h"

#define DEPTH_MAX 512

/* Where the engine mounts something in every container: start makes what is missing, empty. Docker has them in a layer of its own,
 * which its diff leaves out, too. */
static const char *const stubs[] = {
    "/dev",      "/dev/console",     "/dev/mqueue", "/dev/pts",     "/dev/shm", "/etc/hostname", "/etc/hosts",
    "/etc/mtab", "/etc/resolv.conf", "/proc",       "/run/secrets", "/sys",     "/sys/fs",       "/sys/fs/cgroup",
};

struct walk {
    struct arena *arena;
    struct list *changes;
    struct id_shift shift;
    bool whole;          /* what lies above holds all files, changed or not */
    char path[PATH_MAX]; /* of the directory at work; "" is the root */
};

char change_letter(enum change_kind kind) {
    return "CAD"[kind];
}

static bool is_stub(const char *path, const struct stat *st) {
    if (!S_ISDIR(st->st_mode) && (!S_ISREG(st->st_mode) || st->st_size))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(stubs); i++)
        if (strcmp(path, stubs[i]) == 0)
            return true;
    return false;
}

static void add(struct walk *w, enum change_kind kind) {
    *LIST_ADD(w->arena, struct change, w->changes) = (struct change){kind, arena_strdup(w->arena, w->path)};
}

static bool same_metadata(const struct walk *w, const struct stat *upper, const struct stat *lower) {
    return upper->st_mode == lower->st_mode && id_inside(&w->shift.uids, upper->st_uid) == lower->st_uid &&
           id_inside(&w->shift.gids, upper->st_gid) == lower->st_gid;
}

/* Of a whole copy: the time of its last change went along with it, and whoever writes sets another. */
static bool same_file(const struct walk *w, const struct stat *upper, const struct stat *lower) {
    return same_metadata(w, upper, lower) && upper->st_size == lower->st_size && upper->st_mtim.tv_sec == lower->st_mtim.tv_sec &&
           upper->st_mtim.tv_nsec == lower->st_mtim.tv_nsec;
}

static int walk_directory(struct walk *w, int upper, const int *lowers, size_t n, int depth, struct error *e);

static void close_all(int *fds, size_t n) {
    for (size_t i = 0; i < n; i++)
        fds[i] = fd_close(fds[i]);
}

/* A directory counts when something in it does, or when its own owner or mode is another. */
static int add_directory(struct walk *w, int dirfd, const char *name, const struct stat *st, const struct stat *below,
                         const int *lowers, size_t n, int depth, struct error *e) {
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    size_t before = w->changes->n;
    bool stub = !below && is_stub(w->path, st);
    int r;

    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(e, -errno, "open %s", w->path);
    add(w, below ? CHANGE_MODIFIED : CHANGE_ADDED);
    r = walk_directory(w, fd, lowers, n, depth + 1, e);
    if (w->changes->n == before + 1 && (stub || (below && S_ISDIR(below->st_mode) && same_metadata(w, st, below))))
        w->changes->n--;
    return r;
}

static int look_at(struct walk *w, int upper, const char *name, const int *lowers, size_t n, int depth, struct error *e) {
    int below[ROOTFS_LAYERS_MAX], found, r = 0;
    size_t below_n = 0;
    struct stat st, lower;

    if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(e, -errno, "stat %s", w->path);
    found = rootfs_child(lowers, n, name, &lower, below, &below_n);
    if (found < 0)
        return error_errno(e, found, "look for %s in the layers", w->path);
    if (rootfs_is_whiteout(upper, name, &st)) {
        if (found)
            add(w, CHANGE_DELETED);
    } else if (S_ISDIR(st.st_mode)) {
        r = add_directory(w, upper, name, &st, found ? &lower : NULL, below, below_n, depth, e);
    } else if (found ? !w->whole || !same_file(w, &st, &lower) : !is_stub(w->path, &st)) {
        add(w, found ? CHANGE_MODIFIED : CHANGE_ADDED);
    }
    close_all(below, below_n);
    return r;
}

/* --- the names of one directory --------------------------------------------------------------------------------------------- */

struct names {
    struct arena arena;
    struct strs all;
};

static int collect(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct names *n = arg;

    strs_add(&n->arena, &n->all, arena_strdup(&n->arena, name));
    return 0;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* An opaque directory took the place of one in the layers, or all is a copy: what that had and this has not is deleted. */
static int add_hidden(struct walk *w, int upper, const int *lowers, size_t n, struct error *e) {
    struct names names = {ARENA_INIT, {0}};
    size_t length = strlen(w->path);
    const char *last = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = fs_each(lowers[i], ".", collect, &names, e);
    if (names.all.n)
        qsort(names.all.v, names.all.n, sizeof(*names.all.v), by_text);
    for (size_t i = 0; r == 0 && i < names.all.n; i++) {
        const char *name = names.all.v[i];
        int below[ROOTFS_LAYERS_MAX];
        size_t below_n = 0;
        struct stat st;

        if ((last && strcmp(last, name) == 0) || fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        last = name;
        if (rootfs_child(lowers, n, name, &st, below, &below_n) <= 0)
            continue;
        close_all(below, below_n);
        (void)snprintf(w->path + length, sizeof(w->path) - length, "/%s", name);
        add(w, CHANGE_DELETED);
        w->path[length] = '\0';
    }
    arena_release(&names.arena);
    return r;
}

static int walk_directory(struct walk *w, int upper, const int *lowers, size_t n, int depth, struct error *e) {
    struct names names = {ARENA_INIT, {0}};
    size_t length = strlen(w->path);
    int r = depth > DEPTH_MAX ? fs_too_deep(DEPTH_MAX, w->path, e) : fs_each(upper, ".", collect, &names, e);

    if (r == 0 && n > 0 && (w->whole || rootfs_is_opaque(upper)))
        r = add_hidden(w, upper, lowers, n, e);
    for (size_t i = 0; r == 0 && i < names.all.n; i++) {
        if (snprintf(w->path + length, sizeof(w->path) - length, "/%s", names.all.v[i]) >= (int)(sizeof(w->path) - length))
            r = error_errno(e, -ENAMETOOLONG, "%s", w->path);
        else
            r = look_at(w, upper, names.all.v[i], lowers, n, depth, e);
        w->path[length] = '\0';
    }
    arena_release(&names.arena);
    return r;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

int changes_read(int upper, bool whole, const struct id_shift *shift, const int *lowers, size_t n, struct arena *a,
                 struct list *ret, struct error *e) {
    struct walk *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return error_errno(e, -ENOMEM, "read the changes");
    *ret = (struct list){0};
    w->arena = a;
    w->shift = *shift;
    w->whole = whole;
    w->changes = ret;
    r = walk_directory(w, upper, lowers, n, 0, e);
    free(w);
    if (r == 0 && ret->n)
        qsort(ret->v, ret->n, sizeof(struct change), by_path);
    return r;
}

int container_changes(struct engine *engine, const struct container *c, struct arena *a, struct list *ret, struct error *e) {
    _cleanup_fd_ int upper = -1;
    int lowers[ROOTFS_LAYERS_MAX], n, r;
    struct strs dirs = {0};

    if (c->record.host.rootfs && c->record.host.rootfs_writable)
        return error_set(e, -ENOTSUP, "container %s writes into %s itself: there is nothing to compare that with", c->record.name,
                         c->record.host.rootfs);
    (void)engine;
    container_base_dirs(&c->record, a, &dirs);
    upper = openat(c->dirfd, container_changes_name(&c->record), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (upper < 0 && errno == ENOENT) { /* it never ran */
        *ret = (struct list){0};
        return 0;
    }
    if (upper < 0)
        return error_errno(e, -errno, "open the upper directory of container %s", c->record.name);
    n = rootfs_open_dirs(&dirs, "/", lowers);
    const struct id_shift shift = userns_shift(c);
    r = changes_read(upper, c->record.own_files, &shift, lowers, (size_t)n, a, ret, e);
    close_all(lowers, (size_t)n);
    return r < 0 ? error_wrap(e, r, "read what container %s changed", c->record.name) : 0;
}

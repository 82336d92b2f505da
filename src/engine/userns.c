#include "engine/userns.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/lock.h"
#include "runtime/rootless.h"

#define DIRECTORY "userns" /* ROOT/userns/SLOT: symbolic link whose text is the owner's id */
#define LINK      "userns" /* ROOT/containers/ID/userns: its text is "UID GID SLOT", the starts of the ranges */
#define SUBID_MAX ((size_t)1 << 20)
#define MACHINE                                                                                                                    \
    "/run/tare-userns" /* START: symbolic link whose text is ROOT/containers/ID, for the engines of all roots together */

struct range {
    uint32_t uid, gid; /* first ids on the host */
    uint32_t slot;     /* of the pool */
};

struct pool {
    struct id_range uids[ROOTLESS_RANGES_MAX], gids[ROOTLESS_RANGES_MAX];
    size_t n_uids, n_gids;
};

/* ---- The pool ---- */

static size_t read_subids(const char *file, const char *user, struct id_range ranges[ROOTLESS_RANGES_MAX]) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    if (fs_read_at(AT_FDCWD, file, SUBID_MAX, &text, NULL) < 0)
        return 0;
    return rootless_ranges(buf_text(&text), user, 0, ranges);
}

static void pool_read(const char *user, struct pool *p) {
    p->n_uids = read_subids("/etc/subuid", user, p->uids);
    p->n_gids = read_subids("/etc/subgid", user, p->gids);
    if (p->n_uids > 0 && p->n_gids > 0)
        return;
    p->uids[0] = p->gids[0] = (struct id_range){USERNS_POOL, USERNS_RANGE * USERNS_RANGES};
    p->n_uids = p->n_gids = 1;
}

/* The start of the slot-th whole range; 0 when there are not so many. */
static uint32_t slot_start(const struct id_range *ranges, size_t n, uint32_t slot) {
    for (size_t i = 0; i < n; i++) {
        uint32_t whole = ranges[i].count / USERNS_RANGE;
        if (slot < whole)
            return ranges[i].start + slot * USERNS_RANGE;
        slot -= whole;
    }
    return 0;
}

/* ---- Who has which ---- */

static bool range_of(const struct container *c, struct range *ret) {
    char text[64];
    ssize_t n = readlinkat(c->dirfd, LINK, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return sscanf(text, "%u %u %u", &ret->uid, &ret->gid, &ret->slot) == 3;
}

/* The lock is held: a link whose owner is no more may be taken over. */
static int slot_take(struct engine *engine, int dir, const char *name, const char *id) {
    char owner[ID_LENGTH + 1];
    if (symlinkat(id, dir, name) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    ssize_t n = readlinkat(dir, name, owner, ID_LENGTH);
    int containers = engine_containers_dir(engine, NULL);
    if (n == ID_LENGTH && containers >= 0) {
        owner[n] = '\0';
        /* Our own is one that a crash left between the two links. */
        if (strcmp(owner, id) == 0)
            return 0;
        if (faccessat(containers, owner, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return -EEXIST;
    }
    if (unlinkat(dir, name, 0) < 0 || symlinkat(id, dir, name) < 0)
        return -errno;
    return 0;
}

/* Engines with other roots draw from the same pool. The text leads to the owner: a link that dangles is nobody's. */
static int machine_take(const struct engine *engine, const struct container *c, uint32_t start) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *name = arena_printf(&a, MACHINE "/%u", start),
               *owner = arena_printf(&a, "%s/containers/%s", engine->roots->root, c->id);
    char held[PATH_MAX];

    (void)mkdir(MACHINE, 0700);
    for (int tries = 0; symlink(owner, name) < 0; tries++) {
        ssize_t n = errno == EEXIST ? readlink(name, held, sizeof(held) - 1) : -1;

        if (errno != EEXIST && errno != ENOENT && n < 0)
            return errno == EROFS || errno == EACCES ? 0 : -errno; /* no such place: each engine for itself */
        held[n < 0 ? 0 : n] = '\0';
        if (strcmp(held, owner) == 0)
            return 0;
        if (tries > 4 || faccessat(AT_FDCWD, name, F_OK, 0) == 0)
            return -EEXIST;
        (void)unlink(name);
    }
    return 0;
}

static int forget(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    const char *root = arg;
    char owner[PATH_MAX];
    ssize_t n = readlinkat(dirfd, name, owner, sizeof(owner) - 1);
    size_t length = strlen(root);

    if (n > (ssize_t)length && strncmp(owner, root, length) == 0 && owner[length] == '/')
        (void)unlinkat(dirfd, name, 0);
    return 0;
}

void userns_forget(const struct engine *engine) {
    (void)fs_each(AT_FDCWD, MACHINE, forget, engine->roots->root, NULL);
    (void)rmdir(MACHINE); /* unless there are others' */
}

static int range_take(struct engine *engine, const struct container *c, const struct pool *p, int dir, struct range *ret,
                      struct error *e) {
    for (uint32_t slot = 0;; slot++) {
        char name[16], text[64];
        struct range range = {slot_start(p->uids, p->n_uids, slot), slot_start(p->gids, p->n_gids, slot), slot};
        if (range.uid == 0 || range.gid == 0) {
            error_set(e, -EDQUOT, "all %u ranges of ids are taken by other containers", slot);
            return error_hint(e, "add ranges to /etc/subuid and /etc/subgid, or remove containers with --userns auto");
        }
        snprintf(name, sizeof(name), "%u", slot);
        snprintf(text, sizeof(text), "%u %u %u", range.uid, range.gid, slot);
        int r = slot_take(engine, dir, name, c->id);
        if (r == 0) {
            r = machine_take(engine, c, range.uid);
            if (r < 0)
                (void)unlinkat(dir, name, 0);
        }
        if (r == 0)
            r = symlinkat(text, c->dirfd, LINK) < 0 ? -errno : 0;
        else if (r == -EEXIST)
            continue;
        if (r < 0)
            return error_errno(e, r, "take a range of ids");
        *ret = range;
        return 0;
    }
}

static int range_get(struct engine *engine, const struct container *c, struct range *ret, struct error *e) {
    if (range_of(c, ret)) {
        (void)machine_take(engine, c, ret->uid); /* the boot has taken the mark away */
        return 0;
    }
    if (mkdirat(engine->roots->root_fd, DIRECTORY, 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "make the directory of id ranges");
    _cleanup_fd_ int dir = fs_open_dir(engine->roots->root_fd, DIRECTORY, e);
    if (dir < 0)
        return dir;
    _cleanup_fd_ int lock = lock_wait(dir, "lock", true, e);
    if (lock < 0)
        return lock;
    struct pool pool;
    pool_read(engine->userns_user ? engine->userns_user : "tare", &pool);
    return range_take(engine, c, &pool, dir, ret, e);
}

static bool mode_is_host(const struct container *c) {
    const char *mode = c->record.host.userns_mode;
    return !mode || !*mode || strcmp(mode, "host") == 0;
}

int userns_reserve(struct engine *engine, const struct container *c, struct arena *a, struct journal *j, struct error *e) {
    struct range range = {0};
    if (mode_is_host(c) || engine->roots->rootless)
        return 0;
    int r = range_get(engine, c, &range, e);
    if (r < 0)
        return error_wrap(e, r, "--userns %s", c->record.host.userns_mode);
    journal_add(j, JOURNAL_UNLINK, arena_printf(a, "%s/" DIRECTORY "/%u", engine->roots->root, range.slot));
    journal_add(j, JOURNAL_UNLINK, arena_printf(a, MACHINE "/%u", range.uid));
    return 0;
}

/* ---- Maps ---- */

struct id_shift userns_shift(const struct container *c) {
    struct range range;

    if (mode_is_host(c) || !range_of(c, &range))
        return (struct id_shift){0};
    return (struct id_shift){
        .uid = range.uid, .gid = range.gid, .size = USERNS_RANGE, .keep_root = strcmp(c->record.host.userns_mode, "keep-id") == 0};
}

static const char *map_text(struct arena *a, const struct id_shift *s, uint32_t start) {
    if (s->keep_root)
        return arena_printf(a, "0 0 1\n1 %u %u\n", start + 1, s->size - 1);
    return arena_printf(a, "0 %u %u\n", start, s->size);
}

void userns_map_texts(const struct container *c, struct arena *a, const char **ret_uids, const char **ret_gids) {
    const struct id_shift s = userns_shift(c);

    *ret_uids = s.size ? map_text(a, &s, s.uid) : NULL;
    *ret_gids = s.size ? map_text(a, &s, s.gid) : NULL;
}

static void add_map(struct arena *a, struct list *maps, uint32_t inside, uint32_t outside, uint32_t size) {
    *LIST_ADD(a, struct oci_id_mapping, maps) = (struct oci_id_mapping){inside, outside, size};
}

static void add_maps(struct arena *a, struct list *maps, uint32_t start, bool keep_root) {
    if (keep_root)
        add_map(a, maps, 0, 0, 1);
    add_map(a, maps, keep_root, start + keep_root, USERNS_RANGE - keep_root);
}

int userns_maps(struct engine *engine, const struct container *c, struct arena *a, struct spec_input *input, struct error *e) {
    const char *mode = c->record.host.userns_mode;
    struct range range = {0};
    if (mode_is_host(c))
        return 0;
    if (engine->roots->rootless) {
        error_set(e, -EOPNOTSUPP, "--userns %s: only root of the host can shift the owners of an image's layers", mode);
        return error_hint(e, "a rootless container is in a user namespace of yours as it is: leave --userns out");
    }
    const struct spec_shared *s = &input->shared;
    if (s->network || s->network_path || s->ipc || s->pid || s->uts || s->cgroup)
        return error_set(e, -EOPNOTSUPP, "--userns %s: namespaces of others cannot be entered from a user namespace of its own",
                         mode);
    int r = range_get(engine, c, &range, e);
    if (r < 0)
        return error_wrap(e, r, "--userns %s", mode);
    bool keep = strcmp(mode, "keep-id") == 0;
    add_maps(a, &input->id_maps_uid, range.uid, keep);
    add_maps(a, &input->id_maps_gid, range.gid, keep);
    return 0;
}

#include "engine/userns_pool.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/id.h"
#include "base/lock.h"
#include "runtime/rootless.h"

#define DIRECTORY     "userns"
#define SUBID_MAX     ((size_t)1 << 20)
#define ROOT_SLOT     65536U      /* ids */
#define ROOTLESS_SLOT 1024U       /* an ordinary user has 65,536 in all, as a rule */
#define POOL_START    0x70000000U /* where /etc/subuid names none: above all that people have */
#define POOL_SLOTS    4096U

struct pool {
    struct id_range uids[ROOTLESS_RANGES_MAX], gids[ROOTLESS_RANGES_MAX];
    size_t n_uids, n_gids;
    uint32_t slot_size;
};

/* ---- What there is ---- */

static size_t read_subids(const char *file, const char *user, struct id_range ranges[ROOTLESS_RANGES_MAX]) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    if (fs_read_at(AT_FDCWD, file, SUBID_MAX, &text, NULL) < 0)
        return 0;
    return rootless_ranges(buf_text(&text), user, 0, ranges);
}

uint32_t userns_pool_slot_size(const struct engine *engine) {
    return engine->roots->rootless ? ROOTLESS_SLOT : ROOT_SLOT;
}

static void pool_read(const struct engine *engine, struct pool *p) {
    const struct roots *roots = engine->roots;
    const char *user = engine->userns_user ? engine->userns_user : "tare";

    p->slot_size = userns_pool_slot_size(engine);
    p->n_uids = p->n_gids = 1;
    if (roots->rootless) {
        p->uids[0] = (struct id_range){1, roots->uids - 1};
        p->gids[0] = (struct id_range){1, roots->gids - 1};
        return;
    }
    p->n_uids = read_subids("/etc/subuid", user, p->uids);
    p->n_gids = read_subids("/etc/subgid", user, p->gids);
    if (p->n_uids > 0 && p->n_gids > 0)
        return;
    p->uids[0] = p->gids[0] = (struct id_range){POOL_START, ROOT_SLOT * POOL_SLOTS};
    p->n_uids = p->n_gids = 1;
}

/* The start of the slot-th slot; 0 when there are not so many. */
static uint32_t slot_start(const struct id_range *ranges, size_t n, uint32_t size, uint32_t slot) {
    for (size_t i = 0; i < n; i++) {
        uint32_t whole = ranges[i].count / size;
        if (slot < whole)
            return ranges[i].start + slot * size;
        slot -= whole;
    }
    return 0;
}

static uint32_t uid_start(const struct pool *p, uint32_t slot) {
    return slot_start(p->uids, p->n_uids, p->slot_size, slot);
}

static uint32_t gid_start(const struct pool *p, uint32_t slot) {
    return slot_start(p->gids, p->n_gids, p->slot_size, slot);
}

/* ---- Who has which ---- */

/* The lock is held: a link whose owner is no more may be taken over. */
static int take_here(struct engine *engine, int dir, const char *name, const char *id) {
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

/* Locked: two engines that find the same dead link must not both take it. -1: there is no such place, each engine for itself. */
static int open_marks(const char *path) {
    for (int tries = 0; tries < 5; tries++) {
        (void)fs_mkdirs(path, 0700, NULL); /* with those above: a user may have no ~/.local/share yet */
        _cleanup_fd_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (dir < 0 || flock(dir, LOCK_EX) < 0)
            return -1;
        if (fstat(dir, &st) == 0 && st.st_nlink > 0) /* else the last engine has removed it meanwhile */
            return TAKE_FD(dir);
    }
    return -1;
}

static int mark(const struct engine *engine, int marks, const char *id, uint32_t start) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *name = arena_printf(&a, "%u", start), *owner = arena_printf(&a, "%s/containers/%s", engine->roots->root, id);
    char held[PATH_MAX];
    ssize_t n;

    if (marks < 0 || symlinkat(owner, marks, name) == 0)
        return 0;
    n = errno == EEXIST ? readlinkat(marks, name, held, sizeof(held) - 1) : -1;
    if (n < 0)
        return errno == EROFS || errno == EACCES ? 0 : -errno;
    held[n] = '\0';
    if (strcmp(held, owner) == 0)
        return 0;
    if (faccessat(marks, name, F_OK, 0) == 0)
        return -EEXIST;
    return unlinkat(marks, name, 0) < 0 || symlinkat(owner, marks, name) < 0 ? -errno : 0;
}

static void unmark(int marks, uint32_t start) {
    char name[16];

    (void)snprintf(name, sizeof(name), "%u", start);
    if (marks >= 0)
        (void)unlinkat(marks, name, 0);
}

static int take_slot(struct engine *engine, int dir, int marks, const char *id, const struct pool *p, uint32_t slot) {
    char name[16];
    int r;

    (void)snprintf(name, sizeof(name), "%u", slot);
    r = take_here(engine, dir, name, id);
    if (r < 0)
        return r;
    r = mark(engine, marks, id, uid_start(p, slot));
    if (r < 0)
        (void)unlinkat(dir, name, 0);
    return r;
}

static void give_slot(int dir, int marks, const struct pool *p, uint32_t slot) {
    char name[16];

    (void)snprintf(name, sizeof(name), "%u", slot);
    unmark(marks, uid_start(p, slot));
    (void)unlinkat(dir, name, 0);
}

static bool is_in_a_row(const struct pool *p, uint32_t slot, uint32_t slots) {
    uint32_t more = (slots - 1) * p->slot_size;

    return uid_start(p, slot + slots - 1) == uid_start(p, slot) + more &&
           gid_start(p, slot + slots - 1) == gid_start(p, slot) + more;
}

static int take_first(struct engine *engine, int dir, int marks, const char *id, const struct pool *p, uint32_t slots,
                      struct userns_range *ret, struct error *e) {
    uint32_t slot = 0, all = 0;

    for (; uid_start(p, slot) && gid_start(p, slot); slot++, all++) {
        uint32_t n = 0;
        int r = is_in_a_row(p, slot, slots) ? 0 : -EEXIST;

        while (r == 0 && n < slots)
            if ((r = take_slot(engine, dir, marks, id, p, slot + n)) == 0)
                n++;
        if (r == 0) {
            *ret = (struct userns_range){uid_start(p, slot), gid_start(p, slot), slot, slots};
            return 0;
        }
        while (n > 0)
            give_slot(dir, marks, p, slot + --n);
        if (r != -EEXIST)
            return error_errno(e, r, "take a range of ids");
    }
    error_set(e, -EDQUOT, "of %u ids no %u in a row are free: other containers have them", all * p->slot_size,
              slots * p->slot_size);
    return error_hint(e, "remove containers with --userns auto, or add ranges to /etc/subuid and /etc/subgid");
}

int userns_pool_take(struct engine *engine, const char *id, uint32_t slots, struct userns_range *ret, struct error *e) {
    struct pool pool;

    if (mkdirat(engine->roots->root_fd, DIRECTORY, 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "make the directory of id ranges");
    _cleanup_fd_ int dir = fs_open_dir(engine->roots->root_fd, DIRECTORY, e);
    if (dir < 0)
        return dir;
    _cleanup_fd_ int lock = lock_wait(dir, "lock", true, e);
    if (lock < 0)
        return lock;
    _cleanup_fd_ int marks = engine->roots->userns ? open_marks(engine->roots->userns) : -1;
    pool_read(engine, &pool);
    return take_first(engine, dir, marks, id, &pool, slots, ret, e);
}

void userns_pool_journal(const struct engine *engine, const struct userns_range *range, struct arena *a, struct journal *j) {
    for (uint32_t i = 0; i < range->slots; i++) {
        journal_add(j, JOURNAL_UNLINK, arena_printf(a, "%s/" DIRECTORY "/%u", engine->roots->root, range->slot + i));
        if (engine->roots->userns)
            journal_add(j, JOURNAL_UNLINK,
                        arena_printf(a, "%s/%u", engine->roots->userns, range->uid + i * userns_pool_slot_size(engine)));
    }
}

/* ---- The end ---- */

static int forget(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    const char *root = arg;
    char owner[PATH_MAX];
    ssize_t n = readlinkat(dirfd, name, owner, sizeof(owner) - 1);
    size_t length = strlen(root);

    if (n > (ssize_t)length && strncmp(owner, root, length) == 0 && owner[length] == '/')
        (void)unlinkat(dirfd, name, 0);
    return 0;
}

void userns_pool_forget(const struct engine *engine) {
    if (!engine->roots->userns)
        return;
    (void)fs_each(AT_FDCWD, engine->roots->userns, forget, engine->roots->root, NULL);
    (void)rmdir(engine->roots->userns); /* unless there are others' */
}

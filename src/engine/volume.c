#include "engine/volume.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/event_change.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/lock.h"
#include "engine/copy_tree.h"
#include "engine/rootfs.h"

#define VOLUME_JSON_MAX  ((size_t)1 << 20)
#define UNFINISHED_TRIES 10

static const struct json_field volume_fields[] = {
    JSON_FIELD(struct volume, created_at, "CreatedAt", JSON_STR, 0),
    JSON_FIELD(struct volume, driver, "Driver", JSON_STR, 0),
    JSON_FIELD(struct volume, labels, "Labels", JSON_MAP, JSON_NULL_EMPTY),
    JSON_FIELD(struct volume, mountpoint, "Mountpoint", JSON_STR, 0),
    JSON_FIELD(struct volume, name, "Name", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct volume, options, "Options", JSON_MAP, JSON_NULL_EMPTY),
    JSON_FIELD(struct volume, scope, "Scope", JSON_STR, 0),
    JSON_END,
};
const struct json_table volume_table = JSON_TABLE("volume", struct volume, volume_fields);

/* --- places ------------------------------------------------------------------------------------------------------------------ */

static int volumes_dir(const struct roots *roots, struct error *e) {
    int fd = openat(roots->root_fd, "volumes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(roots->root_fd, "volumes", 0701) < 0 && errno != EEXIST)
            return error_errno(e, -errno, "create %s/volumes", roots->root);
        fd = openat(roots->root_fd, "volumes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return fd < 0 ? error_errno(e, -errno, "open %s/volumes", roots->root) : fd;
}

static int no_such_volume(const char *name, struct error *e) {
    return error_set(e, -ENOENT, "get %s: no such volume", name);
}

/* The directory of one volume; O_NOFOLLOW, since the path is the engine's own and nothing else is expected there. */
static int volume_dir(const struct roots *roots, const char *name, struct error *e) {
    _cleanup_fd_ int volumes = -1;
    int fd;

    if (name_check("volume name", name, NULL) < 0)
        return no_such_volume(name, e);
    volumes = volumes_dir(roots, e);
    if (volumes < 0)
        return volumes;
    fd = openat(volumes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? no_such_volume(name, e) : error_errno(e, -errno, "open the volume %s", name);
    return fd;
}

/* --- creation ---------------------------------------------------------------------------------------------------------------- */

static int check_options(const struct map *options, struct error *e) {
    static const char *const known[] = {"type", "device", "o"};

    for (size_t i = 0; options && i < options->n; i++) {
        bool good = false;

        for (size_t k = 0; k < ARRAY_SIZE(known); k++)
            good = good || strcmp(options->v[i].key, known[k]) == 0;
        if (!good)
            return error_set(e, -EINVAL, "invalid option: \"%s\" (known: type, device, o)", options->v[i].key);
    }
    if (options && options->n > 0 && (!map_get(options, "type") || !map_get(options, "device")))
        return error_set(e, -EINVAL, "missing %s in the volume's options: type and device belong together",
                         map_get(options, "type") ? "device" : "type");
    return 0;
}

static int check_request(const char *name, const char *driver, const struct map *options, struct error *e) {
    int r;

    if (driver && *driver && strcmp(driver, "local") != 0) {
        error_set(e, -ENOENT, "error looking up volume plugin %s: plugin \"%s\" not found", driver, driver);
        return error_hint(e, "tare has the driver local");
    }
    r = name_check("volume name", name, e);
    if (r == 0 && strlen(name) < 2)
        r = error_set(e, -EINVAL, "volume name is too short, names should be at least two alphanumeric characters");
    return r < 0 ? r : check_options(options, e);
}

static bool same_map(const struct map *a, const struct map *b) {
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const char *other = map_get(b, a->v[i].key);

        if (!other || strcmp(other, a->v[i].value) != 0)
            return false;
    }
    return true;
}

/* A new directory in `unfinished`, locked: so that a healer, who may meet it before the lock, cannot take it away unseen. */
static int make_locked(int unfinished, const char *name, struct error *e) {
    _cleanup_fd_ int dir = -1;
    struct stat named, held;

    if (mkdirat(unfinished, name, 0701) < 0)
        return error_errno(e, -errno, "create a directory for the volume");
    dir = openat(unfinished, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0 || fstat(dir, &held) < 0 ||
        fstatat(unfinished, name, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != held.st_ino)
        return -EAGAIN;
    return TAKE_FD(dir);
}

/* Everything of a new volume, below a name that is not its own yet. ret: its directory, locked. */
static int make_unfinished(int unfinished, const struct volume *v, char name[ID_LENGTH + 1], struct error *e) {
    _cleanup_buf_ struct buf json = BUF_INIT;
    _cleanup_fd_ int dir = -EAGAIN;
    int r = 0;

    for (int tries = 0; r == 0 && dir == -EAGAIN && tries < UNFINISHED_TRIES; tries++) {
        r = id_new(name);
        if (r == 0)
            dir = make_locked(unfinished, name, e);
    }
    if (r < 0)
        return error_errno(e, r, "make a random name");
    if (dir < 0)
        return dir == -EAGAIN ? error_errno(e, dir, "create a directory for the volume") : dir;
    if (mkdirat(dir, "_data", 0755) < 0 || fchmodat(dir, "_data", 0755, 0) < 0 || mkdirat(dir, "users", 0700) < 0)
        return error_errno(e, -errno, "create the volume's directories");
    json_encode(&volume_table, v, 0, &json);
    r = fs_replace_at(dir, "volume.json", json.data, json.size, 0600, FS_SYNC, e);
    return r < 0 ? r : TAKE_FD(dir);
}

static int unfinished_dir(const struct roots *roots, struct error *e) {
    if (mkdirat(roots->root_fd, VOLUMES_UNFINISHED, 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create %s/" VOLUMES_UNFINISHED, roots->root);
    return fs_open_dir(roots->root_fd, VOLUMES_UNFINISHED, e);
}

static int take_existing(const struct roots *roots, const char *name, const struct map *options, struct arena *a,
                         struct volume *ret, struct error *e) {
    int r = volume_open(roots, name, a, ret, e);

    if (r < 0)
        return r;
    if (options && options->n > 0 && !same_map(options, &ret->options))
        return error_set(e, -EEXIST, "a volume named %s already exists with other options. Choose a different name", name);
    return 0;
}

int volume_create(const struct roots *roots, const char *name, const char *driver, const struct map *options,
                  const struct map *labels, struct arena *a, struct volume *ret, struct error *e) {
    struct volume v = {.driver = "local", .scope = "local", .anonymous = !name};
    char id[ID_LENGTH + 1], temporary[ID_LENGTH + 1] = "", created[TIME_TEXT_MAX];
    _cleanup_fd_ int volumes = -1, unfinished = -1, dir = -1;
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    int r = name ? 0 : id_new(id);

    if (r < 0)
        return error_errno(e, r, "make a random name");
    v.name = name ? name : arena_strdup(a, id);
    r = check_request(v.name, driver, options, e);
    if (r < 0)
        return error_wrap(e, r, "create %s", v.name);
    time_format((struct timespec){clock_wall().tv_sec, 0}, created);
    v.created_at = arena_strdup(a, created);
    if (options)
        v.options = *options;
    if (labels)
        v.labels = *labels;
    if (v.anonymous) {
        struct map with_mark = {0};

        for (size_t i = 0; i < v.labels.n; i++)
            map_set(a, &with_mark, v.labels.v[i].key, v.labels.v[i].value);
        map_set(a, &with_mark, VOLUME_ANONYMOUS_LABEL, "");
        v.labels = with_mark;
    }
    v.mountpoint = arena_printf(a, "%s/volumes/%s/_data", roots->root, v.name);
    volumes = volumes_dir(roots, e);
    if (volumes < 0)
        return volumes;
    if (faccessat(volumes, v.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return take_existing(roots, v.name, options, a, ret, e);
    unfinished = unfinished_dir(roots, e);
    if (unfinished < 0)
        return unfinished;
    r = dir = make_unfinished(unfinished, &v, temporary, e);
    event_change_of(&change, roots->run_fd, roots->root_fd, arena_printf(a, "volumes/%s", v.name), "volume", "create", v.name,
                    "driver", v.driver, (char *)NULL);
    if (r >= 0 && syscall(SYS_renameat2, unfinished, temporary, volumes, v.name, 1 /* RENAME_NOREPLACE */) < 0)
        r = -errno;
    if (r < 0) {
        (void)fs_remove_tree_at(unfinished, temporary, NULL);
        if (dir >= 0 && r == -EEXIST)
            return take_existing(roots, v.name, options, a, ret, e);
        return dir < 0 ? error_wrap(e, r, "create %s", v.name) : error_errno(e, r, "create %s", v.name);
    }
    if (fsync(volumes) < 0)
        return error_errno(e, -errno, "sync %s/volumes", roots->root);
    event_change_tell(&change);
    *ret = v;
    return 0;
}

int volume_open(const struct roots *roots, const char *name, struct arena *a, struct volume *ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int dir = volume_dir(roots, name, e);
    int r;

    if (dir < 0)
        return dir;
    r = fs_read_at(dir, "volume.json", VOLUME_JSON_MAX, &text, e);
    if (r >= 0)
        r = json_decode(&volume_table, text.data ? text.data : "", text.size, a, ret, e);
    if (r < 0)
        return error_wrap(e, r, "read the volume %s", name);
    ret->mountpoint = arena_printf(a, "%s/volumes/%s/_data", roots->root, ret->name);
    ret->anonymous = map_get(&ret->labels, VOLUME_ANONYMOUS_LABEL) != NULL;
    return 0;
}

/* --- listing -------------------------------------------------------------------------------------------------------------------
 */

struct list_walk {
    const struct roots *roots;
    struct arena *arena;
    struct list *ret; /* of struct volume */
};

static int list_entry(int dirfd _unused_, const char *name, void *arg, struct error *e) {
    struct list_walk *walk = arg;
    struct volume v;

    (void)e;
    /* One that was removed meanwhile or is damaged does not keep the others from being shown. */
    if (name[0] != '.' && volume_open(walk->roots, name, walk->arena, &v, NULL) == 0)
        *LIST_ADD(walk->arena, struct volume, walk->ret) = v;
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct volume *)a)->name, ((const struct volume *)b)->name);
}

int volume_list(const struct roots *roots, struct arena *a, struct list *ret, struct error *e) {
    struct list_walk walk = {roots, a, ret};
    _cleanup_fd_ int volumes = volumes_dir(roots, e);
    int r;

    if (volumes < 0)
        return volumes;
    *ret = (struct list){0};
    r = fs_each(volumes, ".", list_entry, &walk, e);
    if (r == 0 && ret->n > 1)
        qsort(ret->v, ret->n, sizeof(struct volume), by_name);
    return r;
}

/* --- users ---------------------------------------------------------------------------------------------------------------------
 */

int volume_use(const struct roots *roots, const char *name, const char *container_id, struct error *e) {
    _cleanup_fd_ int dir = volume_dir(roots, name, e), fd = -1;
    char path[16 + ID_LENGTH];

    if (dir < 0)
        return dir;
    (void)snprintf(path, sizeof(path), "users/%s", container_id);
    fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? error_errno(e, -errno, "use the volume %s", name) : 0;
}

int volume_release(const struct roots *roots, const char *name, const char *container_id, struct error *e) {
    _cleanup_fd_ int dir = volume_dir(roots, name, NULL);
    char path[16 + ID_LENGTH];

    if (dir < 0)
        return 0; /* gone with its volume */
    (void)snprintf(path, sizeof(path), "users/%s", container_id);
    return fs_unlink_at(dir, path, e);
}

struct users_walk {
    const struct roots *roots;
    struct arena *arena;
    struct strs *ret;
};

static int users_entry(int dirfd _unused_, const char *name, void *arg, struct error *e) {
    struct users_walk *walk = arg;
    char path[16 + ID_LENGTH];

    (void)e;
    if (!id_is_full(name))
        return 0;
    (void)snprintf(path, sizeof(path), "containers/%s", name);
    if (faccessat(walk->roots->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        strs_add(walk->arena, walk->ret, arena_strdup(walk->arena, name));
    return 0;
}

int volume_users(const struct roots *roots, const char *name, struct arena *a, struct strs *ret, struct error *e) {
    _cleanup_fd_ int dir = volume_dir(roots, name, e);
    struct users_walk walk = {roots, a, ret};

    if (dir < 0)
        return dir;
    *ret = (struct strs){0};
    return fs_each(dir, "users", users_entry, &walk, e);
}

/* --- removal -------------------------------------------------------------------------------------------------------------------
 */

static int refuse_used(const char *name, const struct strs *users, struct error *e) {
    _cleanup_buf_ struct buf ids = BUF_INIT;

    for (size_t i = 0; i < users->n; i++)
        buf_printf(&ids, "%s%s", i ? ", " : "", users->v[i]);
    return error_set(e, -EBUSY, "remove %s: volume is in use - [%s]", name, buf_text(&ids));
}

int volume_remove(const struct roots *roots, const char *name, bool force, struct error *e) {
    _cleanup_error_ struct error why = ERROR_INIT;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_fd_ int volumes = -1, trash = -1;
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    struct strs users;
    char id[ID_LENGTH + 1], bin[ID_LENGTH + 16];
    int r = volume_users(roots, name, &a, &users, &why);

    if (r == -ENOENT && force)
        return 0;
    if (r < 0) {
        error_move(e, &why);
        return r;
    }
    if (users.n > 0)
        return refuse_used(name, &users, e);
    volumes = volumes_dir(roots, e);
    if (volumes < 0)
        return volumes;
    if (mkdirat(roots->root_fd, "trash", 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create %s/trash", roots->root);
    trash = openat(roots->root_fd, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = trash < 0 ? -errno : id_new(id);
    if (r < 0)
        return error_errno(e, r, "open %s/trash", roots->root);
    (void)snprintf(bin, sizeof(bin), "volume-%s", id);
    event_change_of(&change, roots->run_fd, roots->root_fd, arena_printf(&a, "volumes/%s", name), "volume", "destroy", name,
                    "driver", "local", (char *)NULL);
    if (renameat(volumes, name, trash, bin) < 0)
        return errno == ENOENT ? (force ? 0 : no_such_volume(name, e)) : error_errno(e, -errno, "remove %s", name);
    if (fsync(volumes) < 0)
        return error_errno(e, -errno, "sync %s/volumes", roots->root);
    event_change_tell(&change);
    (void)fs_remove_tree_at(trash, bin, NULL); /* what cannot be unlinked now is reaped by a later command */
    return 0;
}

/* --- filling -------------------------------------------------------------------------------------------------------------------
 */

static int is_empty_entry(int dirfd _unused_, const char *name _unused_, void *arg _unused_, struct error *e _unused_) {
    return 1;
}

/* Copies beside the data and renames over it: an interrupted copy is not taken for the volume's content. Only while no container
 * can have the old directory mounted; else files appear in place. */
static int fill(int dir, const int *parts, size_t n, bool alone, struct error *e) {
    const char *name = alone ? "_data.tmp" : "_data";
    _cleanup_fd_ int to = -1;
    int r;

    if (alone) {
        r = fs_remove_tree_at(dir, name, e);
        if (r == 0 && mkdirat(dir, name, 0755) < 0)
            r = error_errno(e, -errno, "create %s", name);
        if (r < 0)
            return r;
    }
    to = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return error_errno(e, -errno, "open %s", name);
    r = copy_tree_merged(parts, n, to, &(struct id_shift){0}, e);
    if (r == 0 && alone && renameat(dir, name, dir, "_data") < 0)
        r = error_errno(e, -errno, "put the copy in place");
    if (r < 0 && alone)
        (void)fs_remove_tree_at(dir, name, NULL);
    return r;
}

static int give_to_root(int dir, const struct id_shift *owners, struct error *e) {
    uid_t uid = id_outside(&owners->uids, 0);
    gid_t gid = id_outside(&owners->gids, 0);

    if (uid == 0 && gid == 0)
        return 0;
    return fchownat(dir, "_data", uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? error_errno(e, -errno, "give _data to %u:%u", uid, gid) : 0;
}

int volume_fill(const struct roots *roots, const struct volume *v, const struct strs *rootfs, const char *path,
                const struct id_shift *owners, struct error *e) {
    _cleanup_fd_ int dir = -1, lock = -1;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct strs users = {0};
    int parts[ROOTFS_LAYERS_MAX], n, r;

    if (v->options.n > 0)
        return 0; /* its files are somewhere else */
    dir = volume_dir(roots, v->name, e);
    if (dir < 0)
        return dir;
    lock = lock_wait(dir, "lock", true, e);
    if (lock < 0)
        return lock;
    r = fs_each(dir, "_data", is_empty_entry, NULL, e);
    if (r != 0)
        return r > 0 ? 0 : error_wrap(e, r, "fill the volume %s", v->name);
    n = rootfs_open_dirs(rootfs, path, parts);
    r = volume_users(roots, v->name, &a, &users, e);
    if (r == 0 && n > 0)
        r = fill(dir, parts, (size_t)n, users.n <= 1, e);
    else if (r == 0 && users.n <= 1)
        r = give_to_root(dir, owners, e);
    for (int i = 0; i < n; i++)
        (void)fd_close(parts[i]);
    return r < 0 ? error_wrap(e, r, "fill the volume %s from %s of the image", v->name, path) : 0;
}

/* --- mounting, size --------------------------------------------------------------------------------------------------------------
 */

int volume_mount(const struct volume *v, const char *destination, struct arena *a, struct oci_mount *ret, struct error *e) {
    const char *type = map_get(&v->options, "type"), *device = map_get(&v->options, "device"), *o = map_get(&v->options, "o");

    *ret = (struct oci_mount){.destination = destination, .type = "bind", .source = v->mountpoint};
    if (v->options.n == 0) {
        strs_add(a, &ret->options, "rbind");
        return 0;
    }
    if (!type || !device)
        return error_set(e, -EINVAL, "the volume %s has no %s", v->name, type ? "device" : "type");
    ret->type = type;
    ret->source = device;
    for (const char *s = o ? o : ""; *s;) {
        size_t n = strcspn(s, ",");

        if (n > 0)
            strs_add(a, &ret->options, arena_strndup(a, s, n));
        s += n + (s[n] == ',');
    }
    if (strs_has(&ret->options, "bind") || strs_has(&ret->options, "rbind"))
        ret->type = "bind";
    return 0;
}

static int add_size(int dirfd, const char *name, void *arg, struct error *e) {
    uint64_t *total = arg;
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    *total += (uint64_t)st.st_blocks * 512;
    if (S_ISDIR(st.st_mode))
        (void)fs_each(dirfd, name, add_size, total, e);
    return 0;
}

int volume_size(const struct roots *roots, const char *name, uint64_t *ret, struct error *e) {
    _cleanup_fd_ int dir = volume_dir(roots, name, e);
    uint64_t total = 0;
    int r;

    if (dir < 0)
        return dir;
    r = fs_each(dir, "_data", add_size, &total, e);
    if (r == 0)
        *ret = total;
    return r;
}

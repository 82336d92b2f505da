#include "engine/mount_sources.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "engine/host_lsm.h"
#include "engine/tree_owner.h"
#include "kernel/selinux.h"
#include "kernel/sys.h"

/* The source as the mount will show it. A part of a volume is looked up as the mount looks it up: it leads nowhere else. */
static int source_open(const struct mount_point *m, struct error *e) {
    _cleanup_fd_ int base = open(m->source, O_PATH | O_CLOEXEC);

    if (base < 0)
        return error_errno(e, -errno, "mount at %s: %s", m->destination, m->source);
    if (!m->subpath || !*m->subpath)
        return TAKE_FD(base);
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = sys_openat2(base, m->subpath, &how, sizeof(how));
    if (fd < 0) {
        error_errno(e, fd, "mount at %s: cannot access %s of volume %s", m->destination, m->subpath, m->name);
        if (fd == -EXDEV)
            error_hint(e, "it leads out of the volume");
    }
    return fd;
}

/* --- U --------------------------------------------------------------------------------------------------------------------- */

/* What a mistyped path must not give away. */
static bool is_of_the_system(const char *path) {
    static const char *const directories[] = {"/",      "/bin",   "/boot", "/dev", "/etc",  "/home", "/lib",
                                              "/lib64", "/media", "/mnt",  "/opt", "/proc", "/root", "/run",
                                              "/sbin",  "/srv",   "/sys",  "/tmp", "/usr",  "/var",  "/var/lib"};

    for (size_t i = 0; path && i < ARRAY_SIZE(directories); i++)
        if (strcmp(directories[i], path) == 0)
            return true;
    return false;
}

static bool find_outside(const struct list *maps, uint32_t id, uint32_t *ret) {
    for (size_t i = 0; i < maps->n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, maps, i);
        if (id >= m->container_id && id - m->container_id < m->size) {
            *ret = m->host_id + (id - m->container_id);
            return true;
        }
    }
    return false;
}

/* A mount with shifted owners shows on-disk ids as the container's; else they are what the user namespace makes of them. */
static int owner_on_disk(const struct mount_point *m, const struct spec_input *in, uint32_t *ret_uid, uint32_t *ret_gid,
                         struct error *e) {
    bool shifted = in->shifts_mounts && (m->idmap || strcmp(m->type, "volume") == 0);

    *ret_uid = in->user.uid;
    *ret_gid = in->user.gid;
    if (in->id_maps_uid.n == 0 || shifted)
        return 0;
    if (!find_outside(&in->id_maps_uid, in->user.uid, ret_uid) || !find_outside(&in->id_maps_gid, in->user.gid, ret_gid))
        return error_set(e, -EINVAL, "mount at %s: user %u:%u is not in the container's user namespace", m->destination,
                         in->user.uid, in->user.gid);
    return 0;
}

static int change_owner(struct engine *engine, const struct mount_point *m, const struct spec_input *in, int source,
                        struct error *e) {
    _cleanup_free_ char *path = fs_fd_path(source);
    uint32_t uid, gid;

    if (is_of_the_system(path))
        return error_set(e, -EPERM, "mount at %s: U would give %s away, a directory of the system", m->destination, path);
    int r = owner_on_disk(m, in, &uid, &gid, e);
    if (r == 0)
        r = tree_set_owner(source, uid, gid, e);
    if (r < 0) {
        error_wrap(e, r, "mount at %s: change the owner of %s to %u:%u", m->destination, m->source, uid, gid);
        if (r == -EINVAL && engine->roots->rootless)
            error_hint(e, "this id is not among those that /etc/subuid and /etc/subgid give you");
    }
    return r;
}

/* --- z and Z --------------------------------------------------------------------------------------------------------------- */

/* 'z' (shared with other containers), 'Z' (its own), or 0. */
static char label_of(const struct mount_point *m) {
    for (const char *s = m->mode ? m->mode : ""; *s; s += *s == ',') {
        size_t n = strcspn(s, ",");
        if (n == 1 && (*s == 'z' || *s == 'Z'))
            return *s;
        s += n;
    }
    return 0;
}

/* As with Docker they say nothing where there is no SELinux. */
static int change_label(const struct container *c, const struct mount_point *m, int source, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_free_ char *path = fs_fd_path(source);
    const char *context;
    int r = host_selinux_of_volume(&c->record.host, c->id, label_of(m) == 'z', &a, &context, e);

    if (r == 0 && context && is_of_the_system(path))
        r = error_set(e, -EPERM, "%c would label %s, a directory of the system", label_of(m), path);
    if (r == 0 && context)
        r = tree_set_label(source, context, e);
    return r < 0 ? error_wrap(e, r, "mount at %s", m->destination) : 0;
}

/* --- O --------------------------------------------------------------------------------------------------------------------- */

/* The upper directory is what the mount's root looks like. */
static int make_upper(const struct container *c, size_t number, int source, struct error *e) {
    char name[32];
    struct stat st;

    (void)snprintf(name, sizeof(name), "%zu", number);
    if (fstat(source, &st) < 0)
        return error_errno(e, -errno, "look at the source");
    if (mkdirat(c->dirfd, OVERLAYS, 0711) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "make " OVERLAYS);
    _cleanup_fd_ int all = openat(c->dirfd, OVERLAYS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (all < 0 || (mkdirat(all, name, 0711) < 0 && errno != EEXIST))
        return error_errno(e, -errno, "make " OVERLAYS "/%s", name);
    _cleanup_fd_ int dir = openat(all, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || (mkdirat(dir, "work", 0700) < 0 && errno != EEXIST))
        return error_errno(e, -errno, "make " OVERLAYS "/%s/work", name);
    if (mkdirat(dir, "upper", 0700) < 0)
        return errno == EEXIST ? 0 : error_errno(e, -errno, "make " OVERLAYS "/%s/upper", name);
    if (fchownat(dir, "upper", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 || fchmodat(dir, "upper", st.st_mode & 07777, 0) < 0)
        return error_errno(e, -errno, "give " OVERLAYS "/%s/upper the source's owner and mode", name);
    return 0;
}

static int check_overlay(const struct mount_point *m, const struct spec_input *in, int source, struct error *e) {
    struct stat st;

    if (in->id_maps_uid.n)
        return error_set(e, -EOPNOTSUPP, "mount at %s: the kernel cannot shift the owners of an overlay for --userns",
                         m->destination);
    if (source >= 0 && (fstat(source, &st) < 0 || !S_ISDIR(st.st_mode)))
        return error_set(e, -ENOTDIR, "mount at %s: O needs a directory, and %s is none", m->destination, m->source);
    return 0;
}

/* --- all of it ------------------------------------------------------------------------------------------------------------- */

static bool has_own_options(const struct spec_input *in, const struct mount_point *m) {
    for (size_t i = 0; i < in->volume_mounts.n; i++)
        if (strcmp(LIST_AT(struct oci_mount, &in->volume_mounts, i)->destination, m->destination) == 0)
            return true;
    return false;
}

static int prepare_one(struct engine *engine, const struct container *c, const struct spec_input *in, size_t i, bool dry_run,
                       struct error *e) {
    const struct mount_point *m = LIST_AT(struct mount_point, &c->record.mounts, i);
    bool below = m->subpath && *m->subpath;

    if (strcmp(m->type, "image") == 0)
        return check_overlay(m, in, -1, e);
    bool labels = label_of(m) && selinux_is_on();
    if (!m->chown && !m->overlay && !below && !labels)
        return 0;
    if (has_own_options(in, m) && !labels)
        return error_set(e, -EOPNOTSUPP,
                         "mount at %s: %s of a volume that its options mount anew in each container is not possible",
                         m->destination,
                         below      ? "a subpath"
                         : m->chown ? "U"
                                    : "O");
    _cleanup_fd_ int source = source_open(m, e);
    if (source < 0)
        return source;
    int r = m->overlay ? check_overlay(m, in, source, e) : 0;
    if (r == 0 && m->chown && !dry_run)
        r = change_owner(engine, m, in, source, e);
    if (r == 0 && labels && !dry_run)
        r = change_label(c, m, source, e);
    if (r < 0 || !m->overlay || dry_run)
        return r;
    r = make_upper(c, i, source, e);
    return r < 0 ? error_wrap(e, r, "mount at %s", m->destination) : 0;
}

int mount_sources_prepare(struct engine *engine, const struct container *c, const struct spec_input *in, bool dry_run,
                          struct error *e) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < c->record.mounts.n; i++)
        r = prepare_one(engine, c, in, i, dry_run, e);
    return r;
}

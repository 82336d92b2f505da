/* The container's root as containerd's snapshotter describes it: a list of mounts, each above the one before. */
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "kernel/sys.h"
#include "kernel/userns_map.h"
#include "runtime/mount_option.h"
#include "shim/shim.h"

#define VALUE_MAX 255  /* bytes that fsconfig(2) takes of a value */
#define DATA_MAX  4095 /* and mount(2), of all options */

static int set_option(int fs, const char *key, const char *value) {
    return value ? sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) : sys_fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
}

/* A layer as the container's user namespace sees it; it is named by its descriptor, which has to stay open till the overlay is
 * made. */
static int set_mapped_lower(int fs, const char *path, int userns, struct list *opened, struct arena *a) {
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
    int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC);
    int r = tree < 0 ? tree : sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr));

    if (tree >= 0)
        *LIST_ADD(a, int, opened) = tree;
    return r < 0 ? r : set_option(fs, "lowerdir+", arena_printf(a, "/proc/self/fd/%d", tree));
}

/* Layers one by one (Linux 6.8 and later): together they are too long for one value. userns: -1 = as they are. */
static int set_lowers(int fs, const char *list, int userns, struct list *opened, struct arena *a) {
    int r = 0;

    while (r == 0 && *list) {
        size_t n = strcspn(list, ":");
        const char *path = arena_strndup(a, list, n);

        r = userns < 0 ? set_option(fs, "lowerdir+", path) : set_mapped_lower(fs, path, userns, opened, a);
        list += n + (list[n] == ':');
    }
    return r;
}

static int set_options(int fs, const struct shim_mount *m, const struct strs *data, int userns, struct list *opened,
                       struct arena *a) {
    const bool overlay = strcmp(m->type, "overlay") == 0;
    int r = m->source && *m->source ? set_option(fs, "source", m->source) : 0;

    for (size_t i = 0; r == 0 && i < data->n; i++) {
        const char *equals = strchr(data->v[i], '=');
        const char *key = equals ? arena_strndup(a, data->v[i], (size_t)(equals - data->v[i])) : data->v[i];

        if (overlay && equals && strcmp(key, "lowerdir") == 0)
            r = set_lowers(fs, equals + 1, userns, opened, a);
        else if (equals && strlen(equals + 1) > VALUE_MAX)
            r = -EINVAL;
        else
            r = set_option(fs, key, equals ? equals + 1 : NULL);
    }
    return r;
}

/* The older way: for kernels whose overlay does not know layers one by one, which may show only when it is created. */
static int mount_in_one(const struct shim_mount *m, const struct strs *data, const char *target, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_WITH_MAX(DATA_MAX);
    int r;

    for (size_t i = 0; i < data->n; i++)
        buf_printf(&text, "%s%s", i ? "," : "", data->v[i]);
    if (text.failed)
        return error_set(e, -E2BIG, "the options of %s are longer than a page", m->type);
    r = sys_mount(m->source, target, m->type, 0, buf_text(&text));
    if (r < 0)
        return error_errno(e, r, "mount %s on %s", m->type, target);
    r = sys_open_tree(AT_FDCWD, target, OPEN_TREE_CLONE | O_CLOEXEC);
    (void)sys_umount2(target, MNT_DETACH);
    return r < 0 ? error_errno(e, r, "take the mounted %s", m->type) : r;
}

static int make_filesystem(const struct shim_mount *m, const struct mount_options *o, const char *target, int userns,
                           struct arena *a, struct error *e) {
    _cleanup_fd_ int fs = sys_fsopen(m->type, FSOPEN_CLOEXEC);
    struct list opened = {0};
    int r = fs < 0 ? fs : set_options(fs, m, &o->data, userns, &opened, a);

    if (r == 0 && o->attr_set & MOUNT_ATTR_RDONLY && strcmp(m->type, "overlay") != 0)
        r = set_option(fs, "ro", NULL);
    if (r == 0)
        r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r == 0)
        r = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
    for (size_t i = 0; i < opened.n; i++)
        fd_close(*LIST_AT(int, &opened, i));
    if (r < 0 && userns >= 0)
        return error_hint((error_errno(e, r, "mount %s on %s with the user namespace's owners", m->type, target), e),
                          "this kernel or the file system of the layers does not do idmapped layers of overlay by descriptor");
    return r < 0 ? mount_in_one(m, &o->data, target, e) : r;
}

static int make_mount(const struct shim_mount *m, const struct mount_options *o, const char *target, int userns, struct arena *a,
                      struct error *e) {
    int fd;

    if (!o->bind && strcmp(m->type, "bind") != 0)
        return make_filesystem(m, o, target, strcmp(m->type, "overlay") == 0 ? userns : -1, a, e);
    fd = sys_open_tree(AT_FDCWD, m->source, OPEN_TREE_CLONE | O_CLOEXEC | (o->recursive ? AT_RECURSIVE : 0));
    return fd < 0 ? error_errno(e, fd, "clone the mount of %s", m->source) : fd;
}

/* "0:65536:65536,…" (inside, outside, size) as uid_map has it. */
static const char *map_text(struct arena *a, const char *option) {
    char *text = arena_printf(a, "%s\n", option);

    for (char *p = text; *p; p++)
        *p = *p == ':' ? ' ' : *p == ',' ? '\n' : *p;
    return text;
}

/* Takes containerd's uidmap= and gidmap= out of the options. A namespace with these mappings; -1 = none was asked for; else an
 * error. */
static int take_maps(struct strs *data, struct arena *a, int *ret_userns, struct error *e) {
    const char *uids = NULL, *gids = NULL;
    struct strs rest = {0};

    *ret_userns = -1;
    for (size_t i = 0; i < data->n; i++)
        if (strncmp(data->v[i], "uidmap=", 7) == 0)
            uids = map_text(a, data->v[i] + 7);
        else if (strncmp(data->v[i], "gidmap=", 7) == 0)
            gids = map_text(a, data->v[i] + 7);
        else
            strs_add(a, &rest, data->v[i]);
    *data = rest;
    if (!uids && !gids)
        return 0;
    if (!uids || !gids)
        return error_set(e, -EINVAL, "uidmap and gidmap belong together");
    *ret_userns = userns_of_maps(uids, gids, e);
    return *ret_userns < 0 ? *ret_userns : 0;
}

int shim_mount_at(const struct shim_mount *m, const char *target, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct mount_options o;
    struct mount_attr attr;
    _cleanup_fd_ int fd = -1, userns = -1;
    int r = mount_options_parse(&m->options, &a, &o, e);

    if (r == 0)
        r = take_maps(&o.data, &a, &userns, e);
    if (r < 0)
        return r;
    fd = make_mount(m, &o, target, userns, &a, e);
    if (fd < 0)
        return fd;
    attr = (struct mount_attr){.attr_set = o.attr_set, .attr_clr = o.attr_clear, .propagation = MS_PRIVATE};
    if (userns >= 0 && strcmp(m->type, "overlay") != 0) { /* of an overlay it is the layers */
        attr.attr_set |= MOUNT_ATTR_IDMAP;
        attr.userns_fd = (uint64_t)userns;
    }
    r = sys_mount_setattr(fd, "", AT_EMPTY_PATH | (o.recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr));
    if (r == 0)
        r = sys_move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? error_errno(e, r, "attach %s at %s", m->type, target) : 0;
}

int rootfs_mount(const char *bundle, const struct shim_mount *mounts, size_t n, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *target = arena_printf(&a, "%s/rootfs", bundle);
    int r = n > 0 ? sys_mkdirat(AT_FDCWD, target, 0711) : 0;

    if (r == -EEXIST)
        r = 0;
    if (r < 0)
        return error_errno(e, r, "make %s", target);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = shim_mount_at(&mounts[i], target, e);
    if (r < 0)
        (void)rootfs_unmount(bundle, NULL);
    return r;
}

int rootfs_unmount(const char *bundle, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *target = arena_printf(&a, "%s/rootfs", bundle);
    int r;

    while ((r = sys_umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW)) == 0)
        ;
    return r == -EINVAL || r == -ENOENT ? 0 : error_errno(e, r, "unmount %s", target);
}

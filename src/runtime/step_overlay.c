/* A mount of several directories in one, for a volume whose changes are kept apart and for the files of an image. It is made by the
 * monitor and attached by the child, so that directories only the host's root may enter serve a user namespace's container as well.
 */
#include <linux/mount.h>
#include <string.h>

#include "runtime/executor_state.h"

#define OPTION_MAX 255 /* of what fsconfig(2) takes as one text */
#define NAME_BYTES 40  /* "/proc/self/fd/N" */
#define LAYERS_MAX 256

/* Directories are named by descriptor: their paths may hold colons, be longer than an option, or be renamed meanwhile. */
struct layers {
    int fd[LAYERS_MAX + 2];
    size_t n;
};

static void layers_close(struct layers *l) {
    while (l->n > 0)
        (void)sys_close(l->fd[--l->n]);
}
#define _cleanup_layers_ __attribute__((cleanup(layers_close)))

static int layer_open(struct layers *l, const char *path, char name[NAME_BYTES], struct error *e) {
    int fd = l->n < ARRAY_SIZE(l->fd) ? sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0) : -E2BIG;

    if (fd < 0)
        return error_errno(e, fd, "open %s", path);
    l->fd[l->n++] = fd;
    (void)snprintf(name, NAME_BYTES, "/proc/self/fd/%d", fd);
    return 0;
}

static int set_option(int fs, const char *key, const char *value, struct error *e) {
    int r = sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);

    return r < 0 ? error_errno(e, r, "overlay: %s", key) : 0;
}

/* One by one since Linux 6.8, before that as one text. */
static int set_lowers(const struct plan *plan, int64_t list, bool in_one, struct layers *l, int fs, struct error *e) {
    const char *path = plan_first(plan, list);
    char name[NAME_BYTES], all[OPTION_MAX + 1] = "";
    uint32_t n = plan_count(plan, list);
    size_t used = 0;

    for (uint32_t i = 0; i < n; i++, path = plan_next(path)) {
        int r = layer_open(l, path, name, e);

        if (r == 0 && !in_one)
            r = set_option(fs, "lowerdir+", name, e);
        if (r < 0)
            return r;
        if (!in_one)
            continue;
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ":" : "", name);
        if (used >= sizeof(all))
            return error_set(e, -E2BIG, "overlay: %u layers are too many for this kernel (Linux 6.8 takes more)", n);
    }
    return in_one ? set_option(fs, "lowerdir", all, e) : 0;
}

static int set_upper(const struct plan *plan, const struct plan_step *s, struct layers *l, int fs, struct error *e) {
    char name[NAME_BYTES];
    int r = layer_open(l, plan_text(plan, s->arg[2]), name, e);

    if (r == 0)
        r = set_option(fs, "upperdir", name, e);
    if (r == 0)
        r = layer_open(l, plan_text(plan, s->arg[3]), name, e);
    return r < 0 ? r : set_option(fs, "workdir", name, e);
}

int step_overlay_open(struct executor *x, const struct plan_step *s, struct error *e) {
    _cleanup_layers_ struct layers layers = {.n = 0};
    _cleanup_fd_ int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC);
    int r;

    if (fs < 0)
        return error_errno(e, fs, "use overlay (modprobe overlay)");
    r = set_option(fs, "source", "overlay", e);
    if (r == 0)
        r = set_lowers(x->plan, s->arg[1], s->arg[4], &layers, fs, e);
    if (r == 0 && plan_text(x->plan, s->arg[2]))
        r = set_upper(x->plan, s, &layers, fs, e);
    /* As for the root: an ordinary user can write no other attributes, and one form serves everybody. */
    if (r == 0 && sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
        r = error_set(e, -EINVAL, "this kernel's overlay lacks userxattr (5.11)");
    if (r < 0)
        return r;
    r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r == 0)
        r = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (r < 0)
        return error_errno(e, r, "mount an overlay over %s", plan_first(x->plan, s->arg[1]));
    slot_set(x, s->arg[0], r);
    return 0;
}

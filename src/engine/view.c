#include "engine/view.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "engine/userns.h"
#include "engine/view_mount.h"
#include "kernel/sys.h"

void container_view_release(struct container_view *v) {
    v->root = fd_close(v->root);
}

/* The pidfd is opened before and asked after: in between, the number cannot have gone to another process. */
static int open_live(const struct container_state *s, struct error *e) {
    _cleanup_fd_ int pidfd = state_open_pidfd(s), root = -1;
    char path[40];

    if (pidfd < 0)
        return pidfd;
    (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)s->pid);
    root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 && (errno == ENOENT || errno == ESRCH)) /* it is dying: its files are let go already */
        return -ESRCH;
    if (root < 0)
        return error_errno(e, -errno, "open the root of process %d", (int)s->pid);
    if (sys_pidfd_send_signal(pidfd, 0, NULL, 0) < 0)
        return -ESRCH;
    return TAKE_FD(root);
}

/* A container that never ran has none yet; start finds them (and gives them to its user). */
static int make_upper(const struct container *c, struct error *e) {
    for (const char *const *d = (const char *const[]){CONTAINER_UPPER, "work", NULL}; *d; d++)
        if (mkdirat(c->dirfd, *d, 0755) < 0 && errno != EEXIST)
            return error_errno(e, -errno, "create directory %s", *d);
    return 0;
}

static int mount_overlay(struct engine *engine, const struct container *c, bool writable, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct strs lowers = {0};
    struct view_request q = {.lowers = &lowers};
    int r = make_upper(c, e);

    if (r < 0)
        return r;
    if (writable)
        q.container = container_path(engine, c->id, "", &a);
    else /* what it has written is one more layer; its owners are shifted already */
        q.upper = container_path(engine, c->id, CONTAINER_UPPER, &a);
    if (c->record.host.rootfs)
        strs_add(&a, &lowers, c->record.host.rootfs);
    else
        r = userns_layers(engine, c, true, &a, &lowers, e);
    userns_map_texts(engine, c, &a, &q.uid_map, &q.gid_map);
    if (r == 0)
        r = view_mount(&q, e);
    return r < 0 ? error_wrap(e, r, "merge the layers of container %s", c->record.name) : r;
}

static int open_files(struct engine *engine, const struct container *c, enum view_kind kind, struct error *e) {
    const struct host_config *h = &c->record.host;

    if (h->rootfs && h->rootfs_writable)
        return fs_open_dir(AT_FDCWD, h->rootfs, e);
    if (c->record.own_files)
        return fs_open_dir(c->dirfd, CONTAINER_FILES, e);
    return mount_overlay(engine, c, kind == VIEW_INSIDE, e);
}

int container_view_open(struct engine *engine, const struct container *c, enum view_kind kind, struct container_view *ret,
                        struct error *e) {
    struct container_state state;
    int r = container_state(c, &state, e), fd = -ESRCH;

    if (r < 0)
        return r;
    if (kind != VIEW_READ && container_is_alive(&state))
        fd = open_live(&state, e);
    if (fd == -ESRCH) { /* it does not run, or ended just now */
        ret->live = false;
        fd = open_files(engine, c, kind, e);
    } else {
        ret->live = true;
    }
    if (fd < 0)
        return fd;
    ret->root = fd;
    return 0;
}

#include "engine/own_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "engine/copy_tree.h"
#include "engine/rootfs.h"
#include "engine/userns.h"

#define TOLD "cache/copies-told" /* of the run root: the warning was printed */

static bool lies_on_overlay(const struct engine *engine) {
    struct statfs fs;

    return fstatfs(engine->roots->root_fd, &fs) == 0 && (unsigned)fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* Once a boot. */
static void tell(const struct engine *engine) {
    _cleanup_fd_ int fd = -1;

    (void)mkdirat(engine->roots->run_fd, "cache", 0700);
    fd = openat(engine->roots->run_fd, TOLD, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        log_warn("the data root lies on an overlay file system, which cannot hold the changes of containers: each gets a copy of "
                 "its image's files. Inside a container, a volume there is faster: -v NAME:/var/lib/tare");
}

/* The copy would be copied, too. */
static int check_outside(const struct engine *engine, const char *rootfs, struct error *e) {
    size_t n = strlen(rootfs);

    while (n > 0 && rootfs[n - 1] == '/')
        n--;
    if (strncmp(engine->roots->root, rootfs, n) != 0 || (engine->roots->root[n] && engine->roots->root[n] != '/'))
        return 0;
    return error_set(e, -ELOOP, "--rootfs %s: its files would have to be copied into %s, which is one of them", rootfs,
                     engine->roots->root);
}

static int copy(const struct strs *dirs, const struct id_shift *owners, int to, struct error *e) {
    int parts[ROOTFS_LAYERS_MAX], n = rootfs_open_dirs(dirs, "/", parts), r;

    r = n > 0 ? copy_tree_merged(parts, (size_t)n, to, owners, e) : error_set(e, -ENOENT, "%s is no directory", dirs->v[0]);
    while (n-- > 0)
        (void)fd_close(parts[n]);
    return r;
}

int own_files_make(struct engine *engine, struct container *c, struct arena *a, struct error *e) {
    const struct host_config *h = &c->record.host;
    const bool isolated = h->isolate.n == 0 || strs_has(&h->isolate, "mount"), overlay = lies_on_overlay(engine);
    struct id_shift owners = userns_shift(c);
    const bool shifted = engine->roots->rootless && id_shift_is_any(&owners);
    struct strs dirs = {0};
    _cleanup_fd_ int to = -1;
    int r = 0;

    if (!isolated || h->rootfs_writable || (!overlay && !(shifted && h->rootfs)))
        return 0;
    if (h->rootfs)
        r = check_outside(engine, h->rootfs, e);
    if (overlay && r == 0)
        tell(engine);
    if (h->rootfs)
        strs_add(a, &dirs, h->rootfs);
    else if (r == 0)
        r = userns_layers(engine, c, true, a, &dirs, e);
    if (shifted && !h->rootfs) /* those layers have the owners already */
        owners = (struct id_shift){0};
    if (r == 0 && mkdirat(c->dirfd, CONTAINER_FILES, 0755) < 0)
        r = error_errno(e, -errno, "create directory %s", CONTAINER_FILES);
    if (r == 0)
        to = openat(c->dirfd, CONTAINER_FILES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0)
        r = copy(&dirs, &owners, to, e);
    c->record.own_files = r == 0;
    return r < 0 ? error_wrap(e, r, "copy the files of container %s", c->record.name) : 0;
}

#include "engine/engine.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "image/store.h"
#include "kernel/cgroup.h"
#include "model/config.h"

int engine_open(const struct roots *roots, struct engine **ret, struct error *e) {
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return error_errno(e, -ENOMEM, "open the engine");
    engine->roots = roots;
    engine->containers_fd = engine->names_fd = engine->run_containers_fd = engine->pending_fd = -1;
    *ret = engine;
    return 0;
}

void engine_close(struct engine *engine) {
    if (!engine)
        return;
    image_store_close(engine->store);
    fd_close(engine->containers_fd);
    fd_close(engine->names_fd);
    fd_close(engine->run_containers_fd);
    fd_close(engine->pending_fd);
    free(engine->layout);
    free(engine);
}

int engine_layout(struct engine *engine, const struct cgroup_layout **ret, struct error *e) {
    if (!engine->layout) {
        struct cgroup_layout *layout = malloc(sizeof(*layout));
        int r = layout ? cgroup_layout_load(engine->roots->run_fd, layout, e) : error_errno(e, -ENOMEM, "read the control groups");
        if (r < 0) {
            free(layout);
            return r;
        }
        engine->layout = layout;
    }
    *ret = engine->layout;
    return 0;
}

static void set_limits(struct image_store *store, const struct config *c) {
    const struct image_limits limits = {.layer_size_max = (uint64_t)c->layer_size_max,
                                        .image_size_max = (uint64_t)c->image_size_max,
                                        .layer_inodes_max = (uint64_t)c->layer_entries_max,
                                        .ratio_max = (uint64_t)c->layer_ratio_max,
                                        .path_length_max = (uint32_t)MIN_OF(c->path_length_max, (int64_t)PATH_MAX),
                                        .path_depth_max = (uint32_t)MIN_OF(c->path_depth_max, (int64_t)PATH_MAX)};

    image_store_limits(store, &limits);
}

int engine_store(struct engine *engine, struct image_store **ret, struct error *e) {
    if (!engine->store) {
        int r = image_store_open(engine->roots, &engine->store, e);
        if (r < 0)
            return r;
        if (engine->config)
            set_limits(engine->store, engine->config);
    }
    *ret = engine->store;
    return 0;
}

/* The directory is nearly always there: open first, make it only when that fails. */
static int dir_once(int *fd, int parent, const char *name, mode_t mode, struct error *e) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    if (*fd < 0)
        *fd = openat(parent, name, flags);
    if (*fd < 0 && errno == ENOENT) {
        if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
            return error_errno(e, -errno, "make directory %s", name);
        *fd = openat(parent, name, flags);
    }
    return *fd < 0 ? error_errno(e, -errno, "open directory %s", name) : *fd;
}

int engine_containers_dir(struct engine *engine, struct error *e) {
    /* Where there are containers there is a trash, into which their journals move them. */
    if (engine->containers_fd < 0 && faccessat(engine->roots->root_fd, "containers", F_OK, 0) < 0 &&
        mkdirat(engine->roots->root_fd, "trash", 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "make directory trash");
    return dir_once(&engine->containers_fd, engine->roots->root_fd, "containers", 0711, e);
}

int engine_names_dir(struct engine *engine, struct error *e) {
    return dir_once(&engine->names_fd, engine->roots->root_fd, "names", 0700, e);
}

int engine_run_dir(struct engine *engine, struct error *e) {
    return dir_once(&engine->run_containers_fd, engine->roots->run_fd, "containers", 0700, e);
}

int engine_pending_dir(struct engine *engine, struct error *e) {
    return dir_once(&engine->pending_fd, engine->roots->run_fd, "pending", 0700, e);
}

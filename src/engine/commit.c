#include "engine/commit.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "engine/changes.h"
#include "engine/container_event.h"
#include "engine/operate.h"
#include "engine/tar_stream.h"
#include "engine/userns.h"
#include "image/append.h"

#define WHITEOUT ".wh."

/* "/a/b" → its directory in the upper one, and "b". */
static int open_parent(int upper, const char *path, const char **ret_name) {
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];

    *ret_name = slash + 1;
    (void)snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path - 1), slash == path ? "." : path + 1);
    return fs_open_beneath(upper, parent, O_PATH | O_DIRECTORY, 0);
}

static int add_change(struct tar_stream *t, int upper, const struct change *change, struct arena *a, struct error *e) {
    _cleanup_fd_ int dir = -1;
    const char *name;

    if (change->kind == CHANGE_DELETED) {
        const char *slash = strrchr(change->path, '/');

        return tar_stream_add_mark(
            t, arena_printf(a, "%.*s/" WHITEOUT "%s", (int)(slash - change->path), change->path, slash + 1) + 1, e);
    }
    dir = open_parent(upper, change->path, &name);
    if (dir < 0)
        return error_errno(e, dir, "open the directory of %s", change->path);
    if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0)
        return 0; /* a layer cannot say that such a file exists */
    return tar_stream_add(t, dir, name, change->path + 1, NULL, e);
}

int container_layer(struct engine *engine, const struct container *c, int fd, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_tar_stream_ struct tar_stream t = TAR_STREAM_INIT(fd);
    _cleanup_fd_ int upper = -1;
    struct list changes = {0};
    int r = container_changes(engine, c, &a, &changes, e);

    t.owners = userns_shift(c);
    if (r == 0 && changes.n > 0)
        r = upper = fs_open_dir(c->dirfd, container_changes_name(&c->record), e);
    for (size_t i = 0; r >= 0 && i < changes.n; i++)
        r = add_change(&t, upper, LIST_AT(struct change, &changes, i), &a, e);
    return r < 0 ? r : tar_stream_end(&t, e);
}

static struct image_defaults defaults_of(const struct container_config *c) {
    return (struct image_defaults){
        .user = c->user,
        .exposed_ports = c->exposed_ports,
        .env = c->env,
        .entrypoint = c->entrypoint,
        .cmd = c->cmd,
        .volumes = c->volumes,
        .working_dir = c->working_dir,
        .labels = c->labels,
        .stop_signal = c->stop_signal,
        .stop_timeout = c->stop_timeout,
        .healthcheck = c->healthcheck,
        .shell = c->shell,
        .args_escaped = c->args_escaped,
    };
}

/* One that has ended meanwhile is as still as can be. */
static int hold(struct engine *engine, struct container *c, bool still, struct error *e) {
    _cleanup_error_ struct error own = ERROR_INIT;
    int r = container_pause(engine, c, still, &own);

    if (r == -ESRCH)
        return 0;
    if (r < 0)
        error_move(e, &own);
    return r < 0 ? r : 1;
}

/* Frozen while its files are read, unless it does not run or is paused already; thawed on every way out. */
static int layer_of_still_container(struct engine *engine, struct container *c, bool no_pause, int fd, struct error *e) {
    _cleanup_error_ struct error why = ERROR_INIT;
    struct container_state state;
    bool frozen = false;
    int r = container_state(c, &state, e);

    if (r == 0 && !no_pause && state.status == STATUS_RUNNING) {
        r = hold(engine, c, true, &why);
        frozen = r > 0;
        if (r == -ENOENT && engine->roots->rootless) { /* nobody asked for it */
            log_warn("the container goes on while its files are read: no cgroup is delegated to this user");
            r = 0;
        }
        if (r < 0)
            error_move(e, &why);
    }
    if (r >= 0)
        r = container_layer(engine, c, fd, e);
    if (frozen) {
        int thawed = hold(engine, c, false, r < 0 ? NULL : e);

        r = r < 0 ? r : MIN_OF(thawed, 0);
    }
    return r;
}

int container_commit(struct engine *engine, struct container *c, const struct commit_options *o, struct arena *a,
                     const char **ret_id, struct error *e) {
    const struct container_record *record = &c->record;
    struct image_defaults config = defaults_of(&record->config);
    struct image_append_options append = {
        .base = record->image,
        .reference = o->reference,
        .author = o->author,
        .message = o->message,
        .config = &config,
        .changes = o->changes,
    };
    _cleanup_buf_ struct buf command = BUF_INIT;
    _cleanup_fd_ int fd = -1;
    struct image_store *store;
    int r = engine_store(engine, &store, e);

    if (r < 0)
        return r;
    fd = open(engine->roots->root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(e, -errno, "create a file for the layer");
    for (size_t i = 0; i < record->config.cmd.n; i++)
        buf_printf(&command, "%s%s", i ? " " : "", record->config.cmd.v[i]);
    append.created_by = arena_strdup(a, buf_text(&command));
    r = layer_of_still_container(engine, c, o->no_pause, fd, e);
    if (r == 0)
        r = image_append(store, fd, &append, a, ret_id, e);
    if (r == 0)
        container_event(engine, record, "commit", (char *)NULL);
    return r;
}

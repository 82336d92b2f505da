#include "engine/container.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/fs.h"

void container_release(struct container *c) {
    c->dirfd = fd_close(c->dirfd);
    c->run_dirfd = fd_close(c->run_dirfd);
    c->pending_fd = fd_close(c->pending_fd);
}

static int read_record(struct container *c, struct arena *a, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r = fs_read_at(c->dirfd, CONTAINER_RECORD_FILE, CONTAINER_CONFIG_MAX, &text, e);
    if (r < 0)
        return r;
    r = json_decode(&container_record_table, buf_text(&text), text.size, a, &c->record, e);
    if (r < 0)
        return error_wrap(e, r, "container %.12s is damaged", c->id);
    if (c->record.format > CONTAINER_FORMAT_VERSION)
        return error_set(e, -EPROTO, "container %.12s was made by a newer tare", c->id);
    return 0;
}

int container_open_at(int dirfd, const char *id, struct arena *a, struct container *ret, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    memcpy(c.id, id, ID_LENGTH + 1);
    c.dirfd = openat(dirfd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c.dirfd < 0)
        return errno == ENOENT ? -ENOENT : error_errno(e, -errno, "open container %.12s", id);
    int r = read_record(&c, a, e);
    if (r < 0)
        return r;
    *ret = c;
    c.dirfd = -1;
    return 0;
}

int container_open_id(struct engine *engine, const char *id, struct arena *a, struct container *ret, struct error *e) {
    int dir = engine_containers_dir(engine, e), run = engine_run_dir(engine, e);
    int r = dir < 0 ? dir : run < 0 ? run : container_open_at(dir, id, a, ret, e);
    if (r == 0)
        ret->run_dirfd = openat(run, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return r;
}

int container_refresh(struct engine *engine, struct container *c, struct arena *a, struct error *e) {
    struct container now = CONTAINER_INIT;
    int r = container_open_id(engine, c->id, a, &now, e);
    if (r < 0)
        return r == -ENOENT ? error_set(e, r, "No such container: %s", c->record.name ? c->record.name : c->id) : r;
    now.pending_fd = TAKE_FD(c->pending_fd);
    container_release(c);
    *c = now;
    return 0;
}

int container_state(const struct container *c, struct container_state *ret, struct error *e) {
    return state_read(c->dirfd, c->run_dirfd, ret, e);
}

#define SETTLE_WAIT_MS  10000
#define SETTLE_PAUSE_MS 2

int container_settled(const struct container *c, struct container_state *ret, struct error *e) {
    for (int waited = 0;; waited += SETTLE_PAUSE_MS) {
        pid_t monitor = state_monitor(c->run_dirfd);
        int r = container_state(c, ret, e);
        if (r < 0 || monitor == 0 || container_is_alive(ret) || ret->status == STATUS_RESTARTING)
            return r;
        if (waited >= SETTLE_WAIT_MS)
            return error_set(e, -EBUSY, "container %.12s is not running, but its monitor (process %d) has not ended", c->id,
                             monitor);
        (void)poll(NULL, 0, SETTLE_PAUSE_MS);
    }
}

bool container_is_alive(const struct container_state *s) {
    return s->status == STATUS_RUNNING || s->status == STATUS_PAUSED;
}

int container_record_write(const struct container *c, bool lasting, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    json_encode(&container_record_table, &c->record, 0, &text);
    if (text.failed)
        return error_set(e, -EFBIG, "the container's configuration is too large");
    int r = fs_replace_at(c->dirfd, CONTAINER_RECORD_FILE, text.data, text.size, 0600, lasting ? FS_SYNC : FS_NO_SYNC, e);
    return r < 0 ? error_wrap(e, r, "write the container's configuration") : 0;
}

const char *container_path(const struct engine *engine, const char *id, const char *name, struct arena *a) {
    return arena_printf(a, "%s/containers/%s%s%s", engine->roots->root, id, *name ? "/" : "", name);
}

const char *container_run_path(const struct engine *engine, const char *id, const char *name, struct arena *a) {
    return arena_printf(a, "%s/containers/%s%s%s", engine->roots->run_root, id, *name ? "/" : "", name);
}

const char *container_changes_name(const struct container_record *c) {
    return c->own_files ? CONTAINER_FILES : CONTAINER_UPPER;
}

void container_base_dirs(const struct container_record *c, struct arena *a, struct strs *ret) {
    if (c->host.rootfs)
        strs_add(a, ret, c->host.rootfs);
    for (size_t i = 0; i < c->layers.n; i++)
        strs_add(a, ret, c->layers.v[i]);
}

void container_rootfs_dirs(const struct engine *engine, const struct container_record *c, struct arena *a, struct strs *ret) {
    if (!c->host.rootfs || !c->host.rootfs_writable)
        strs_add(a, ret, container_path(engine, c->id, container_changes_name(c), a));
    if (!c->own_files)
        container_base_dirs(c, a, ret);
}

#include "engine/container.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "engine/orphan.h"

void container_release(struct container *c) {
    c->dirfd = fd_close(c->dirfd);
    c->run_dirfd = fd_close(c->run_dirfd);
    c->pending_fd = fd_close(c->pending_fd);
}

struct prefix_search {
    const char *prefix;
    size_t n;
    unsigned found;
    char *id;
};

static int match_prefix(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct prefix_search *s = arg;
    if (id_is_full(name) && strncmp(name, s->prefix, s->n) == 0) {
        memcpy(s->id, name, ID_LENGTH + 1);
        s->found++;
    }
    return 0;
}

int container_lookup(struct engine *engine, const char *text, char ret_id[ID_LENGTH + 1], struct error *e) {
    /* Docker's API shows names with a slash in front, and its users paste them. */
    const char *name = text[0] == '/' ? text + 1 : text;
    if (name_check("container name", name, NULL) == 0 && name_owner(engine, name, ret_id) == 0)
        return 0;
    int dir = engine_containers_dir(engine, e);
    if (dir < 0)
        return dir;
    if (id_is_full(text) && faccessat(dir, text, F_OK, 0) == 0) {
        memcpy(ret_id, text, ID_LENGTH + 1);
        return 0;
    }
    struct prefix_search s = {.prefix = text, .n = strlen(text), .id = ret_id};
    if (id_is_prefix(text)) {
        int r = fs_each(dir, ".", match_prefix, &s, e);
        if (r < 0)
            return r;
    }
    if (s.found > 1)
        return error_set(e, -ENOTUNIQ, "multiple IDs found with provided prefix: %s", text);
    return s.found == 1 ? 0 : error_set(e, -ENOENT, "No such container: %s", text);
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

int container_open_id(struct engine *engine, const char *id, struct arena *a, struct container *ret, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int dir = engine_containers_dir(engine, e), run = engine_run_dir(engine, e);
    if (dir < 0 || run < 0)
        return dir < 0 ? dir : run;
    memcpy(c.id, id, ID_LENGTH + 1);
    c.dirfd = openat(dir, id, flags);
    if (c.dirfd < 0)
        return errno == ENOENT ? -ENOENT : error_errno(e, -errno, "open container %.12s", id);
    c.run_dirfd = openat(run, id, flags);
    int r = read_record(&c, a, e);
    if (r < 0)
        return r;
    *ret = c;
    c.dirfd = c.run_dirfd = -1;
    return 0;
}

int container_open(struct engine *engine, const char *text, struct arena *a, struct container *ret, struct error *e) {
    char id[ID_LENGTH + 1];
    int r = container_lookup(engine, text, id, e);
    if (r < 0)
        return r;
    r = container_open_id(engine, id, a, ret, e);
    if (r == 0 && !orphan_look_after(engine, ret)) {
        container_release(ret);
        r = -ENOENT;
    }
    return r == -ENOENT ? error_set(e, -ENOENT, "No such container: %s", text) : r;
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

struct each {
    struct engine *engine;
    struct arena *arena;
    container_fn *fn;
    void *arg;
};

static int each_one(int dirfd _unused_, const char *name, void *arg, struct error *e) {
    const struct each *each = arg;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_error_ struct error why = ERROR_INIT;
    if (!id_is_full(name))
        return 0;
    int r = container_open_id(each->engine, name, each->arena, &c, &why);
    if (r < 0) {
        /* One torn container must not hide the others; -ENOENT: it is just being made or removed. */
        if (r != -ENOENT)
            log_warn("%s (tare system check)", why.text ? why.text : name);
        return 0;
    }
    return orphan_look_after(each->engine, &c) ? each->fn(each->engine, &c, each->arg, e) : 0;
}

int container_each(struct engine *engine, struct arena *a, container_fn *fn, void *arg, struct error *e) {
    struct each each = {engine, a, fn, arg};
    int dir = engine_containers_dir(engine, e);
    return dir < 0 ? dir : fs_each(dir, ".", each_one, &each, e);
}

int container_record_write(const struct container *c, bool lasting, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    json_encode(&container_record_table, &c->record, 0, &text);
    if (text.failed)
        return error_set(e, -EFBIG, "the container's configuration is too large");
    int r = fs_replace_at(c->dirfd, CONTAINER_RECORD_FILE, text.data, text.size, 0600, lasting ? FS_SYNC : FS_NO_SYNC, e);
    return r < 0 ? error_wrap(e, r, "write the container's configuration") : 0;
}

#include "engine/resource_events.h"

#include <string.h>

#include "base/fs.h"
#include "network/network.h"
#include "network/store.h"
#include "runtime/state.h"

#define END_EVENTS_MAX ((size_t)1 << 20)

static void prepare_disconnect(struct buf *out, const struct container *c, const char *id, const char *name, const char *type) {
    event_prepare(out, "network", "disconnect", id, "container", c->id, "name", name, "type", type, (char *)NULL);
}

static void write_end(const struct container *c, const struct buf *end) {
    if (end->size && !end->failed)
        (void)fs_replace_at(c->run_dirfd, STATE_END_EVENTS, end->data, end->size, 0600, FS_NO_SYNC, NULL);
}

static void prepare_end(const struct container *c, const struct start_context *x) {
    _cleanup_buf_ struct buf end = BUF_INIT;

    for (size_t i = 0; i < x->attachments.n; i++) {
        const struct network_attachment *n = LIST_AT(struct network_attachment, &x->attachments, i);

        prepare_disconnect(&end, c, n->network_id, n->network, "bridge");
    }
    for (size_t i = 0; i < c->record.mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &c->record.mounts, i);

        if (strcmp(m->type, "volume") == 0 && m->name)
            event_prepare(&end, "volume", "unmount", m->name, "container", c->id, "driver", m->driver ? m->driver : "local",
                          (char *)NULL);
    }
    write_end(c, &end);
}

void resources_begin(struct engine *engine, const struct container *c, const struct start_context *x) {
    int run = engine->roots->run_fd;

    prepare_end(c, x); /* first: who heals leaves out what did not begin */
    for (size_t i = 0; i < x->attachments.n; i++) {
        const struct network_attachment *n = LIST_AT(struct network_attachment, &x->attachments, i);

        event_tell(run, "network", "connect", n->network_id, "container", c->id, "name", n->network, "type", "bridge",
                   (char *)NULL);
    }
    for (size_t i = 0; i < c->record.mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &c->record.mounts, i);

        if (strcmp(m->type, "volume") == 0 && m->name)
            event_tell(run, "volume", "mount", m->name, "container", c->id, "destination", m->destination, "driver",
                       m->driver ? m->driver : "local", "propagation", m->propagation ? m->propagation : "", "read/write",
                       m->rw ? "true" : "false", (char *)NULL);
    }
}

static void change_end(const struct container *c, const struct network *n, bool connect) {
    _cleanup_buf_ struct buf end = BUF_INIT, line = BUF_INIT;
    char *at;

    (void)fs_read_at(c->run_dirfd, STATE_END_EVENTS, END_EVENTS_MAX, &end, NULL);
    prepare_disconnect(&line, c, n->id, n->name, n->driver);
    if (connect) {
        buf_add(&end, line.data, line.size);
    } else if ((at = strstr(buf_text(&end), buf_text(&line)))) {
        memmove(at, at + line.size, end.size - (size_t)(at - end.data) - line.size + 1);
        end.size -= line.size;
        if (end.size == 0)
            (void)fs_unlink_at(c->run_dirfd, STATE_END_EVENTS, NULL);
    }
    write_end(c, &end);
}

/* Joined: prepared to end, then told. Left: told, then no more to be told at the end. */
void resources_change(struct engine *engine, const struct container *c, const struct network *n, bool connect,
                      struct event_change *ret) {
    char path[sizeof("containers//config.json") + ID_LENGTH];

    if (connect && c->run_dirfd >= 0)
        change_end(c, n, true);
    (void)snprintf(path, sizeof(path), "containers/%s/config.json", c->id);
    event_change_of(ret, engine->roots->run_fd, engine->roots->root_fd, path, "network", connect ? "connect" : "disconnect", n->id,
                    "container", c->id, "name", n->name, "type", n->driver, (char *)NULL);
}

void resources_changed(const struct container *c, const struct network *n, bool connect, struct event_change *change) {
    event_change_tell(change);
    if (!connect && c->run_dirfd >= 0)
        change_end(c, n, false);
}

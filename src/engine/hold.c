#include "engine/hold.h"

#include "engine/heal.h"

static int begin(struct engine *engine, const char *id, enum pending_kind kind, struct error *e) {
    int fd = pending_begin(engine, id, kind, e);
    if (fd != -ESTALE)
        return fd;
    engine_heal_later(engine);
    fd = pending_begin(engine, id, kind, e);
    return fd == -ESTALE
               ? error_set(e, -EBUSY, "what a killed command did to container %.12s cannot be undone: tare system check", id)
               : fd;
}

/* A monitor that we waited for may have removed it (--rm), or made or removed its run directory: so twice. */
static int read_again(struct engine *engine, struct container *c, struct arena *a, struct container_state *ret, struct error *e) {
    int r = container_refresh(engine, c, a, e);
    if (r == 0)
        r = container_settled(c, ret, e);
    return r < 0 ? r : container_refresh(engine, c, a, e);
}

int container_hold(struct engine *engine, struct container *c, enum pending_kind kind, struct arena *a, struct container_state *ret,
                   struct error *e) {
    int fd = begin(engine, c->id, kind, e);
    if (fd < 0)
        return fd;
    int r = read_again(engine, c, a, ret, e);
    if (r == 0 && kind == PENDING_START && (container_is_alive(ret) || ret->status == STATUS_RESTARTING))
        r = error_set(e, -EALREADY, "container %s is already running", c->record.name);
    if (r == 0)
        return fd;
    pending_end(engine, c->id, fd);
    return r;
}

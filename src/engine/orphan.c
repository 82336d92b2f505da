#include "engine/orphan.h"

#include "engine/heal.h"
#include "engine/operate.h"
#include "engine/pending.h"
#include "runtime/monitor_client.h"

/* An unfinished removal, which healing finishes. Without waiting: whoever works on it now does it as well. */
static bool remove_leftover(struct engine *engine, struct container *c) {
    enum pending_kind kind;
    int fd = pending_seize(engine, c->id, &kind);
    if (fd == -ENOENT)
        fd = pending_begin(engine, c->id, PENDING_REMOVE, NULL);
    else if (fd >= 0 && pending_become(fd, PENDING_REMOVE, NULL) < 0)
        fd = fd_close(fd);
    if (fd < 0)
        return false;
    fd_close(fd);
    container_event(engine, &c->record, "destroy", NULL);
    engine_heal_later(engine);
    return true;
}

static bool claims_life(const struct container_state *s) {
    return s->status == STATUS_RUNNING || s->status == STATUS_PAUSED || s->status == STATUS_RESTARTING;
}

bool orphan_look_after(struct engine *engine, struct container *c) {
    struct container_state state;
    /* The lock first: a monitor has written the end before it lets go of it. */
    if (c->run_dirfd < 0 || state_monitor(c->run_dirfd) != 0 || state_read_claim(c->run_dirfd, &state, NULL) < 0)
        return true;
    if (claims_life(&state))
        (void)monitor_adopt(c->dirfd, c->run_dirfd, engine->roots->root_fd, engine->roots->run_fd, NULL);
    if (!c->record.host.auto_remove || state_monitor(c->run_dirfd) != 0 || container_state(c, &state, NULL) < 0 ||
        state.status != STATUS_EXITED)
        return true;
    return !remove_leftover(engine, c);
}

#include "engine/heal.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/container.h"
#include "engine/create.h"
#include "engine/pending.h"
#include "kernel/cgroup_own.h"
#include "runtime/journal.h"

struct heal {
    struct engine *engine;
    bool repair;
    struct heal_report *report;
    int first; /* failure */
    struct error *e;
};

static void failed(struct heal *h, int r, struct error *why) {
    h->report->failed++;
    if (h->first == 0) {
        h->first = r;
        error_move(h->e, why);
    }
    error_release(why);
}

int undo_run_journal(struct engine *engine, int run_dirfd, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    if (faccessat(run_dirfd, "journal", F_OK, 0) < 0)
        return 0; /* its monitor did it */
    int r = journal_undo(run_dirfd, "journal", e);
    if (r == 0)
        own_cgroup_remove(arena_printf(&a, "/tare%s/x", engine->roots->tag));
    return r;
}

/* Undoes what stands in the run directory, when nobody lives who would do it. 1: something was there. */
static int heal_run_dir(struct heal *h, const char *id, struct error *e) {
    int runs = engine_run_dir(h->engine, e);
    _cleanup_fd_ int dir = runs < 0 ? -1 : openat(runs, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_fd_ int containers = openat(h->engine->roots->root_fd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_fd_ int own = containers < 0 ? -1 : openat(containers, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct container_state state;
    if (runs < 0)
        return runs;
    if (dir < 0)
        return 0;
    if (state_read(own, dir, &state, NULL) == 0 && (container_is_alive(&state) || state.monitor_pid > 0))
        return 0;
    if (faccessat(dir, "journal", F_OK, 0) < 0)
        return 0; /* ended in order */
    if (!h->repair)
        return 1;
    int r = undo_run_journal(h->engine, dir, e);
    if (r == 0 && own >= 0)
        (void)state_write(own, &state, NULL);
    if (r == 0 && own < 0)
        r = fs_remove_tree_at(runs, id, e);
    return r < 0 ? r : 1;
}

/* Of a command that was killed while it made or removed the container. */
static int heal_own_dir(struct heal *h, const char *id, enum pending_kind kind, struct error *e) {
    int containers = engine_containers_dir(h->engine, e);
    _cleanup_fd_ int dir = containers < 0 ? -1 : openat(containers, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (containers < 0 || !h->repair)
        return containers < 0 ? containers : 0;
    bool complete = dir >= 0 && faccessat(dir, "config.json", F_OK, 0) == 0;
    int r = dir >= 0 && (kind == PENDING_REMOVE || !complete) ? container_undo_creation(h->engine, id, dir, e) : 0;
    int runs = engine_run_dir(h->engine, e);
    if (r == 0 && runs >= 0 && (kind == PENDING_REMOVE || dir < 0))
        r = fs_remove_tree_at(runs, id, e);
    if (r < 0)
        return r;
    _cleanup_fd_ int trash = openat(h->engine->roots->root_fd, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return trash < 0 ? 0 : fs_remove_tree_at(trash, id, e);
}

static int heal_pending(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct heal *h = arg;
    struct error why = ERROR_INIT;
    enum pending_kind kind;
    if (!id_is_full(name))
        return 0;
    _cleanup_fd_ int fd = pending_seize(h->engine, name, &kind);
    if (fd < 0)
        return 0; /* its owner lives */
    int r = heal_run_dir(h, name, &why);
    if (r >= 0)
        r = heal_own_dir(h, name, kind, &why);
    if (r < 0) {
        failed(h, r, &why);
        return 0;
    }
    h->report->undone++;
    if (h->repair)
        pending_end(h->engine, name, TAKE_FD(fd));
    return 0;
}

static int heal_run(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct heal *h = arg;
    struct error why = ERROR_INIT;
    int r = id_is_full(name) ? heal_run_dir(h, name, &why) : 0;
    if (r < 0)
        failed(h, r, &why);
    h->report->run_dirs += r > 0;
    return 0;
}

/* A directory without a configuration that nobody is making: a creation that was cut short. */
static int heal_container(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    struct heal *h = arg;
    struct error why = ERROR_INIT;
    if (!id_is_full(name))
        return 0;
    _cleanup_fd_ int dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* In this order: a creation has its configuration before it lets go of its entry. */
    if (dir < 0 || pending_is_held(h->engine, name) || faccessat(dir, "config.json", F_OK, 0) == 0)
        return 0;
    h->report->directories++;
    if (!h->repair)
        return 0;
    int r = container_undo_creation(h->engine, name, dir, &why);
    if (r < 0)
        failed(h, r, &why);
    return 0;
}

static int empty_trash(int dirfd, const char *name, void *arg _unused_, struct error *e _unused_) {
    (void)fs_remove_tree_at(dirfd, name, NULL);
    return 0;
}

int engine_heal(struct engine *engine, bool repair, struct heal_report *ret, struct error *e) {
    struct heal_report report = {0};
    struct heal h = {.engine = engine, .repair = repair, .report = &report, .e = e};
    int pending = engine_pending_dir(engine, e), runs = engine_run_dir(engine, e), containers = engine_containers_dir(engine, e);
    if (pending < 0 || runs < 0 || containers < 0)
        return -EIO;
    (void)fs_each(pending, ".", heal_pending, &h, NULL);
    (void)fs_each(runs, ".", heal_run, &h, NULL);
    (void)fs_each(containers, ".", heal_container, &h, NULL);
    if (repair)
        (void)fs_each(engine->roots->root_fd, "trash", empty_trash, NULL, NULL);
    if (ret)
        *ret = report;
    return h.first;
}

void engine_heal_later(struct engine *engine) {
    struct heal_report report = {0};
    struct heal h = {.engine = engine, .repair = true, .report = &report};
    /* Without the folder nothing is pending; `system reset` wants no new one. */
    int pending = faccessat(engine->roots->run_fd, "pending", F_OK, 0) == 0 ? engine_pending_dir(engine, NULL) : -ENOENT;
    if (pending >= 0)
        (void)fs_each(pending, ".", heal_pending, &h, NULL);
    /* What a killed command had put there: usually nothing. Others may be at the same entry; whoever comes second finds it gone. */
    (void)fs_each(engine->roots->root_fd, "trash", empty_trash, NULL, NULL);
    if (report.undone)
        log_info("healed %u unfinished operations", report.undone);
}

#include "engine/heal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/event_log.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/container.h"
#include "engine/container_event.h"
#include "engine/container_journal.h"
#include "engine/limits.h"
#include "engine/pending.h"
#include "engine/volume.h"
#include "kernel/cgroup_own.h"
#include "network/lease.h"
#include "network/port.h"
#include "runtime/end_hooks.h"
#include "runtime/journal.h"
#include "runtime/life_events.h"

#define HEAL_ALIVE       2
#define JOURNAL_SIZE_MAX ((size_t)4 << 20)

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

/* Of monitors that were killed while they left it. */
static void remove_monitor_group(struct engine *engine) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct cgroup_layout layout;
    /* No container has been started where there is no cache; `system reset` wants no new one. */
    if (faccessat(engine->roots->run_fd, "cache", F_OK, 0) == 0 && cgroup_layout_load(engine->roots->run_fd, &layout, NULL) == 0)
        own_cgroup_remove(&layout, arena_printf(&a, "/tare%s/x", engine->roots->tag));
}

static void run_end_hooks(int run_dirfd) {
    _cleanup_error_ struct error e = ERROR_INIT;
    if (end_hooks_run(run_dirfd, true, &e) < 0)
        log_warn("%s", e.text);
}

/* The events between the monitor's last words and the state that it left. */
static void tell_end(struct engine *engine, const char *id, int run_dirfd) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct container_state state;
    struct life_events life;
    char code[32];
    /* Without a claim the state is of another boot, or of no run at all. */
    if (state_read_claim(run_dirfd, &state, NULL) < 0 || container_open_id(engine, id, &a, &c, NULL) < 0 ||
        container_state(&c, &state, NULL) < 0 || container_is_alive(&state))
        return;
    life_events_look(engine->roots->run_fd, id, &state, &life);
    (void)snprintf(code, sizeof(code), "\"exitCode\":\"%d\"", state.exit_code);
    for (const char *const *action = life.missing; *action; action++)
        container_event(engine, &c.record, *action, strcmp(*action, "die") == 0 ? code : NULL);
}

/* A monitor goes through these in this order. */
static bool run_is_left(int run_dirfd) {
    static const char *const files[] = {"journal", STATE_END_EVENTS, END_HOOKS_FILE};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (faccessat(run_dirfd, files[i], F_OK, 0) == 0)
            return true;
    return false;
}

int undo_run_journal(struct engine *engine, const char *id, int run_dirfd, struct error *e) {
    if (!run_is_left(run_dirfd))
        return 0; /* its monitor did it */
    tell_end(engine, id, run_dirfd);
    int r = journal_undo(run_dirfd, "journal", e);
    event_changes_heal(engine->roots->run_fd, engine->roots->root_fd);
    event_tell_prepared(engine->roots->run_fd, run_dirfd, STATE_END_EVENTS, true);
    run_end_hooks(run_dirfd);
    if (r == 0)
        remove_monitor_group(engine);
    return r;
}

/* --- events of who was killed when he had made or removed it ---------------------------------------------------------------- */

static void tell_created(struct engine *engine, const struct container_record *c) {
    struct event_last last;
    event_last(engine->roots->run_fd, c->id, &last);
    if (!last.action[0] && !last.forgotten)
        container_event(engine, c, "create", NULL);
}

void tell_destroyed(struct engine *engine, const struct container_record *c) {
    struct event_last last;
    event_last(engine->roots->run_fd, c->id, &last);
    if (strcmp(last.action, "destroy") != 0 && !last.forgotten)
        container_event(engine, c, "destroy", NULL);
}

void trash_reap(struct engine *engine, const char *id) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_fd_ int trash = openat(engine->roots->root_fd, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (trash < 0)
        return;
    if (container_open_at(trash, id, &a, &c, NULL) == 0) {
        /* Of those who reap at the same time one tells. */
        if (flock(c.dirfd, LOCK_EX | LOCK_NB) < 0)
            return;
        if (faccessat(c.dirfd, "config.json", F_OK, 0) == 0)
            tell_destroyed(engine, &c.record);
    }
    (void)fs_remove_tree_at(trash, id, NULL);
}

/* Taken by a command that was killed before it stood in the journal: it holds the pending entry no more, so nobody takes one now.
 */
static void give_back_leases(struct heal *h, const char *id, int run_dirfd) {
    _cleanup_buf_ struct buf journal = BUF_INIT;
    (void)fs_read_at(run_dirfd, "journal", JOURNAL_SIZE_MAX, &journal, NULL);
    lease_forget(h->engine->roots, id, buf_text(&journal));
    port_forget(h->engine->roots, id, buf_text(&journal));
}

/* Undoes what stands in the run directory, when nobody lives who would do it. 1: something was there; HEAL_ALIVE. */
static int heal_run_dir(struct heal *h, const char *id, bool pending, struct error *e) {
    int runs = engine_run_dir(h->engine, e);
    _cleanup_fd_ int dir = runs < 0 ? -1 : openat(runs, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_fd_ int containers = openat(h->engine->roots->root_fd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_fd_ int own = containers < 0 ? -1 : openat(containers, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct container_state state;
    if (runs < 0)
        return runs;
    if (dir < 0)
        return 0;
    if (pending && h->repair)
        give_back_leases(h, id, dir);
    if (state_monitor(dir) != 0 || (state_read(own, dir, &state, NULL) == 0 && container_is_alive(&state)))
        return HEAL_ALIVE;
    if (!run_is_left(dir))
        return 0; /* ended in order */
    if (!h->repair)
        return 1;
    int r = undo_run_journal(h->engine, id, dir, e);
    if (r == 0 && own >= 0)
        (void)state_write(own, &state, NULL);
    if (r == 0 && own < 0)
        r = fs_remove_tree_at(runs, id, e);
    return r < 0 ? r : 1;
}

struct names {
    struct engine *engine;
    const char *id, *kept;
};

static int release_other(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct names *n = arg;
    if (strcmp(name, n->kept) != 0)
        name_release(n->engine, name, n->id);
    return 0;
}

/* An `update` that was killed: the record says what holds. */
static void restore_limits(struct engine *engine, struct container *c, struct arena *a) {
    struct container_state state;
    if (container_state(c, &state, NULL) < 0 || !container_is_alive(&state))
        return;
    limits_take_back(engine, c, a);
    (void)limits_apply(engine, c, &c->record.host, a, NULL);
    (void)limits_tell_policy(c, &c->record.host.restart, NULL);
}

/* The record says which name it is to have. */
static int finish_change(struct engine *engine, const char *id, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    int names = engine_names_dir(engine, e);
    int r = names < 0 ? names : container_open_id(engine, id, &a, &c, e);
    if (r < 0)
        return r;
    restore_limits(engine, &c, &a);
    container_event_rename(&c);
    struct names n = {engine, id, c.record.name};
    (void)fs_each(names, ".", release_other, &n, NULL);
    return container_journal_write(engine, &c, NULL, true, &a, e);
}

static void tell_life(struct engine *engine, const char *id, enum pending_kind kind) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    if (container_open_id(engine, id, &a, &c, NULL) < 0)
        return;
    if (kind == PENDING_CREATE || kind == PENDING_RUN)
        tell_created(engine, &c.record);
    if (kind == PENDING_REMOVE || kind == PENDING_RUN)
        tell_destroyed(engine, &c.record);
}

/* Of a command that was killed while it made or removed the container. */
static int heal_own_dir(struct heal *h, const char *id, enum pending_kind kind, struct error *e) {
    int containers = engine_containers_dir(h->engine, e);
    _cleanup_fd_ int dir = containers < 0 ? -1 : openat(containers, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (containers < 0 || !h->repair)
        return containers < 0 ? containers : 0;
    bool removed = kind == PENDING_REMOVE || kind == PENDING_RUN;
    bool complete = dir >= 0 && faccessat(dir, "config.json", F_OK, 0) == 0;
    if (complete)
        tell_life(h->engine, id, kind);
    int r = dir >= 0 && (removed || !complete) ? container_undo_creation(h->engine, id, dir, e) : 0;
    if (r == 0 && kind == PENDING_CHANGE && complete)
        r = finish_change(h->engine, id, e);
    int runs = engine_run_dir(h->engine, e);
    if (r == 0 && runs >= 0 && (removed || dir < 0))
        r = fs_remove_tree_at(runs, id, e);
    if (r == 0)
        trash_reap(h->engine, id);
    return r;
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
    int r = heal_run_dir(h, name, true, &why);
    if (r >= 0 && (r != HEAL_ALIVE || kind == PENDING_CHANGE))
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
    int r = id_is_full(name) ? heal_run_dir(h, name, false, &why) : 0;
    if (r < 0)
        failed(h, r, &why);
    h->report->run_dirs += r == 1;
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

/* A container is in the trash before its run directory is removed: by its monitor, or, when that one was killed, here. */
static int empty_trash(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    int runs = id_is_full(name) ? engine_run_dir(arg, NULL) : -1;
    _cleanup_fd_ int dir = runs < 0 ? -1 : openat(runs, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0 && (state_monitor(dir) != 0 || fs_remove_tree_at(runs, name, NULL) < 0))
        return 0;
    if (!id_is_full(name))
        (void)fs_remove_tree_at(dirfd, name, NULL);
    else if (!pending_is_held(arg, name))
        trash_reap(arg, name);
    return 0;
}

/* Its maker holds the directory's lock. */
static int reap_volume(int dirfd, const char *name, void *arg _unused_, struct error *e _unused_) {
    _cleanup_fd_ int dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0)
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
    if (repair) {
        static const char *const shared[] = {".", "blobs/sha256", "images", "layers", "networks", "secrets"};
        for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
            (void)fs_each(engine->roots->root_fd, shared[i], fs_reap_temporary, NULL, NULL);
        (void)fs_each(engine->roots->root_fd, "trash", empty_trash, engine, NULL);
        (void)fs_each(engine->roots->root_fd, VOLUMES_UNFINISHED, reap_volume, NULL, NULL);
        remove_monitor_group(engine);
    }
    if (repair)
        event_changes_heal(engine->roots->run_fd, engine->roots->root_fd);
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
    event_changes_heal(engine->roots->run_fd, engine->roots->root_fd);
    /* What a killed command had put there: usually nothing. Others may be at the same entry; whoever comes second finds it gone. */
    (void)fs_each(engine->roots->root_fd, "trash", empty_trash, engine, NULL);
    (void)fs_each(engine->roots->root_fd, ".", fs_reap_temporary, NULL, NULL);
    remove_monitor_group(engine);
    (void)fs_each(engine->roots->root_fd, VOLUMES_UNFINISHED, reap_volume, NULL, NULL);
    if (report.undone)
        log_info("healed %u unfinished operations", report.undone);
}

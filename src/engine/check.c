#include "engine/check.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "engine/container.h"
#include "engine/userns_pool.h"
#include "engine/volume.h"
#include "kernel/cgroup.h"
#include "kernel/sys.h"
#include "network/network.h"
#include "network/rootless.h"
#include "runtime/journal.h"

struct check {
    struct engine *engine;
    const struct check_options *options;
    struct arena *arena;
    struct list *findings;
};

static void found(struct check *c, bool repaired, const char *text) {
    *LIST_ADD(c->arena, struct check_finding, c->findings) = (struct check_finding){text, repaired};
}

/* --- what heals -------------------------------------------------------------------------------------------------------------- */

static int check_journals(struct check *c, struct error *e) {
    struct heal_report report = {0};
    int r = engine_heal(c->engine, c->options->repair, &report, e);
    const struct {
        unsigned n;
        const char *what;
    } counts[] = {{report.undone, "unfinished operation(s) of dead commands"},
                  {report.run_dirs, "container(s) whose monitor died and left things on the host"},
                  {report.directories, "half-made container(s)"}};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        if (counts[i].n)
            found(c, c->options->repair && r == 0, arena_printf(c->arena, "%u %s", counts[i].n, counts[i].what));
    return r;
}

/* --- containers, names, volumes ------------------------------------------------------------------------------------------------
 */

static int check_container(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    _cleanup_container_ struct container container = CONTAINER_INIT;
    _cleanup_error_ struct error why = ERROR_INIT;
    struct check *c = arg;
    bool moved = false;
    char torn[ID_LENGTH + 16];

    if (!id_is_full(name) || faccessat(dirfd, name, F_OK, 0) < 0)
        return 0;
    if (container_open_id(c->engine, name, c->arena, &container, &why) >= 0 || why.code == -ENOENT)
        return 0;
    /* Set aside, not removed: its files may be all that somebody has. */
    (void)snprintf(torn, sizeof(torn), "torn-%s", name);
    if (c->options->repair) {
        (void)mkdirat(c->engine->roots->root_fd, "torn", 0700);
        _cleanup_fd_ int aside = openat(c->engine->roots->root_fd, "torn", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        moved = aside >= 0 && renameat(dirfd, name, aside, name) == 0;
    }
    found(c, moved,
          arena_printf(c->arena, "container %.12s: %s%s", name, why.text ? why.text : "unreadable",
                       moved ? "; set aside in torn/" : ""));
    return 0;
}

static int check_name(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    char id[ID_LENGTH + 1], path[ID_LENGTH + 16];
    struct check *c = arg;
    bool gone = false;

    if (name[0] == '.' || name_owner(c->engine, name, id) < 0)
        return 0;
    (void)snprintf(path, sizeof(path), "containers/%s", id);
    if (faccessat(c->engine->roots->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (c->options->repair)
        gone = unlinkat(dirfd, name, 0) == 0;
    found(c, gone, arena_printf(c->arena, "the name %s belongs to a container that is gone", name));
    return 0;
}

static int check_volume(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    _cleanup_error_ struct error why = ERROR_INIT;
    struct check *c = arg;
    bool gone = false;
    struct volume v;

    if (strcmp(name, strrchr(VOLUMES_UNFINISHED, '/') + 1) == 0)
        return 0; /* healed with the rest */
    if (name[0] == '.') {
        if (c->options->repair)
            gone = fs_remove_tree_at(dirfd, name, NULL) == 0;
        found(c, gone, arena_printf(c->arena, "half-made volume %s", name));
    } else if (volume_open(c->engine->roots, name, c->arena, &v, &why) < 0) {
        found(c, false, arena_printf(c->arena, "volume %s: %s (its data is kept)", name, why.text ? why.text : "unreadable"));
    }
    return 0;
}

static int check_images(struct check *c, struct error *e) {
    struct list problems = {0};
    struct image_store *store;
    int r = engine_store(c->engine, &store, e);

    if (r >= 0)
        r = image_store_check(store, !c->options->quick, c->options->repair, c->arena, &problems, e);
    for (size_t i = 0; r >= 0 && i < problems.n; i++) {
        const struct image_problem *p = LIST_AT(struct image_problem, &problems, i);

        found(c, p->repaired,
              arena_printf(c->arena, "image %s%s%s: %s", p->image ? p->image : "", p->image ? ", " : "", p->what, p->text));
    }
    return r;
}

/* A directory that does not exist has nothing wrong in it. */
static void each_if_there(struct check *c, const char *directory, fs_each_fn *fn) {
    if (faccessat(c->engine->roots->root_fd, directory, F_OK, 0) == 0)
        (void)fs_each(c->engine->roots->root_fd, directory, fn, c, NULL);
}

int engine_check(struct engine *engine, const struct check_options *o, struct arena *a, struct list *ret, struct error *e) {
    struct check c = {engine, o, a, ret};
    int r;

    *ret = (struct list){0};
    r = check_journals(&c, e);
    each_if_there(&c, "containers", check_container);
    each_if_there(&c, "names", check_name);
    each_if_there(&c, "volumes", check_volume);
    if (r >= 0)
        r = check_images(&c, e);
    return r;
}

/* --- reset ---------------------------------------------------------------------------------------------------------------------
 */

/* Kills and undoes one container by its run journal alone, so that this works when nothing else does. */
static int reset_run(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    _cleanup_fd_ int dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct container_state state;
    int *first = arg, pidfd, r;

    if (dir < 0)
        return 0;
    if (state_read(-1, dir, &state, NULL) == 0) {
        if (state.monitor_pid > 0)
            (void)kill(state.monitor_pid, SIGKILL); /* it would start the container again */
        pidfd = state_open_pidfd(&state);
        if (pidfd >= 0) {
            (void)sys_pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
            (void)fd_close(pidfd);
        }
    }
    r = journal_undo(dir, "journal", NULL);
    if (r < 0 && *first == 0)
        *first = r;
    return 0;
}

/* By name, so that a wrong --root costs nobody his files. */
static const char *const root_entries[] = {"containers", "names",  "images",     "refs",       "layers",     "blobs",
                                           "ingest",     "pins",   "volumes",    "networks",   "secrets",    "torn",
                                           "trash",      "userns", "index.json", "index.lock", "store.lock", "oci-layout"};
static const char *const run_entries[] = {"containers", "pending", "leases",   "ports",       "cache",
                                          "events",     "changes", "events.1", "network.lock"};

static int remove_entries(int dirfd, const char *const *names, size_t n) {
    int first = 0;

    for (size_t i = 0; i < n; i++) {
        int r = fs_remove_tree_at(dirfd, names[i], NULL);

        if (first == 0)
            first = r;
    }
    return first;
}

int engine_reset(struct engine *engine, struct error *e) {
    const struct roots *roots = engine->roots;
    struct cgroup_layout layout;
    int first = 0, r;

    if (faccessat(roots->run_fd, "containers", F_OK, 0) == 0)
        (void)fs_each(roots->run_fd, "containers", reset_run, &first, NULL);
    /* An ordinary user's networks go with their namespace. */
    r = roots->rootless ? rootless_network_end(roots, e) : network_teardown(roots, e);
    if (cgroup_layout_read(&layout, NULL) == 0)
        for (int i = 0; i < layout.count; i++) {
            _cleanup_arena_ struct arena a = ARENA_INIT;

            (void)cgroup_remove_dir(cgroup_dir(&layout, i, arena_printf(&a, "/tare%s", roots->tag), &a), 2000, NULL);
        }
    userns_pool_forget(engine);
    first = MIN_OF(first, remove_entries(roots->run_fd, run_entries, ARRAY_SIZE(run_entries)));
    first = MIN_OF(first, remove_entries(roots->root_fd, root_entries, ARRAY_SIZE(root_entries)));
    if (r < 0)
        return r;
    return first < 0 ? error_errno(e, first, "remove everything under %s and %s", roots->root, roots->run_root) : 0;
}

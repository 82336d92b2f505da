/* Containers as users know them. The engine ties image, network and runtime together; it keeps no state but the file system's:
 *
 *   ROOT/names/NAME            symbolic link whose text is the id: taken by symlink(2), which fails when it exists
 *   ROOT/containers/ID/        config.json (struct container_record), journal (what outlives the boot), upper/, work/, log, state
 *   RUN_ROOT/containers/ID/    state, journal, lock, sock, resolv.conf, hosts, hostname: while it runs
 *   RUN_ROOT/pending/ID        an operation is under way: holds a record lock; an unlocked one is undone by whoever meets it
 *
 * Errors carry Docker's sentences ("No such container: x"); error.status is set where the exit status is not the default. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/roots.h"

struct cgroup_layout;
struct config;
struct image_store;

struct engine {
    const struct roots *roots; /* borrowed */
    struct image_store *store; /* opened when first needed; use engine_store() */
    int containers_fd;         /* ROOT/containers; -1 until used */
    int names_fd;
    int run_containers_fd;
    int pending_fd;
    struct cgroup_layout *layout; /* read when first needed; use engine_layout() */
    const struct config *config;  /* defaults of containers; NULL: the built-in ones; borrowed */
    const char *userns_user;      /* whose ranges of ids --userns auto takes; NULL = "tare"; borrowed */
};

int engine_open(const struct roots *roots, struct engine **ret, struct error *e);
void engine_close(struct engine *engine); /* NULL is fine */

int engine_store(struct engine *engine, struct image_store **ret, struct error *e);
/* What of the control groups is mounted where; owned by the engine. */
int engine_layout(struct engine *engine, const struct cgroup_layout **ret, struct error *e);
/* Directory descriptors, opened (made) at their first use; owned by the engine. */
int engine_containers_dir(struct engine *engine, struct error *e);
int engine_names_dir(struct engine *engine, struct error *e);
int engine_run_dir(struct engine *engine, struct error *e);
int engine_pending_dir(struct engine *engine, struct error *e);

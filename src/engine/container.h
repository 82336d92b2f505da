/* One container: its directories, its record, its name; what it does right now. */
#pragma once

#include "base/id.h"
#include "engine/engine.h"
#include "model/container.h"
#include "runtime/state.h"

#define CONTAINER_RECORD_FILE "config.json"
#define CONTAINER_NETNS       "netns" /* in the run directory: the network namespace of a container on a CNI network */

struct container {
    char id[ID_LENGTH + 1];
    int dirfd;                      /* ROOT/containers/ID; owned */
    int run_dirfd;                  /* RUN_ROOT/containers/ID; owned; -1 = none, it does not run */
    int pending_fd;                 /* holds RUN_ROOT/pending/ID (engine/pending.h); owned; -1 = not held */
    struct container_record record; /* in the arena given to container_open() */
};
#define CONTAINER_INIT                                                                                                             \
    { .dirfd = -1, .run_dirfd = -1, .pending_fd = -1 }
#define _cleanup_container_ _cleanup_(container_release)
void container_release(struct container *c);

/* Opens the directories, reads the record; as it lies there (engine/lookup.h). -ENOENT without text when it does not exist
 * (listing: it may go at any moment). */
int container_open_at(int dirfd, const char *id, struct arena *a, struct container *ret, struct error *e);
int container_open_id(struct engine *engine, const char *id, struct arena *a, struct container *ret, struct error *e);
/* Opens it again: what was read before another command worked on it is old. -ENOENT "No such container". */
int container_refresh(struct engine *engine, struct container *c, struct arena *a, struct error *e);
/* What is true now (runtime/state.h). */
int container_state(const struct container *c, struct container_state *ret, struct error *e);
/* The same, once it is running or not: waits for a monitor that is starting it, or that clears up behind it. -EBUSY: too long. */
int container_settled(const struct container *c, struct container_state *ret, struct error *e);
/* Is it running or paused? */
bool container_is_alive(const struct container_state *s);

/* Writes config.json; `lasting` syncs it. */
int container_record_write(const struct container *c, bool lasting, struct error *e);

/* Absolute paths below the roots. */
const char *container_path(const struct engine *engine, const char *id, const char *name, struct arena *a);
const char *container_run_path(const struct engine *engine, const char *id, const char *name, struct arena *a);
/* What it changed lies in CONTAINER_UPPER, over its layers or the directory of --rootfs; or all of its files are its own, in
 * CONTAINER_FILES (engine/own_files.h). */
#define CONTAINER_UPPER "upper"
#define CONTAINER_FILES "files"
const char *container_changes_name(const struct container_record *c);
/* Absolute, top first: what lies below what it changed, or was copied. */
void container_base_dirs(const struct container_record *c, struct arena *a, struct strs *ret);
/* The container's directories for looking into its files while nothing is mounted: all of these (engine/rootfs.h). */
void container_rootfs_dirs(const struct engine *engine, const struct container_record *c, struct arena *a, struct strs *ret);

/* --- names ----------------------------------------------------------------------------------------------------------------- */

/* Takes a name for id. -EEXIST with Docker's "Conflict. The container name …". */
int name_take(struct engine *engine, const char *name, const char *id, struct error *e);
/* The id that has the name. -ENOENT without text. */
int name_owner(struct engine *engine, const char *name, char ret_id[ID_LENGTH + 1]);
/* A random name ("brave_hopper"), in the arena; not looked at whether it is free. The more often it was not (`tries`), the longer.
 */
#define NAME_TRIES_MAX 20
int name_random(unsigned tries, struct arena *a, const char **ret, struct error *e);
/* Gives a name up if it is id's. */
void name_release(struct engine *engine, const char *name, const char *id);

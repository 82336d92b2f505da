/* A request becomes a container: checked as a whole, image found (pulled if it must be), merged, named, written. Nothing is left
 * when it fails. */
#pragma once

#include "engine/container.h"
#include "image/pull.h"

struct create_options {
    const char *name;     /* NULL = a random one */
    const char *platform; /* NULL = the host's */
    struct pull_options pull;
    bool then_start; /* it is held for engine_start(): one that is killed in between leaves no container of `run --rm` */
    bool lasting;    /* on the disk before it answers (create, run -d); false: run --rm in the foreground */
};

/* ret: owned by the caller, record in the arena. -ENOENT: no such image; -EEXIST: the name is taken; -EINVAL. */
int engine_create(struct engine *engine, const struct create_request *request, const struct create_options *o, struct arena *a,
                  struct container *ret, struct error *e);

/* Of the container's own directory: what goes with a creation that does not come to its end. */
#define UNFINISHED_JOURNAL "unfinished"
/* Undoes a creation that was cut short (it has no config.json); for healing. */
int container_undo_creation(struct engine *engine, const char *id, int dirfd, struct error *e);
/* Writes what the container's end takes away. other_name: a second name that it has while it is renamed; NULL. */
int container_journal_write(struct engine *engine, const struct container *c, const char *other_name, bool lasting, struct arena *a,
                            struct error *e);

/* The container's directories for looking into its files while nothing is mounted: upper, then the layers (engine/rootfs.h). */
void container_rootfs_dirs(const struct engine *engine, const struct container_record *c, struct arena *a, struct strs *ret);
/* Members of an event's Actor.Attributes: image, name, labels. */
void container_event_attributes(const struct container_record *c, struct buf *out);
/* Absolute paths below the roots. */
const char *container_path(const struct engine *engine, const char *id, const char *name, struct arena *a);
const char *container_run_path(const struct engine *engine, const char *id, const char *name, struct arena *a);

/* What dead commands and monitors left behind. Everything that could be left stands in a journal; healing is undoing those whose
 * owner is dead, and emptying the trash. */
#pragma once

#include "engine/engine.h"
#include "model/container.h"

struct heal_report {
    unsigned undone;      /* starts and creations that had not finished */
    unsigned run_dirs;    /* of containers whose monitor died after them */
    unsigned directories; /* containers without a configuration */
    unsigned failed;
};

/* Does all of it. repair false: only counts. -errno of the first failure, after having tried the rest. */
int engine_heal(struct engine *engine, bool repair, struct heal_report *ret, struct error *e);
/* The same for a command that has given its answer: only the pending entries (usually none: one look at an empty directory). */
void engine_heal_later(struct engine *engine);
/* Undoes a run journal in place of a monitor that was killed, and takes away the monitors' group if that one was the last. What the
 * monitor did not come to tell is told, and its poststop hooks run. */
int undo_run_journal(struct engine *engine, const char *id, int run_dirfd, struct error *e);
/* Unless it was told. */
void tell_destroyed(struct engine *engine, const struct container_record *c);
/* The end of a container in the trash: its "destroy" is told, unless it was, and its files are unlinked. Whoever works on it holds
 * its pending entry. */
void trash_reap(struct engine *engine, const char *id);

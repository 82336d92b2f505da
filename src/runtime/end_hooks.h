/* The poststop hooks of a container of the engine's: they stand ready in a file of its run directory, since whoever ends the
 * container runs them, its monitor or, when that was killed, the command that heals. */
#pragma once

#include "model/oci_spec.h"

#define END_HOOKS_FILE "end-hooks"

/* The container's state as hooks get it, as JSON up to its status and pid, not closed. */
const char *hook_state_head(struct arena *a, const char *oci_version, const char *id, const char *bundle,
                            const struct map *annotations);
/* Writes nothing when the specification has no such hook. */
int end_hooks_write(int run_dirfd, const struct oci_spec *spec, const char *state_head, struct error *e);
/* Runs all of them. One that fails does not keep the others from running; the error is the first one's. `last`: not for another run
 * that follows, so the file is removed, afterwards: when the caller is killed, they run again. No file is fine. */
int end_hooks_run(int run_dirfd, bool last, struct error *e);

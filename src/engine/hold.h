/* One command at a time works on a container. */
#pragma once

#include "engine/container.h"
#include "engine/pending.h"

/* Takes the container for an operation and reads it again: what was read before may be old. Returns the descriptor for
 * pending_end(); ret: what is true now, and stays so as far as commands go (a running container may end at any moment). -ENOENT:
 * removed meanwhile; -EALREADY: PENDING_START of one that runs. */
int container_hold(struct engine *engine, struct container *c, enum pending_kind kind, struct arena *a, struct container_state *ret,
                   struct error *e);

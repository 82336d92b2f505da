/* Events of what a container uses while it runs: its networks (connect, disconnect) and volumes (mount, unmount). */
#pragma once

#include "base/event_change.h"
#include "engine/container.h"
#include "engine/start_context.h"
#include "model/network.h"

/* At a start: the taking is told now, the giving back stands ready in the run directory, for whoever sees the container's end. */
void resources_begin(struct engine *engine, const struct container *c, const struct start_context *x);
/* A network that a running container joins (or leaves), before and after its record is written: told, and what stands ready
 * changed. */
void resources_change(struct engine *engine, const struct container *c, const struct network *n, bool connect,
                      struct event_change *ret);
void resources_changed(const struct container *c, const struct network *n, bool connect, struct event_change *change);

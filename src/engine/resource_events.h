/* Events of what a container uses while it runs: its networks (connect, disconnect) and volumes (mount, unmount). */
#pragma once

#include "engine/container.h"
#include "engine/start_context.h"
#include "model/network.h"

/* At a start: the taking is told now, the giving back stands ready in the run directory, for whoever sees the container's end. */
void resources_begin(struct engine *engine, const struct container *c, const struct start_context *x);
/* A network that a running container joins (or leaves): told, and what stands ready is changed. */
void resources_connect(struct engine *engine, const struct container *c, const struct network *n, bool connect);

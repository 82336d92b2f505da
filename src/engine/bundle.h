/* Hooks of a container's devices ask for an OCI bundle: the run directory is one then, with config.json and the place where the
 * root file system is seen while they run. */
#pragma once

#include "engine/engine.h"
#include "engine/start_context.h"

/* context->spec has hooks: sets what of the specification and of the plan's context they need, and writes the bundle. */
int bundle_make(const struct engine *engine, const struct container *c, struct start_context *context, struct arena *a,
                struct error *e);

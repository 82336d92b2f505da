/* --network cni:NAME: a network namespace made for the container, in which the plugins of a CNI configuration set up the network.
 */
#pragma once

#include "engine/start_context.h"
#include "runtime/journal.h"

/* Finds the configuration and checks what is asked for against it; x->cni. `mappings`: struct port_mapping. */
int cni_take(struct engine *engine, const struct container *c, const struct list *mappings, struct arena *a,
             struct start_context *x, struct error *e);
/* Do the plugins say that all is as they made it? */
int cni_check(struct engine *engine, const struct container *c, struct arena *a, struct error *e);
/* After the journal: makes the namespace, runs the plugins, writes the files that tell names. */
int cni_start(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e);

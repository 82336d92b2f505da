/* --network cni:NAME: a network namespace made for the container, in which the plugins of a CNI configuration set up the network.
 */
#pragma once

#include "engine/start.h"
#include "runtime/journal.h"

/* Finds the configuration and checks what is asked for against it; x->cni. `mappings`: struct port_mapping. */
int cni_take(struct engine *engine, const struct container *c, const struct list *mappings, struct arena *a,
             struct start_context *x, struct error *e);
/* The line that has the plugins take everything back; in both journals, since they may keep things over a reboot. */
void cni_journal(const struct engine *engine, const char *id, struct arena *a, struct journal *j);
/* That of the namespace; in the run journal, before the other. */
void cni_journal_namespace(const struct engine *engine, const char *id, struct arena *a, struct journal *j);
/* After the journal: makes the namespace, runs the plugins, writes the files that tell names. */
int cni_start(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e);

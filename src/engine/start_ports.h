/* The published ports of a start: taken before the journal, written into it, switched on after it. */
#pragma once

#include "engine/start_context.h"
#include "network/network.h"
#include "runtime/journal.h"

/* Fills x->ports (struct published_port). */
int ports_take(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e);
/* Undone from the last line to the first: the elements, while a record says whose they are, then the records. */
void ports_journal(const struct engine *engine, const char *id, const struct list *ports, struct arena *a, struct journal *j);
/* The elements alone: the records stand in it. */
void ports_journal_elements(const struct engine *engine, const char *id, const struct list *ports, struct arena *a,
                            struct journal *j);
/* The elements of source_filter.h of one attachment; after its leases' lines. */
void sources_journal(const struct engine *engine, const char *id, const struct network_attachment *n, struct journal *j);
/* The packet filter's elements, the checks of sources among them. */
int ports_activate(const struct engine *engine, struct start_context *x, struct arena *a, struct error *e);

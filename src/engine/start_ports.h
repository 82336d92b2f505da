/* The published ports of a start: taken before the journal, written into it, switched on after it. */
#pragma once

#include "engine/start.h"
#include "runtime/journal.h"

/* Fills x->ports (struct published_port). */
int ports_take(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e);
void ports_journal(const struct engine *engine, const struct container *c, const struct start_context *x, struct journal *j);
/* The packet filter's elements, and the process that holds the sockets: x->holder_fd, for the monitor. */
int ports_activate(const struct engine *engine, const char *id, struct start_context *x, struct arena *a, struct error *e);

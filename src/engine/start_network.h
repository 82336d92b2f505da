/* The network side of a start: addresses taken, and the files that tell names. */
#pragma once

#include "engine/start.h"

/* Fills x->attachments and input.own_network, writes resolv.conf, hosts and hostname into the run directory. */
int start_network(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e);

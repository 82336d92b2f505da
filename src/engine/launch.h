/* From the container's configuration to what its monitor is told. */
#pragma once

#include "engine/start_context.h"
#include "runtime/monitor_client.h"

int launch_monitor(struct engine *engine, struct container *c, struct start_context *x, const struct plan *plan,
                   const struct start_options *o, struct arena *a, struct monitor_conn *ret, struct error *e);

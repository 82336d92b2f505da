/* A created container starts: who it runs as, its addresses and files, the OCI configuration, the plan, the journal of what will
 * stand on the host; then its monitor carries the plan out. */
#pragma once

#include "engine/start_context.h"
#include "runtime/monitor_client.h"

/* Starts it. On failure nothing of the start is left; the container itself stays (or goes, with --rm). error.status is 125, 126 or
 * 127. -EALREADY: it runs. */
int engine_start(struct engine *engine, struct container *c, const struct start_options *o, struct arena *a,
                 struct monitor_conn *ret, struct error *e);

/* In the container's directory: a shutdown stopped it, not the user (engine/boot.h); a start takes it away. A file of its own,
 * since the monitor alone writes the state. */
#define STOPPED_BY_SHUTDOWN "stopped-by-shutdown"

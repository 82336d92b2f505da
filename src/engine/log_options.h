/* --log-driver and --log-opt: from what was asked for to what the monitor is told. Names, checks and words are Docker's (its
 * daemon/logger); what its drivers do and tare does not is refused by name. */
#pragma once

#include "model/container.h"
#include "runtime/monitor_client.h"

/* Driver, options and their values; for create. The options come into the order in which inspect shows them. -EINVAL. */
int log_options_check(struct log_config *c, struct error *e);
/* The same, and what the record's labels, environment and name make of it: tag, attributes, the journal's fields. In the arena. */
int log_options_fill(const struct container_record *c, struct arena *a, struct monitor_log_options *ret, struct error *e);

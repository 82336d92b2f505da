/* What happens to containers around a reboot: those with a restart policy come back, and all are stopped in order before.
 *
 * Which come back is what Docker's daemon does at its start: `always`, whatever was done to it; `unless-stopped`, unless the user
 * had stopped it; `on-failure`, when its end was a failure (one that nobody saw, as in a power cut, is) and tries are left. What
 * has never been started stays as it is. */
#pragma once

#include "engine/container.h"

/* Told of each container: e is NULL when it worked. */
typedef void boot_report_fn(const char *name, struct error *e, void *arg);

/* Starts those that come back, the oldest first (what a container refers to is older than it). Goes on after a failure; returns how
 * many failed. */
int boot_start(struct engine *engine, struct arena *a, boot_report_fn *report, void *arg, struct error *e);
/* Stops all that run, many at once, each with its own signal and time; what the user did not stop is remembered as such. Returns
 * how many failed. */
int boot_stop(struct engine *engine, struct arena *a, boot_report_fn *report, void *arg, struct error *e);

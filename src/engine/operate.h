/* What is done to containers that exist. Where the monitor lives it is asked; where it was killed the same is done by pidfd, cgroup
 * and journal. */
#pragma once

#include "engine/container.h"
#include "runtime/monitor_client.h"

/* signo 0 and timeout_s INT32_MIN: the container's own. A container that does not run: success. Returns when it has ended. */
int container_stop(struct engine *engine, struct container *c, int signo, int timeout_s, struct error *e);
/* -ECONFLICT-like (-EINVAL) "cannot kill container: x: container y is not running". */
int container_kill(struct engine *engine, struct container *c, int signo, struct error *e);
int container_pause(struct engine *engine, struct container *c, bool pause, struct error *e);
/* Blocks until it has ended (or is removed); its exit code. */
int container_wait(struct engine *engine, struct container *c, enum wait_condition until, int *ret_exit_code, struct error *e);
/* Stops it if it runs and starts it again. */
int container_restart(struct engine *engine, struct container *c, int signo, int timeout_s, struct arena *a, struct error *e);
/* force: kills it first. volumes: its anonymous volumes go too. -EBUSY with Docker's words when it runs. */
int container_remove(struct engine *engine, const char *name_or_id, bool force, bool volumes, struct error *e);
int container_rename(struct engine *engine, struct container *c, const char *name, struct arena *a, struct error *e);

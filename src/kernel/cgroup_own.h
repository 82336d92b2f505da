/* The control group of tare's own processes that stay (monitors, tare-net): `monitors`, beside the containers' groups. `cgroup` is
 * a container's path below the hierarchies' roots ("/tare/<id>"), NULL for none. */
#pragma once

#include "kernel/cgroup.h"

/* Moves the calling thread, where that is permitted. -ENOENT: the containers' groups are not there yet. */
int own_cgroup_enter(const char *cgroup);
/* Back to the root; the group goes when nobody else is in it. */
void own_cgroup_leave(const char *cgroup);
/* For whoever cleans up after those that were killed: the group goes when nobody is in it. Usually one look: there is none, or it
 * has members. */
void own_cgroup_remove(const struct cgroup_layout *layout, const char *cgroup);

/* What running containers use, as the kernel counts it: `stats` and `top`, GET /containers/x/stats and /top. */
#pragma once

#include "engine/container.h"
#include "kernel/cgroup.h"
#include "runtime/processes.h"

/* Both of one moment. */
struct usage_sample {
    int64_t monotonic_ns;
    struct cgroup_stats group;
    uint64_t network_in, network_out; /* bytes through all interfaces but loopback; 0 with the host's network */
};

/* -EINVAL: it does not run. */
int usage_sample(struct engine *engine, const struct container *c, const struct cgroup_layout *layout, struct usage_sample *ret,
                 struct error *e);
/* Processors' time between two samples, in percent of one processor. */
double usage_cpu_percent(const struct usage_sample *before, const struct usage_sample *after);

/* All processes, by pid. ret: of struct process_info. -EINVAL "container x is not running". */
int usage_processes(struct engine *engine, const struct container *c, struct arena *a, struct list *ret, struct error *e);

/* New limits for a container (those set in `changes`; see spec_limits()), running or not; a running one's are in force when it
 * returns, and the record is on the disk. */
int container_update(struct engine *engine, struct container *c, const struct host_config *changes, struct arena *a,
                     struct error *e);

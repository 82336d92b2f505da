/* What running containers use, as the kernel counts it: `stats` and `top`, GET /containers/x/stats and /top. */
#pragma once

#include "engine/container.h"
#include "kernel/cgroup.h"

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

/* One process of a container, from /proc on the host: nothing of the container's own programs is run or read. */
struct process_info {
    pid_t pid, parent;
    uint32_t uid;
    const char *user;     /* the host's name for uid, else its number */
    const char *terminal; /* "pts/0", "?" */
    int64_t started;      /* seconds since the epoch */
    uint64_t cpu_s;       /* seconds of processor time */
    unsigned cpu_percent; /* over its life */
    uint64_t rss_kib, vsz_kib;
    char state;
    const char *command, *arguments; /* name; whole command line, "[name]" when it has none */
};
/* All processes, by pid. ret: of struct process_info. -EINVAL "container x is not running". */
int usage_processes(struct engine *engine, const struct container *c, struct arena *a, struct list *ret, struct error *e);

/* New limits for a container (those set in `changes`; see spec_limits()), running or not; a running one's are in force when it
 * returns, and the record is on the disk. */
int container_update(struct engine *engine, struct container *c, const struct host_config *changes, struct arena *a,
                     struct error *e);

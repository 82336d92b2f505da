/* What the planner of group changes shares with its tests. */
#pragma once

#include "kernel/cgroup.h"

/* cpu.shares (2 to 262144) to cpu.weight (1 to 10000): 1024, what everybody has, becomes 100, what everybody has. The curve through
 * these three points is that of the runtimes since 2025, so that a weight means the same whoever set it. */
uint64_t cgroup_weight_of_shares(uint64_t shares);
/* blkio.weight (10 to 1000) to io.weight (1 to 10000), linear. */
uint64_t cgroup_io_weight(uint64_t weight);

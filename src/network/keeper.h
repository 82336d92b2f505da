/* tare-net in the role `keep`. */
#pragma once

/* Its whole life: descriptor 3 takes one word (see rootless.c), 4 is the run directory. `cgroup` as for own_cgroup_enter(). */
int keeper_main(const char *cgroup, const char *run_root);

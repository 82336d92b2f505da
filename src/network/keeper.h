/* tare-net in the roles that look after pasta. */
#pragma once

/* `keep`, its whole life: descriptor 3 takes one word (see rootless.c), 4 is the run directory. `cgroup` as for own_cgroup_enter().
 */
int keeper_main(const char *cgroup, const char *run_root);
/* In the role `pasta`, for one container (network/pasta.h): 3 takes the word and then keeps it alive, 4 is the network namespace, 5
 * the container's run directory; `ports`: pasta's options, up to NULL. */
int keeper_pasta(const char *cgroup, char *const ports[]);

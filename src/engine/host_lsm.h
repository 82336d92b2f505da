/* The security modules of the host, for a container: what of its options they can do, and which profile it gets. */
#pragma once

#include "base/roots.h"
#include "model/container.h"

/* --security-opt apparmor=… and label=…: refused by name where the host has no such module, or no such profile. */
int host_lsm_check(const struct host_config *h, struct error *e);
/* The AppArmor profile that the container runs under, with `load` loaded if need be: the one it names, or the default of those that
 * are neither privileged nor an ordinary user's (who may not load any). NULL = none. */
const char *host_apparmor(const struct roots *roots, const struct host_config *h, bool load, struct arena *a);

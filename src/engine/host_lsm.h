/* The security modules of the host, for a container: what of its options they can do, and which profile it gets. */
#pragma once

#include "base/roots.h"
#include "engine/spec.h"

/* --security-opt apparmor=… and label=…: refused by name where the host has no such module, or no such profile. */
int host_lsm_check(const struct host_config *h, struct error *e);
/* The AppArmor profile that the container runs under, with `load` loaded if need be: the one it names, or the default of those that
 * are neither privileged nor an ordinary user's (who may not load any). NULL = none. */
const char *host_apparmor(const struct roots *roots, const struct host_config *h, bool load, struct arena *a);
/* The contexts of a container that asks for any by --security-opt label=…, made of what the host's policy has for containers and of
 * what it names; the level that it does not name is its own, two categories made of `id`. -EINVAL: not in the policy. */
int host_selinux(const struct host_config *h, const char *id, struct arena *a, struct selinux_labels *ret, struct error *e);
/* The context for a volume with z (`shared`) or Z; NULL where the host has no SELinux, or the container has label=disable. */
int host_selinux_of_volume(const struct host_config *h, const char *id, bool shared, struct arena *a, const char **ret,
                           struct error *e);

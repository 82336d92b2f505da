/* Shares of caches and memory bandwidth (Intel RDT, AMD QoS, Arm MPAM): the file system resctrl. A group is a directory below its
 * mount; its file `schemata` has a line for each resource, `tasks` its processes, as those of a control group; `mon_groups/NAME`
 * below it counts alone. No machine with such hardware was at hand: what is here was tried on directories that look like it.
 * Sources: Documentation/filesystems/resctrl.rst (Linux), OCI config-linux.md, "IntelRdt". */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "model/oci_spec.h"

struct resctrl_group {
    const char *dir;      /* absolute */
    const char *monitor;  /* absolute; NULL = none is asked for. Made, and removed with the container */
    bool make;            /* dir is not there yet */
    bool own;             /* it is the container's alone, and goes with it */
    const char *schemata; /* lines to write, in this order; NULL = none */
};

/* Where it is mounted. -ENOTSUP: nowhere. */
int resctrl_mount_find(const char *mountinfo, struct arena *a, const char **ret, struct error *e);
/* What linux.intelRdt asks for below `mount`, looking at what is there. -EINVAL names the field; -ENOENT: closID names no group,
 * and says nothing of what it should be; -EEXIST: a group of the container's name; -EBUSY: the group has other shares than the
 * bundle says. */
int resctrl_group_choose(const char *mount, const char *id, const struct oci_intel_rdt *rdt, struct arena *a,
                         struct resctrl_group *ret, struct error *e);
/* Does a text of `schemata` say all that this line does? Values as numbers: the kernel pads them. Pure. */
bool resctrl_schema_holds(const char *schemata, const char *line);

/* The devices that a group may use, as rules in the order of the OCI specification: the last one that matches decides; when none
 * does, everything is denied. Pure. */
#pragma once

#include "kernel/cgroup.h"

/* Version 1: appends the writes to devices.deny and devices.allow. -ENOTSUP: a rule takes a part out of what an earlier one names
 * as a whole, which version 1 cannot keep. */
int cgroup_devices_files(const struct list *rules, const char *dir, struct arena *a, struct list *ops, struct error *e);
/* Version 2: the rules as an eBPF program of type CGROUP_DEVICE (struct bpf_insn[]). NULL when they allow everything. */
const void *cgroup_devices_program(const struct list *rules, struct arena *a, size_t *ret_size);

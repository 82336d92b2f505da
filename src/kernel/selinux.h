/* SELinux: which contexts the host's policy has for containers, and whether it knows a context.
 *
 * Sources: selinux(8), lxc_contexts (selinux_lxc_contexts_path(3)), security/selinux/selinuxfs.c. */
#pragma once

#include "base/error.h"

#define SELINUX_CONTEXT_MAX 256

struct selinux_contexts {
    char process[SELINUX_CONTEXT_MAX]; /* "system_u:system_r:container_t:s0" */
    char files[SELINUX_CONTEXT_MAX];   /* "system_u:object_r:container_file_t:s0" */
};

bool selinux_is_on(void);
/* What the policy in use says in its lxc_contexts. -ENOENT: it has no such file, or one that says nothing of this. */
int selinux_contexts_read(struct selinux_contexts *ret, struct error *e);
/* -EINVAL: the policy that is loaded does not know this context (a user, role, type or level of it). */
int selinux_check(const char *context, struct error *e);

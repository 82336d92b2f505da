/* What the host, the image's files and other containers have to say before a start (or an exec). */
#pragma once

#include "engine/start_context.h"

/* Namespaces that are joined: input.shared, plan.owners. -ESRCH: one is not there. Before start_gather(). */
int start_gather_shared(struct engine *engine, const struct container *c, struct arena *a, struct start_context *context,
                        struct error *e);
/* Fills context->input from the container and the host. */
int start_gather(struct engine *engine, const struct container *c, const char *user, struct arena *a, struct start_context *context,
                 struct error *e);
/* Devices of --device-read-bps and the like; *ret stays as it is when none is limited. */
int gather_block_io(const struct host_config *h, struct arena *a, struct oci_block_io **ret, struct error *e);
/* The seccomp program of the container, into *ret_code; NULL when unconfined. */
int start_seccomp(struct engine *engine, const struct container_record *c, bool privileged, struct arena *a, const void **ret_code,
                  size_t *ret_size, uint32_t *ret_flags, struct error *e);
/* Namespaces and cgroups of the container, for joining it. */
int exec_context_fill(const struct oci_spec *spec, const struct cgroup_layout *layout, const char *cgroup, bool single_id,
                      struct arena *a, struct plan_exec_context *ret, struct error *e);

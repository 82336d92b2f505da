/* What has to be done to the sources of a container's mounts before it starts: an upper directory for those whose changes are kept
 * apart (O), another owner for those that are to belong to the container's user (U), labels where the host wants them (z, Z). */
#pragma once

#include "engine/container.h"
#include "engine/spec.h"

/* Below the container's directory: N/upper and N/work of its mount number N. */
#define OVERLAYS "overlays"

/* Checks them, and does it; with dry_run the checks alone. -EINVAL, -ENOENT, -EXDEV (a subpath that leads out), -EOPNOTSUPP. */
int mount_sources_prepare(struct engine *engine, const struct container *c, const struct spec_input *in, bool dry_run,
                          struct error *e);

/* What a container asks for, held against what this machine has. */
#pragma once

#include "engine/engine.h"
#include "model/container.h"

/* --cpus, --cpuset-cpus, --cpuset-mems. -EINVAL with Docker's words, which name what there is. */
int host_limits_check(const struct host_config *h, struct error *e);

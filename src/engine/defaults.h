/* What tare.conf says about containers that do not say it themselves. */
#pragma once

#include "engine/container.h"

struct config;

/* Puts the configuration's values where the request has none (q: in the arena from now on), and the caller can have them. -EINVAL:
 * a value that cannot be read. */
int defaults_apply(const struct config *config, const struct roots *roots, struct arena *a, struct create_request *q,
                   struct error *e);
/* The same for what an image may say too, after merging. */
void defaults_apply_merged(const struct config *config, struct container_config *c);

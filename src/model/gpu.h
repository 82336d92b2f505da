/* --gpus, as Docker's command line reads it: comma-separated fields of which one may be quoted. `all`, `2`, `device=0`,
 * `"device=0,GPU-3faa8"`, `count=1,driver=nvidia,"capabilities=compute,utility"`. */
#pragma once

#include "model/container.h"

/* Strings live in the arena. -EINVAL, -ENOTSUP (options, and capabilities that no GPU has). */
int gpu_request_parse(const char *text, struct arena *a, struct device_request *ret, struct error *e);

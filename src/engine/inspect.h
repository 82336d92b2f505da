/* Docker's inspect answer for one container. */
#pragma once

#include "engine/container.h"

extern const struct json_table container_inspect_table; /* what the answer is written by, for templates */

/* Appends the JSON object, indented by 4. size: SizeRw and SizeRootFs, too (walks the upper directory). */
int container_inspect(struct engine *engine, const struct container *c, bool size, struct arena *a, struct buf *out,
                      struct error *e);

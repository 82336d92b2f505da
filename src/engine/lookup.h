/* Containers as they are found: by name, id or prefix, or all of them. Who finds one looks after it (engine/orphan.h): one whose
 * monitor was killed has another one by then, one that had ended with --rm is gone. */
#pragma once

#include "engine/container.h"

/* Full id of what users call `text`: exact name first, then id, then unambiguous prefix, as Docker does. -ENOENT "No such
 * container: x"; -ENOTUNIQ "multiple IDs found with provided prefix: x". */
int container_lookup(struct engine *engine, const char *text, char ret_id[ID_LENGTH + 1], struct error *e);
/* Looks up, opens the directories, reads the record. */
int container_open(struct engine *engine, const char *text, struct arena *a, struct container *ret, struct error *e);
/* Calls fn for each container, in no order; a broken one is passed over with a warning. */
typedef int container_fn(struct engine *engine, struct container *c, void *arg, struct error *e);
int container_each(struct engine *engine, struct arena *a, container_fn *fn, void *arg, struct error *e);

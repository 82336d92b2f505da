/* A container whose root is no overlay but a whole copy of its image's files, CONTAINER_FILES in its directory. For where the
 * kernel has no overlay to offer:
 *   - the data root lies on an overlay itself (tare in a container, with its data in that one's own files)
 *   - an ordinary user's --rootfs DIR in a user namespace of its own: only a copy can have other owners
 * Slower to make and larger (unless the file system shares blocks between copies), else the same: `diff` and `commit` compare the
 * copy with what it was made from. */
#pragma once

#include "engine/container.h"

/* At create, when the container's directory and its range of ids are there: copies where it must be, and notes it in the record. */
int own_files_make(struct engine *engine, struct container *c, struct arena *a, struct error *e);

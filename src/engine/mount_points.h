/* Which mounts a container has: binds and volumes asked for (-v, --mount, --tmpfs, --volumes-from) and the image's own volumes,
 * chosen once when the container is created. */
#pragma once

#include "engine/container.h"

/* Fills c->mounts; volumes without a name get one. Nothing is made but missing sources of binds. -EINVAL with Docker's words
 * ("Duplicate mount point: /x"). */
int mount_points_choose(struct engine *engine, const struct create_request *q, struct arena *a, struct container_record *c,
                        struct error *e);
/* Makes the volumes that are not there yet, and fills empty ones from the image. */
int mount_points_make(struct engine *engine, struct arena *a, struct container *c, struct error *e);

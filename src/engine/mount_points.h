/* Which mounts a container has: binds and volumes asked for (-v, --mount, --tmpfs, --volumes-from) and the image's own volumes,
 * chosen once when the container is created. Named volumes are made when they do not exist, anonymous ones always. */
#pragma once

#include "engine/container.h"

/* Fills c->mounts. -EINVAL with Docker's words ("Duplicate mount point: /x"). */
int mount_points_choose(struct engine *engine, const struct create_request *q, struct arena *a, struct container_record *c,
                        struct error *e);

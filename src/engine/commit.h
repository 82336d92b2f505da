/* A container's changes become a layer, and the container's image with it a new image. */
#pragma once

#include "engine/container.h"

struct commit_options {
    const char *reference; /* name of the new image; NULL */
    const char *author, *message;
    struct strs changes; /* Dockerfile lines */
    bool no_pause;       /* do not hold the container still meanwhile */
};
/* ret_id: "sha256:…". The same changes give the same layer, byte for byte. */
int container_commit(struct engine *engine, struct container *c, const struct commit_options *o, struct arena *a,
                     const char **ret_id, struct error *e);
/* Writes the layer: an archive of what container_changes() tells. */
int container_layer(struct engine *engine, const struct container *c, int fd, struct error *e);

/* A request becomes a container: checked as a whole, image found (pulled if it must be), merged, named, written. Nothing is left
 * when it fails. */
#pragma once

#include "engine/container.h"
#include "image/pull.h"

struct create_options {
    const char *name;     /* NULL = a random one */
    const char *platform; /* NULL = the host's */
    struct pull_options pull;
    bool then_start; /* it is held for engine_start(): one that is killed in between leaves no container of `run --rm` */
    bool lasting;    /* on the disk before it answers (create, run -d); false: run --rm in the foreground */
};

/* ret: owned by the caller, record in the arena. -ENOENT: no such image; -EEXIST: the name is taken; -EINVAL. */
int engine_create(struct engine *engine, const struct create_request *request, const struct create_options *o, struct arena *a,
                  struct container *ret, struct error *e);

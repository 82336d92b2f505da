/* Removing what nobody uses: containers that do not run, networks and volumes without containers. Images: image_prune(). */
#pragma once

#include "engine/engine.h"

struct prune_filter {
    int64_t until;                  /* only what was made before this second; 0 = all */
    struct strs labels, not_labels; /* "key" or "key=value": all must (must not) fit */
    bool named_volumes;             /* volumes with a name too, not just anonymous ones */
};

/* Each gives what it removed (ids or names), and adds the bytes that it freed. What comes into use meanwhile stays. */
int prune_containers(struct engine *engine, const struct prune_filter *f, struct arena *a, struct strs *ret, uint64_t *freed,
                     struct error *e);
int prune_networks(struct engine *engine, const struct prune_filter *f, struct arena *a, struct strs *ret, struct error *e);
int prune_volumes(struct engine *engine, const struct prune_filter *f, struct arena *a, struct strs *ret, uint64_t *freed,
                  struct error *e);

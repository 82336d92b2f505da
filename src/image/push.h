/* From the store to a registry. */
#pragma once

#include "image/pull.h"
#include "image/registry.h"

struct push_options {
    bool all_tags;
    const char *platform; /* NULL = what the name stands for */
    const struct pull_observer *observer;
};

/* Uploads what the registry has not got, then the manifest under the tag. Blobs that another repository of the same registry is
 * known to have are mounted from there. */
int image_push(struct image_store *s, const char *name, const struct push_options *o, struct arena *a, struct error *e);

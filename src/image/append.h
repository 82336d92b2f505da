/* A new image: that of another one with a layer more, and changes of its configuration. commit. */
#pragma once

#include "image/image.h"

struct image_append_options {
    const char *base;      /* id of the image below; NULL = none */
    const char *reference; /* name; NULL = none */
    const char *author, *message;
    const char *created_by;              /* for the history; NULL */
    const struct image_defaults *config; /* what the container ran with; NULL = the base's */
    struct strs changes;                 /* Dockerfile lines */
};
/* fd: the layer as a plain archive (not compressed). ret_id: "sha256:…". -ENOENT: the base is gone. */
int image_append(struct image_store *s, int fd, const struct image_append_options *o, struct arena *a, const char **ret_id,
                 struct error *e);

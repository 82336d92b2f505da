/* Dockerfile lines that change an image's configuration: `--change` of import and commit. */
#pragma once

#include "model/image_spec.h"

/* Applies one line, such as `CMD ["/bin/sh"]`, `ENV A=b C="d e"`, `EXPOSE 80`. -EINVAL: not such a line. Copies what it keeps. */
int image_change(struct image_defaults *config, const char *line, struct arena *a, struct error *e);

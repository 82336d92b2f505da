/* The layers below the one that is being unpacked, seen as overlay would merge them. They are read only. */
#pragma once

#include <sys/stat.h>

#include "base/error.h"
#include "image/worker_protocol.h"

struct lowers {
    int fd[WORKER_LOWERS_MAX + 1]; /* top first; the layer itself is first of all */
    size_t n;
};

/* Opens for reading the regular file or directory that the normalised path is in the merged view; whiteouts and opaque directories
 * hide, links are not followed. -ENOENT. */
int lowers_open(const struct lowers *l, const char *path);
/* Gives `to` (a descriptor open for real) owner, mode, and the extended attributes that images may carry, as `from` has them. */
int copy_metadata(int from, const struct stat *st, int to, struct error *e);
/* Makes `name` in dirfd a copy of the regular file `from`. */
int copy_file(int from, int dirfd, const char *name, struct error *e);

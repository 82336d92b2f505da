/* What a path of `cp` stands for. Private to copy.c. */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "base/error.h"

struct copy_place {
    int dirfd;               /* owned: the directory that holds it, or itself with name "." */
    char name[NAME_MAX + 1]; /* in dirfd */
    char base[NAME_MAX + 1]; /* the last part of the path as it was written; "" for the root */
    bool exists;
    bool contents; /* the path ends in "/." */
    bool slash;    /* it ends in "/" */
    struct stat st;
};
#define COPY_PLACE_INIT                                                                                                            \
    { .dirfd = -1 }
#define _cleanup_copy_place_ _cleanup_(copy_place_release)
void copy_place_release(struct copy_place *p);

/* Finds it below `root`, which is its root directory for links and "..", too. follow: a link at the end stands for its target.
 * -ENOENT, -ENOTDIR (no text): the directory that should hold it is not there; else ret->exists tells. */
int copy_place_find(int root, const char *path, bool follow, struct copy_place *ret);

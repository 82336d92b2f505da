/* The merged files of a container that does not run, mounted nowhere. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct view_request {
    const struct strs *lowers;     /* absolute, top first */
    const char *upper;             /* a further layer on top, never shifted; NULL = none */
    const char *container;         /* the directory that has `upper` and `work` below it; NULL = read-only, without an upper one */
    const char *uid_map, *gid_map; /* texts for uid_map(5): the lower layers are shown with shifted owners; NULL = as they are */
};
/* Returns a descriptor of the detached mount (nothing in it is executed, set-user-id or a device). */
int view_mount(const struct view_request *q, struct error *e);

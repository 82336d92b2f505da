/* A container's files as one tree, whether it runs or not.
 *
 * While it runs: /proc/PID/root of its first process, so its tmpfs and binds are seen. Else: an overlay of its upper directory and
 * its layers that is mounted nowhere (fsmount(2) without move_mount(2)): the kernel itself merges, copies up and hides, nothing of
 * it is visible in any mount namespace, and it is gone with its descriptor, however the process ends.
 *
 * Paths inside are only ever resolved by openat2(2) with the tree as root (fs_open_in_root). */
#pragma once

#include "engine/container.h"

struct container_view {
    int root; /* owned; O_PATH */
    bool live;
};
#define CONTAINER_VIEW_INIT                                                                                                        \
    { .root = -1 }
#define _cleanup_container_view_ _cleanup_(container_view_release)
void container_view_release(struct container_view *v);

enum view_kind {
    VIEW_READ,   /* its own files alone, without what is mounted in it; also while it runs */
    VIEW_SEEN,   /* what it sees itself, to be read: an overlay that could be written to syncs its whole file system at its end */
    VIEW_INSIDE, /* the same; may be written to */
};
int container_view_open(struct engine *engine, const struct container *c, enum view_kind kind, struct container_view *ret,
                        struct error *e);

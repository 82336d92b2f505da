/* The options of a mount as the runtime specification lists them (config.md, "Linux mount options"), sorted by what has to be done
 * with them. Source: mount(8), mount_setattr(2). */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct mount_options {
    uint64_t attr_set; /* MOUNT_ATTR_… of the mount itself */
    uint64_t attr_clear;
    uint64_t tree_set; /* … of everything below it too (rro, rnosuid, …) */
    uint64_t tree_clear;
    uint64_t propagation; /* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, | MS_REC; 0 = the default */
    bool bind;
    bool recursive; /* rbind */
    bool copy_up;   /* tmpcopyup */
    bool remount;   /* changes what is mounted there; what is not named stays as it is */
    bool id_map;    /* idmap, ridmap */
    bool id_map_recursive;
    struct strs data; /* for the file system: "size=64m", "sync" */
};

/* Unknown words are the file system's own. -EINVAL: words that contradict or cannot be done. */
int mount_options_parse(const struct strs *options, struct arena *a, struct mount_options *ret, struct error *e);
/* The i-th option that any file system may have; NULL behind the last. */
const char *mount_option_name(size_t i);

/* The directory that an archive becomes. Every name is split at its slashes and walked component by component with descriptors, no
 * link is ever followed, and what is in the way is unlinked, never written through. The walk keeps the descriptors of the last
 * parent, so that the entries of one directory cost one open each. */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/error.h"

#define TREE_DEPTH_MAX 1000

struct tree_level {
    int fd;
    size_t end; /* length of the path up to here */
    bool opaque;
};

struct tree {
    int root; /* borrowed */
    struct tree_level level[TREE_DEPTH_MAX];
    size_t depth, depth_max;
    bool root_opaque;
    bool keep_kinds;     /* a directory does not take the place of something else */
    char path[PATH_MAX]; /* of the deepest level: "usr/lib" */

    /* Called for each directory that had to be made although no entry named it; may be NULL. */
    int (*implicit)(void *arg, const char *path, struct error *e);
    void *arg;
};

void tree_init(struct tree *t, int root);
void tree_release(struct tree *t);

/* Brings an archive's name into the form "a/b/c" (leading slashes, "." and doubled slashes go). "" is the root itself. -EINVAL:
 * "..", a NUL, a component or path that is too long. `out` has PATH_MAX bytes. */
int tree_normalise(const char *name, char *out, struct error *e);

/* Opens the parent of the normalised path, making what is missing. Gives the descriptor (borrowed, valid until the next call) and
 * the last component (points into path). */
int tree_parent(struct tree *t, const char *path, int *ret_fd, const char **ret_name, struct error *e);

/* Marks the parent that tree_parent() gave last as opaque: one call of the kernel, however often the archive says it. */
int tree_hide_below(struct tree *t, struct error *e);

/* Removes whatever bears the name, so that something new can be made. */
int tree_clear(int dirfd, const char *name, struct error *e);

/* An overlay's whiteout: a character device 0:0. Where the layer lies on an overlay itself, which lets nobody make those: an empty
 * file with an attribute. */
bool tree_is_whiteout(int dirfd, const char *name, const struct stat *st);
/* -EEXIST (no text): something has the name. */
int tree_make_whiteout(int dirfd, const char *name, struct error *e);
int tree_set_opaque(int fd, const char *path, struct error *e);
/* Opens the directory `name`, making it (mode 0755) when there is none; another kind of thing makes room for it. A whiteout in its
 * place means that what lies below is hidden, so the new directory is opaque. */
int tree_open_dir(const struct tree *t, int dirfd, const char *name, bool *ret_made, struct error *e);

/* Looking into a container's file system while nothing is mounted: the upper directory and the image's layers, merged as overlayfs
 * does (whiteouts, opaque directories), one path at a time. Used for what start must know beforehand (passwd, group), for filling
 * volumes, cp into stopped containers, diff.
 *
 * Strangers wrote these trees: every component is opened by descriptor with O_NOFOLLOW; symbolic links are followed inside only, at
 * most 40 of them. */
#pragma once

#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define ROOTFS_LAYERS_MAX 130

/* Opens what `path` (absolute, in the container) names: O_PATH|O_NOFOLLOW of the topmost layer that has it. -ENOENT, -ELOOP,
 * -ENOTDIR. No error text. dirs: absolute paths of the upper directory (if any) and the layers, top first. */
int rootfs_open(const struct strs *dirs, const char *path);
/* Reads a small regular file. -ENOENT when absent or of another kind; -EFBIG. No error text. */
int rootfs_read(const struct strs *dirs, const char *path, size_t max, struct buf *ret);
/* All layers' versions of the directory `path`, top first, as descriptors (O_RDONLY|O_DIRECTORY), owned by the caller. Returns how
 * many; 0 = it is no directory or absent. */
int rootfs_open_dirs(const struct strs *dirs, const char *path, int fds[ROOTFS_LAYERS_MAX]);
/* Does name in dirfd hide what lies below (a whiteout: character device 0:0, or the xattr of an unprivileged one)? */
bool rootfs_is_whiteout(int dirfd, const char *name, const struct stat *st);
/* What `name` is in the merged directory whose versions are parts[0..n), top first. 1: ret_st says; of a directory, its own
 * versions are in ret_fds (the caller's) and *ret_n > 0. 0: nothing, or deleted. */
int rootfs_child(const int *parts, size_t n, const char *name, struct stat *ret_st, int ret_fds[ROOTFS_LAYERS_MAX], size_t *ret_n);
/* Is the directory marked as opaque: nothing of what lies below it is seen? */
bool rootfs_is_opaque(int dirfd);

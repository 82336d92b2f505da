/* Copies a merged directory (its parts in upper and layers) into a real one: for filling volumes, and for roots that are no
 * overlay. */
#pragma once

#include "base/error.h"
#include "base/id_shift.h"

/* parts: open directories, TOP FIRST, without what is mounted below them. `owners`: those in `parts` are a container's, and become
 * the host's. `to`: an open, empty directory that nobody else changes. Owners, modes, times, attributes,
 * links (hard ones among what is copied) and sparse files are kept; device nodes are not copied. The directory itself gets the
 * owner, mode and attributes of the top part. */
int copy_tree_merged(const int *parts, size_t n, int to, const struct id_shift *owners, struct error *e);

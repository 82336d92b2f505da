/* Copies a merged directory (its parts in upper and layers) into a real one: for filling volumes. */
#pragma once

#include "base/error.h"

/* parts: open directories, TOP FIRST. `to`: an open, empty directory that nobody else changes. Owners, modes, times, attributes,
 * links (hard ones among what is copied) and sparse files are kept; device nodes are not copied. The directory itself gets the
 * owner, mode and attributes of the top part. */
int copy_tree_merged(const int *parts, size_t n, int to, struct error *e);

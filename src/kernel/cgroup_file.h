/* Reading and writing control files: small texts, each write one system call. Internal to the cgroup files. */
#pragma once

#include "kernel/cgroup.h"

#define CGROUP_TEXT_MAX 4096 /* of a control file; memory.stat is the longest, about 2 kB */

/* Opens a group's directory (O_PATH). Negative errno, no text. */
int cgroup_open_dir(const char *dir);
/* O_PATH descriptor of a group in the hierarchy of that index. */
int cgroup_open_group(const struct cgroup_layout *layout, int hierarchy, const char *path);
/* Reads `file` in dirfd, cut off at CGROUP_TEXT_MAX - 1 bytes. Negative errno, no text. */
int cgroup_read(int dirfd, const char *file, char text[CGROUP_TEXT_MAX]);
/* Writes `value` by one write(2). Negative errno, no text. */
int cgroup_write(int dirfd, const char *file, const char *value);
/* The number behind "key " at the start of a line; false when there is none. */
bool cgroup_find_number(const char *text, const char *key, uint64_t *ret);

/* Writes simple archives (POSIX ustar): regular files and directories with short names, times zero, owner root, so that the same
 * content gives the same bytes. For the archives of `save`; layers of `commit` come from elsewhere. */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct tar_writer {
    int fd; /* borrowed; a file, pipe or socket */
};

int tar_write_dir(struct tar_writer *t, const char *name, struct error *e);
int tar_write_data(struct tar_writer *t, const char *name, const void *p, size_t n, struct error *e);
/* Copies `size` bytes from the start of `from`. */
int tar_write_file(struct tar_writer *t, const char *name, int from, uint64_t size, struct error *e);
int tar_write_end(struct tar_writer *t, struct error *e);

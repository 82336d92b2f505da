/* One regular file from one directory into another, by descriptors: no archive is made, none is read, and its content does not pass
 * through any process. Private to copy.c. */
#pragma once

#include "engine/copy_path.h"
#include "engine/tar_stream.h"

/* `from` becomes `name` in dirfd, whatever had that name but a directory (-EISDIR "cannot overwrite …"). Nothing is followed, and
 * nothing but a regular file is read, whoever changes the names meanwhile. Mode, time, holes and attributes are the source's.
 * `as`: which owner it has (tar_stream.h); NULL = us. `owners`: that is an id inside of a container (NULL: the host's).
 * ret_bytes: what the archive of it would be, as docker cp reports it. After an error there is no file of that name. */
int copy_file_over(const struct copy_place *from, int dirfd, const char *name, const struct tar_stream *as,
                   const struct id_shift *owners, uint64_t *ret_bytes, struct error *e);

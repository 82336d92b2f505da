/* Unpacking an archive into a directory that exists and has an owner: cp. The archive is read by the confined worker, which is
 * locked into the directory: names that lead out, links in the way and devices are its business (security D9, D10), and none of
 * them can touch anything else. */
#pragma once

#include "image/worker.h"

enum unpack_flag {
    UNPACK_OWNERS = 1 << 0,     /* files belong to whom the archive says; else all to us */
    UNPACK_COMPRESSED = 1 << 1, /* it may be compressed: another worker inflates it */
    UNPACK_NOBODY = 1 << 2,     /* that one can become nobody: every id is mapped */
};

struct unpacking {
    struct worker inflate, unpack;
};
#define UNPACKING_INIT                                                                                                             \
    { .inflate = WORKER_INIT, .unpack = WORKER_INIT }

/* Starts it; both descriptors are borrowed. The caller may feed `fd` meanwhile. `owners`: the archive's ids are those inside of a
 * container (NULL: the host's). */
int unpack_into_begin(struct unpacking *u, int fd, int dir, unsigned flags, const struct id_shift *owners, struct error *e);
/* Waits for the end. A directory is never replaced by something else, nor the other way round: "cannot overwrite …". */
int unpack_into_finish(struct unpacking *u, struct error *e);

/* What a monitor (or an exec worker) is told at its start, as one flat blob: a versioned header and tagged fields. A field that the
 * reader does not know is passed over, one that is missing keeps its default: monitor and command may differ by a version. The blob
 * is also kept in the run directory (`launch`), for restarts and for a monitor that takes over from a killed one. */
#pragma once

#include "base/buf.h"
#include "runtime/monitor_client.h"

#define LAUNCH_FILE     "launch"
#define LAUNCH_SIZE_MAX ((size_t)8 << 20)

enum launch_role { LAUNCH_CONTAINER = 1, LAUNCH_EXEC = 2 };

/* The descriptors that go beside the blob, in this order; -1 is left out and marked so in the blob. */
enum launch_fd {
    LAUNCH_FD_CONTAINER,
    LAUNCH_FD_RUN,
    LAUNCH_FD_ROOT,
    LAUNCH_FD_RUN_ROOT,
    LAUNCH_FD_EXPLAIN,
    LAUNCH_FD_HOLDER,
    LAUNCH_FDS
};

void launch_encode(const struct monitor_launch *l, struct buf *out);
void launch_encode_exec(const struct monitor_exec *x, struct buf *out);
/* Which of the two it is; -EPROTO. */
int launch_role(const void *p, size_t n);
/* Decodes; strings and plans point into the blob (8-byte aligned). Descriptors are not part of it (-1). -EPROTO. */
int launch_decode(const void *p, size_t n, struct monitor_launch *ret);
int launch_decode_exec(const void *p, size_t n, struct monitor_exec *ret);
/* The descriptors that go beside it: which of LAUNCH_FDS are present, as a bit mask (part of the blob's header). */
uint32_t launch_fd_mask(const void *p, size_t n);
/* Marks the blob as going together with these descriptors, -1 = not there. */
void launch_set_fds(struct buf *blob, const int fds[LAUNCH_FDS]);

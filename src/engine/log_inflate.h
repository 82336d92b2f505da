/* Log files that were compressed, for reading: log_query's inflate. */
#pragma once

#include "base/error.h"

/* The plain bytes of the gzip file `fd` as a file without a name in the same directory; arg: the struct engine. The confined worker
 * reads the gzip file. */
int log_inflate(int dirfd, int fd, void *arg, struct error *e);

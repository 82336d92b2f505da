/* The monitor's words to tare-net (model/holder.h), and the sockets that names are answered at. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "model/holder.h"

/* Never waits. Negative errno: tare-net is gone. */
int holder_send(int holder_fd, enum holder_word word, const int *fds, size_t n);
/* Makes the resolver's sockets in the network namespace of process `pid`: at 127.0.0.11 and a high port, with port 53 of that
 * address translated to it, since the container may serve DNS itself. By a child for a moment: the caller stays where it is. May be
 * done again in the same namespace. *ret: the caller's. */
int names_open(pid_t pid, int ret[HOLDER_NAMES_FDS], struct error *e);

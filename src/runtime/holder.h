/* The monitor's words to tare-net (model/holder.h), and the sockets that names are answered at. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "model/holder.h"

/* Never waits. Negative errno: tare-net is gone. */
int holder_send(int holder_fd, enum holder_word word, const int *fds, size_t n);
/* Makes the resolver's sockets in the network namespace of process `pid` and hands them to tare-net: at 127.0.0.11 and a high port,
 * with port 53 of that address translated to it, since the container may serve DNS itself. In a short-lived child: the caller stays
 * where it is. May be done again in the same namespace. */
int holder_open_names(int holder_fd, pid_t pid, struct error *e);

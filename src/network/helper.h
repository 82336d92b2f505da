/* Starting tare-net, in one of its roles: argv[1] says which. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "model/holder.h"

#define HELPER_PROGRAM HOLDER_PROGRAM

/* Starts it with these descriptors as 3, 4, … and nothing else but /dev/null, an empty environment, in a session of its own; with
 * `netns_fd` (-1: ours) in that network namespace. It is nobody's to wait for once its starter has ended. Returns the pid. */
pid_t helper_start(char *const argv[], const int *fds, size_t n, int netns_fd, struct error *e);

/* Resource limits by the names of the runtime specification ("RLIMIT_NOFILE"). Source: prlimit(2). */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* The kernel's number; -EINVAL names the limit. */
int rlimit_number(const char *name, struct error *e);
/* So that the process can set them itself; what it has beyond them stays. */
int rlimit_raise(pid_t pid, const char *name, uint64_t soft, uint64_t hard, struct error *e);
/* pid 0: the caller. -EPERM: above the hard limit, without the right to raise it. */
int rlimit_set(pid_t pid, const char *name, uint64_t soft, uint64_t hard, struct error *e);

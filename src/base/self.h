/* The other programs of this installation (tare-monitor, tare-fetch, tare-unpack): beside the running one in a build tree, in
 * ../libexec/tare once installed. PATH is never searched. */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "base/error.h"

#define SELF_PATH_MAX (PATH_MAX + NAME_MAX)

/* All 64 signals to their defaults, also those that a C library keeps to itself and so would stay ignored. Only system calls. */
void self_reset_signals(void);
/* What is read-only once the program is relocated (RELRO) is made so: musl's start of a static program leaves that out. */
void self_seal(void);
/* Opens the program O_PATH|O_CLOEXEC for execveat(2); `name` without a slash. -ENOENT. */
int self_open_program(const char *name, struct error *e);
/* For a process that lives longer than an installation: from now on the program of this name is the one that is there now, whatever
 * is installed meanwhile. One name; errors as above. */
int self_keep_program(const char *name, struct error *e);
/* Its path, for a process that cannot ask for its own (the monitor runs from a detached mount); "" when there is none. */
void self_program_path(const char *name, char path[SELF_PATH_MAX]);
#define SELF_FDS_MAX  8
#define SELF_FIRST_FD 3
/* Starts a program (as opened above) with these descriptors as 3, 4, … and nothing else but /dev/null, an empty environment, in a
 * session of its own; with `netns_fd` (-1: ours) in that network namespace. Returns its pid. */
pid_t self_start(int program_fd, char *const argv[], const int *fds, size_t n, int netns_fd, struct error *e);

/* --network pasta: a network namespace that pasta(1) alone connects, for one container of an ordinary user. */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/roots.h"

struct pasta_network {
    int holder_fd; /* owned: pasta ends when this is closed and the container's journal is gone (see keeper_pasta()) */
    pid_t pid;     /* a process in the namespace, as long as the container lives */
};

/* Makes the namespace and starts pasta, with the ports (struct published_port, whose sockets are closed here: pasta binds them).
 * `run_dirfd`: the container's run directory. -ENOENT: pasta is not installed. */
int pasta_start(const struct list *ports, const char *cgroup, int run_dirfd, struct arena *a, struct pasta_network *ret,
                struct error *e);

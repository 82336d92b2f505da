/* Networks that a container joins or leaves after it was created, running or not. */
#pragma once

#include "engine/container.h"

struct connect_request {
    const char *network;  /* name, id or prefix */
    const char *ip, *ip6; /* NULL = chosen */
    struct strs aliases;  /* further names there */
    struct strs link_local;
    struct map driver_opts;
    int64_t gw_priority; /* of all its networks, the highest has the default route */
};
/* -EEXIST: it is on that network; -EPERM: it shares somebody's network namespace, or has none. Recorded, so that later starts
 * attach it as well, those by its monitor included. */
int container_connect(struct engine *engine, struct container *c, const struct connect_request *q, struct arena *a,
                      struct error *e);
/* -ENOENT: it is not on that network. `force`: also when the network is gone. */
int container_disconnect(struct engine *engine, struct container *c, const char *network, bool force, struct arena *a,
                         struct error *e);

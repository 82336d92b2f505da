/* Making, listing, inspecting and removing networks: what `tare network …` and the API do. */
#pragma once

#include "network/store.h"

struct network_create_request {
    const char *name;
    const char *driver; /* NULL = bridge; bridge, macvlan, ipvlan */
    struct strs subnets, ranges, gateways;
    struct map auxiliary; /* name -> address, put with the subnet that has it */
    struct map options, labels;
    struct opt_bool ipv4, ipv6; /* not set: both, as far as the host has them */
    bool internal, attachable;
};

/* -EEXIST: the name is taken; -EINVAL: an option is wrong (named); -EADDRINUSE: a subnet overlaps something (named). *ret lives in
 * the arena. The bridge is made when the first container is attached. */
int network_create(const struct roots *roots, const struct network_create_request *request, struct arena *a, struct network *ret,
                   struct error *e);
/* -EBUSY: containers are attached (named); -EPERM: the network is one of the three that always exist. */
int network_remove(const struct roots *roots, const char *name_or_id, struct error *e);
/* As network_open(), and knows `host` and `none`; fills in the containers that are attached. */
int network_inspect(const struct roots *roots, const char *name_or_id, struct arena *a, struct network *ret, struct error *e);
/* All networks as inspect shows them, `bridge`, `host` and `none` included whether they have a file or not; sorted by name. */
int network_all(const struct roots *roots, struct arena *a, struct list *ret, struct error *e);
bool network_is_predefined(const char *name); /* bridge, host, none */
/* Has no containers attached and is none of the predefined: what prune removes. */
bool network_is_dangling(const struct network *n);

/* Puts back bridges and the packet filter's table, whatever is there of them now. NULL: all networks that are in use. */
int network_reload(const struct roots *roots, const char *name_or_id, struct error *e);

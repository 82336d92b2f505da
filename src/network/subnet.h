/* Choosing subnets: the first of the pools that collides with nothing the host knows (addresses, routes of every table, name
 * servers) and with no other network of these roots. */
#pragma once

#include "base/arena.h"
#include "model/ip.h"

/* What may not be overlapped, and who has it: for the message. */
struct subnet_use {
    struct ip_prefix prefix;
    const char *what; /* "the route", "network web", "the host's name server" */
    unsigned index;   /* of the interface that has it; 0: none */
};
/* "the route of interface wg0". The name is only looked up here: hosts have hundreds of routes, and few conflicts. */
const char *subnet_use_text(const struct subnet_use *use, struct arena *a);

/* Appends to `uses` (struct subnet_use): routes and addresses of the host except those of interface `except_index` (0: none), and
 * the name servers of `resolv_conf` (its text; NULL: none). */
int subnet_host_uses(struct arena *a, unsigned except_index, const char *resolv_conf, struct list *uses, struct error *e);
/* The first use that the prefix overlaps; NULL when it is free. Pure. */
const struct subnet_use *subnet_conflict(const struct list *uses, const struct ip_prefix *prefix);
/* The first free subnet of the pools (Docker's: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 to …240.0/20). Pure.
 * -EADDRNOTAVAIL. */
int subnet_choose(const struct list *uses, struct ip_prefix *ret, struct error *e);
/* A /64 of the unique local kind (RFC 4193) from a network's id, whose digits are random. */
struct ip_prefix subnet_unique_local(const char *id);

/* Addresses in use: <run_root>/leases/<network>/<address>, a symbolic link whose target is the owner's record (one system call
 * makes or reads it, and making fails when it is there: no moment in which it is half written).
 *
 * A lease whose owner has neither a run directory nor a pending operation is a dead owner's, and free. One whose owner's monitor
 * has died is not: the container may live on; healing decides, by undoing the owner's journal, which removes the lease. */
#pragma once

#include "base/arena.h"
#include "base/roots.h"
#include "model/ip.h"

struct lease_owner {
    const char *container_id, *container_name, *ifname, *endpoint_id;
    const char *mac;        /* text */
    const char *ip, *ip6;   /* both of the container's addresses on this network, with prefix length; "" = none */
    const char *link_local; /* further addresses, separated by commas; "" = none */
    struct strs aliases;
};

/* Opens (making it) the directory of a network's leases. */
int lease_open_dir(const struct roots *roots, const char *network, struct error *e);
/* Takes one address. -EADDRINUSE: a living owner has it (named in e). The owner's own lease is taken over. `like` (NULL: none) is
 * the owner's lease of the other family, already taken: the same record under a second name. */
int lease_take(const struct roots *roots, int dirfd, const struct ip_address *address, const struct lease_owner *owner,
               const struct ip_address *like, struct error *e);
int lease_free(int dirfd, const struct ip_address *address, struct error *e);
/* Where the search for a free address goes on: behind the last one given, so that addresses rest before they return. */
uint64_t lease_cursor(int dirfd, uint64_t next, bool write);

struct lease {
    struct ip_address address;
    struct lease_owner owner;
};
/* All leases of a network (struct lease), unordered. An absent directory is an empty list. */
int lease_list(const struct roots *roots, const char *network, struct arena *a, struct list *ret, struct error *e);
/* Gives back what the owner has in any network and `but` (a journal's text; it names paths) does not name: for the owner's healer.
 */
void lease_forget(const struct roots *roots, const char *container_id, const char *but);
/* The same for the links of one directory of the run root, whose text begins with the id and the separator. */
void lease_forget_in(const struct roots *roots, const char *directory, char separator, const char *container_id, const char *but);
/* Whether the owner has a run directory or a pending operation. */
bool lease_owner_exists(const struct roots *roots, const char *container_id);

/* The second table of these roots, of family bridge and the same name: a container's port takes only frames that come from the
 * container's own MAC and addresses. A process in it that may open packet sockets (CAP_NET_RAW is Docker's default) can so neither
 * pose as a neighbour or the gateway, nor draw their traffic by forged ARP or neighbour advertisements, nor announce itself as a
 * router.
 *
 *   ports     the checked ports: what comes from elsewhere (the host's own, somebody's interface plugged into the bridge) passes
 *   source4   port . MAC . IPv4 address
 *   source6   port . MAC . IPv6 address, its link-local one and :: (duplicate address detection) among them
 *
 * Only IPv4, ARP and IPv6 pass. Needs the kernel's NF_TABLES_BRIDGE, which every distribution has on; without it containers run all
 * the same (FIREWALL_UNCHECKED), and it is said: with a warning when a network is brought up, and by `tare network explain`. */
#pragma once

#include "base/arena.h"
#include "kernel/link.h"
#include "kernel/nft.h"
#include "network/lease.h"

/* Adds table, sets, chain and rules to a transaction. */
void source_filter_build(struct netlink_batch *b, const char *table, const char *comment);
/* What nft_table_look() must find: a look with the numbers that are wanted. */
struct nft_look source_filter_whole(const char *comment);
/* The elements of one container's port (struct nft_element), appended; none for what is no port of a bridge or has LINK_PINNED not
 * set. */
void source_filter_elements(const struct link *l, struct arena *a, struct list *ret);
/* The same by a lease; none for the second lease of a pair. `checked`: the network's ports are (network_port_flags()). */
void source_filter_lease(const struct lease *lease, uint32_t flags, struct arena *a, struct list *ret);

/* Networks of an ordinary user: one network namespace of his, in his user namespace, that has what the host's has for root: bridges
 * and the packet filter's table, by the same code (kernel/netns.h leads it there). A small process, the keeper (tare-net in the
 * role `keep`), holds it for as long as containers have addresses in it, and keeps pasta(1) or slirp4netns(1) running between it
 * and the world.
 *
 *   <run_root>/netns         the namespace (a bind mount, in the user's mount namespace only)
 *   <run_root>/netns.keeper  whose record lock the keeper holds
 *
 * Published ports: sockets in the host's namespace, from which tare-net relays into the user's with the client's own address as
 * the source, as far as the kernel lets it be one (not 127.0.0.0/8 and ::1). */
#pragma once

#include "base/roots.h"

#define NETNS_FILE   "netns"
#define NETNS_KEEPER "netns.keeper"
#define NETNS_LOCK   "namespace.lock" /* shared: somebody starts a container; the keeper ends under the exclusive lock only */
#define UPLINK       "uplink0"        /* the interface that pasta or slirp4netns makes */
#define ROOTLESS_MTU 65520U           /* of bridges: larger packets, fewer passes through pasta */
#define MARK_OUT     0x7461U          /* on a relay's packets with a foreign source; on what comes back to them */
#define MARK_BACK    0x7462U

/* Has everything about networks happen in the user's namespace from now on. As root of the host it does nothing. `make`: the
 * namespace and its keeper are made when they are not there; otherwise networks are absent then (NETNS_ABSENT). */
int rootless_network_use(const struct roots *roots, bool make, struct error *e);
/* For `system reset`: ends the keeper; pasta and the namespace go with it. */
int rootless_network_end(const struct roots *roots, struct error *e);

/* The packet filter's table of these roots, `inet tare<tag>` (beside it one of family bridge: source_filter.h): fixed chains and
 * rules, and sets and maps that say for which bridges and ports they hold. No other table is ever touched.
 *
 *   guard       what comes from a wire for 127.0.0.0/8 is dropped before any translation: a port published on a loopback address
 *               cannot be reached from elsewhere
 *   inward, inward_local   published ports: from the network, and from the host itself
 *   outward     containers go out under the host's address; a container reaches its own published port; so does 127.0.0.1
 *   forward     to containers: answers, published ports, neighbours of the same network; nothing else, but where a network is made
 *               so (gateway modes `routed`: published ports at the container's own address; `nat-unprotected`: all). Interfaces on
 * which only tare switched forwarding on route for nobody else relay_out, relay_back   in an ordinary user's namespace: answers to
 * a published port's client find the relay
 *
 * Rule text as nft(8) shows it: `tare network explain`. */
#pragma once

#include "base/roots.h"
#include "kernel/nft.h"
#include "model/ip.h"

#define FIREWALL_TABLE_MAX 24
void firewall_table_name(const struct roots *roots, char name[FIREWALL_TABLE_MAX]);

struct firewall_bridge {
    const char *name;
    bool internal;                   /* no way out or in */
    bool masquerade4, masquerade6;   /* goes out under the host's address */
    bool unprotected4, unprotected6; /* every port of its containers is reached from everywhere */
    bool icc;                        /* containers of the network reach each other */
};

enum firewall_state {
    FIREWALL_BROKEN,    /* not there, flushed, or made by another version of tare */
    FIREWALL_WHOLE,     /* all chains and rules */
    FIREWALL_UNCHECKED, /* the same without the check of sources: this kernel has no tables of family bridge */
};
/* One request, tens of µs; two where sources are not checked. */
enum firewall_state firewall_look(const struct roots *roots);
/* Begins a transaction that makes the tables anew, whatever is there of them, with or without the check of sources; the caller adds
 * elements and calls nft_commit(). -EOPNOTSUPP from there: the kernel has no tables of family bridge (or none at all). */
void firewall_build(struct netlink_batch *b, const char *table, bool rootless, bool checked);
void firewall_add_bridge(struct netlink_batch *b, const char *table, const struct firewall_bridge *bridge);
/* An interface on which tare switched forwarding on. */
void firewall_add_opened(struct netlink_batch *b, const char *table, const char *ifname);
int firewall_remove(const struct roots *roots, struct error *e);

/* The map's element for a published port: host_ip IP_NONE = every address of the host (of the target's family); host_ip = target:
 * it is reached there, untranslated. protocol: IPPROTO_… */
void firewall_port_element(uint8_t protocol, const struct ip_address *host_ip, uint16_t host_port, const struct ip_address *target,
                           uint16_t target_port, struct nft_element *ret);

/* The files of networks and what follows from one: its bridge's name, its options. */
#pragma once

#include "network/network.h"

#define NETWORKS_MAX 4096 /* of one root */

/* Every network with a file (struct network), sorted by name. Damaged files are passed over and named in *ret_damaged (NULL
 * allowed). */
int network_list(const struct roots *roots, struct arena *a, struct list *ret, struct strs *ret_damaged, struct error *e);
/* Writes a network's file: a new one (-EEXIST: the name is taken) or in place of the old one. */
int network_write(const struct roots *roots, const struct network *n, bool replace, struct error *e);
int network_read(const struct roots *roots, const char *name, struct arena *a, struct network *ret, struct error *e);
/* The lock under which networks are made, removed and put back: <run_root>/network.lock. Returns its descriptor. */
int network_lock(const struct roots *roots, struct error *e);

/* The link that a bridge network is: option com.docker.network.bridge.name, or a name from the id. */
const char *network_bridge(const struct network *n, struct arena *a);
const char *network_option(const struct network *n, const char *key); /* NULL when absent */
bool network_option_is(const struct network *n, const char *key, bool otherwise);
/* What the user asked for; else 0, the kernel's default, or an ordinary user's (ROOTLESS_MTU). */
uint32_t network_mtu(const struct roots *roots, const struct network *n);
bool network_is_bridge(const struct network *n);

/* How the addresses of one family stand to the world. */
enum gateway_mode {
    GATEWAY_NAT,         /* out under the host's address, in by published ports */
    GATEWAY_UNPROTECTED, /* the same, and every port is reached at the container's own address */
    GATEWAY_ROUTED,      /* nothing is translated; published ports are reached at the container's own address */
    GATEWAY_ISOLATED,    /* the bridge has no address: not even the host is reached (internal networks) */
};
int gateway_mode_parse(const char *text, enum gateway_mode *ret); /* -EINVAL */
enum gateway_mode network_gateway_mode(const struct network *n, enum ip_family family);

/* The network's subnet of one family with its gateway (IP_NONE: none); false when it has none. */
struct subnet_plan {
    struct ip_prefix subnet;
    struct ip_prefix range; /* addresses are chosen from it */
    struct ip_address gateway;
    const struct map *auxiliary;
};
bool network_subnet(const struct network *n, enum ip_family family, struct subnet_plan *ret);

#define OPTION_MASQUERADE   "com.docker.network.bridge.enable_ip_masquerade"
#define OPTION_IFACE_PREFIX "com.docker.network.container_iface_prefix"
#define OPTION_ICC          "com.docker.network.bridge.enable_icc"
#define OPTION_HOST_BINDING "com.docker.network.bridge.host_binding_ipv4"
#define OPTION_GATEWAY_MODE "com.docker.network.bridge.gateway_mode_ipv" /* 4 or 6 */
#define OPTION_INHIBIT_IPV4 "com.docker.network.bridge.inhibit_ipv4"
#define OPTION_SOURCE_CHECK "tare.network.source_check"
#define OPTION_PUBLISH_MODE "tare.network.publish_mode"
/* The host's end of the pair of a container with this address (IPv4 where it has both), and how its bridge port is set. */
void network_host_link(const struct ip_address *a, char name[IF_NAMESIZE]);
uint32_t network_port_flags(const struct network *n);
/* Adds the default routes of the families that the link has addresses of the network in; none where it is internal. */
void network_default_routes(const struct network *n, struct link *l);
/* The interface has no IPv6 address that was given to it, so IPv6 is off on it. */
bool network_no_ipv6(const struct link *l);

/* Puts back what `n` needs on the host: bridge, addresses, its running containers' ports, the table with all networks' bridges,
 * forwarding. */
int network_restore(const struct roots *roots, struct network *n, struct arena *a, struct error *e);
/* The default network, made when it is not there. */
int network_make_default(const struct roots *roots, struct arena *a, struct network *ret, struct error *e);
/* Fills in subnets that nobody chose and checks those that somebody did against the host and the other networks. */
int network_plan_subnets(const struct roots *roots, struct network *n, struct arena *a, struct error *e);
/* Has interfaces that came since the table was made forward as well: a port that is published answers on all of them. Reads the
 * list of addresses; no more when nothing is new. */
int network_open_uplinks(const struct roots *roots, bool ipv6, struct arena *a, struct error *e);
/* Deletes a bridge that no network uses any more, and takes it out of the table. The caller holds network_lock(). */
int network_forget_bridge(const struct roots *roots, const char *bridge, struct error *e);

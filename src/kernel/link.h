/* Network interfaces by rtnetlink: what a container's interface is, made in two halves.
 *
 *   parent  link_create()     in the host's network namespace: makes the pair (or macvlan, ipvlan) with the far end put straight
 * into the child's namespace, so that it dies with that namespace and nothing is left to delete child   link_configure()  inside:
 * loopback up, addresses, up, routes, all in one system call
 *
 * `struct link` holds no pointers: it may be copied into a plan as it is. Nothing here needs more than base and model/ip, so the
 * monitor can link it. All functions return 0 or a negative errno, described in e.
 * Sources: rtnetlink(7), linux/if_link.h, linux/veth.h. */
#pragma once

#include <net/if.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/ip.h"

#define LINKS_MAX          64 /* of one container */
#define LINK_ADDRESSES_MAX 4
#define LINK_ROUTES_MAX    8

enum link_kind {
    LINK_VETH,    /* a pair: host_name in the host, plugged into bridge `parent` unless that is empty */
    LINK_MACVLAN, /* on the host's interface `parent` */
    LINK_IPVLAN,
    LINK_DUMMY, /* leads nowhere: an internal macvlan network without a parent */
};

enum link_flag {
    LINK_ISOLATED = 1 << 0, /* bridge port: no traffic to other isolated ports (inter-container communication off) */
    LINK_PINNED = 1 << 1,   /* bridge port: only frames from the interface's own MAC are taken (5.18; skipped on older kernels) */
    LINK_NO_IPV6 = 1 << 2,  /* inside: disable_ipv6 on this interface */
};

struct link_route {
    struct ip_prefix to;       /* length 0 and family set: the default route */
    struct ip_address gateway; /* IP_NONE: directly on the link */
    uint32_t metric;           /* 0 = the kernel's default */
};

struct link {
    uint8_t kind; /* enum link_kind */
    uint8_t mode; /* macvlan: MACVLAN_MODE_…; ipvlan: IPVLAN_MODE_… */
    uint8_t mac[MAC_SIZE];
    uint32_t flags;              /* enum link_flag */
    uint32_t mtu;                /* bytes; 0 = the kernel's default */
    char name[IF_NAMESIZE];      /* inside the container ("eth0") */
    char host_name[IF_NAMESIZE]; /* the host's end of a pair */
    char parent[IF_NAMESIZE];    /* bridge, or parent interface; "" = none */
    uint8_t n_addresses, n_routes;
    struct ip_prefix addresses[LINK_ADDRESSES_MAX]; /* address with prefix length */
    struct link_route routes[LINK_ROUTES_MAX];
};

/* PARENT. `netns_fd` is the child's network namespace (/proc/PID/ns/net); with -1, `netns_pid` names a process in it (one that
 * cannot have been reaped: the caller's own child). -EEXIST: host_name is taken. */
int link_create(const struct link *l, int netns_fd, pid_t netns_pid, struct error *e);
/* CHILD. Brings loopback up and configures `n` links (0 is allowed) that link_create() has put into the calling process's network
 * namespace. Needs CAP_NET_ADMIN there, and /proc/sys/net for IPv6 (duplicate address detection and router advertisements off);
 * where that is not mounted these two stay at the kernel's default. */
int link_configure(const struct link *v, size_t n, struct error *e);
/* One line for --explain: "veth eth0 172.17.0.2/16 gateway 172.17.0.1 at bridge tare0". */
void link_describe(const struct link *l, struct buf *out);

/* Removes a link of the host; absent is success. Takes 10 to 40 ms: never on the way of a container's end (the far namespace's end
 * removes the pair). For journals that must undo a half-made start, and for bridges. */
int link_delete(const char *name, struct error *e);
int link_rename(const char *name, const char *to, struct error *e); /* the link must be down on kernels before 6.2 */
int link_set_up(const char *name, struct error *e);
/* Plugs the host's end of a pair that is there into its bridge (again), with a port's settings. -ENODEV: one of the two is gone. */
int link_plug(const struct link *l, struct error *e);
int link_set_netns(const char *name, int netns_fd, struct error *e);

/* Moves an interface of the host into the network namespace of a process, as `to`, which may end in %d for a free number, with its
 * permanent addresses of global scope, and brings it up. -EEXIST: that name is taken in there. */
int link_move(const char *name, const char *to, pid_t pid, struct error *e);

/* Index of a link by one ioctl; 0 when there is none. And its name; false when there is none. */
unsigned link_index(const char *name);
bool link_name(unsigned index, char name[IF_NAMESIZE]);

struct link_bridge {
    char name[IF_NAMESIZE];
    uint8_t mac[MAC_SIZE];
    uint32_t mtu; /* 0 = 1500 */
    uint8_t n_addresses;
    struct ip_prefix addresses[LINK_ADDRESSES_MAX];
};
/* Makes the bridge (or takes the one that is there), gives it its addresses, brings it up. -EEXIST: a link of that name is no
 * bridge. */
int link_bridge_create(const struct link_bridge *b, struct error *e);

struct link_address_info {
    unsigned index;
    struct ip_prefix prefix;
};
struct link_route_info {
    unsigned index; /* of the outgoing link; 0 = several or none */
    uint32_t table;
    uint8_t type; /* RTN_UNICAST, … */
    struct ip_prefix to;
    struct ip_address gateway;
};
/* Dumps; only for choosing subnets and for explaining, never on the way of a start. fn's non-zero return ends the walk. */
int link_each_address(int (*fn)(const struct link_address_info *, void *arg), void *arg, struct error *e);
int link_each_route(int (*fn)(const struct link_route_info *, void *arg), void *arg, struct error *e);

#include "kernel/link.h"

#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/sys.h"

static uint8_t socket_family(uint8_t family) {
    return family == IP_V6 ? AF_INET6 : AF_INET;
}

/* The whole life of most functions here: one batch, its answers, the socket closed. */
static int talk(struct netlink_batch *b, uint32_t *ret_failed, struct error *e) {
    _cleanup_fd_ int fd = netlink_open(NETLINK_ROUTE, e);

    return fd < 0 ? fd : netlink_transact(fd, b, NULL, NULL, ret_failed, e);
}

unsigned link_index(const char *name) {
    _cleanup_fd_ int fd = netns_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return fd >= 0 && sys_ioctl(fd, SIOCGIFINDEX, &request) == 0 ? (unsigned)request.ifr_ifindex : 0;
}

bool link_name(unsigned index, char name[IF_NAMESIZE]) {
    _cleanup_fd_ int fd = netns_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_ifindex = (int)index};

    if (fd < 0 || sys_ioctl(fd, SIOCGIFNAME, &request) < 0)
        return false;
    memcpy(name, request.ifr_name, IF_NAMESIZE);
    return true;
}

/* --- the parent's half -------------------------------------------------------------------------------------------------------- */

static void add_netns(struct netlink_batch *b, int netns_fd, pid_t netns_pid) {
    if (netns_fd >= 0)
        netlink_attr_u32(b, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    else
        netlink_attr_u32(b, IFLA_NET_NS_PID, (uint32_t)netns_pid);
}

/* One queue each: a pair takes no locks to send, so more would only cost time to make (the default is one for every processor). */
static void add_queues(struct netlink_batch *b) {
    netlink_attr_u32(b, IFLA_NUM_TX_QUEUES, 1);
    netlink_attr_u32(b, IFLA_NUM_RX_QUEUES, 1);
}

/* What every container-side end carries, whatever its kind. */
static void add_far_end(struct netlink_batch *b, const struct link *l, int netns_fd, pid_t netns_pid) {
    static const uint8_t none[MAC_SIZE];

    netlink_attr_str(b, IFLA_IFNAME, l->name);
    add_queues(b);
    if (memcmp(l->mac, none, MAC_SIZE) != 0 && l->kind != LINK_IPVLAN)
        netlink_attr(b, IFLA_ADDRESS, l->mac, MAC_SIZE);
    if (l->mtu)
        netlink_attr_u32(b, IFLA_MTU, l->mtu);
    add_netns(b, netns_fd, netns_pid);
}

/* The pair in one request: the near end named and in its bridge, the far end in the other namespace. It comes up later, when it is
 * set up as a port. */
static void build_veth(struct netlink_batch *b, const struct link *l, unsigned bridge, int netns_fd, pid_t netns_pid) {
    struct ifinfomsg near = {.ifi_family = AF_UNSPEC}, far = {.ifi_family = AF_UNSPEC};

    netlink_message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &near, sizeof(near));
    netlink_attr_str(b, IFLA_IFNAME, l->host_name);
    add_queues(b);
    if (l->mtu)
        netlink_attr_u32(b, IFLA_MTU, l->mtu);
    if (bridge)
        netlink_attr_u32(b, IFLA_MASTER, bridge);
    netlink_nest(b, IFLA_LINKINFO);
    netlink_attr_str(b, IFLA_INFO_KIND, "veth");
    netlink_nest(b, IFLA_INFO_DATA);
    netlink_nest(b, VETH_INFO_PEER);
    netlink_raw(b, &far, sizeof(far));
    add_far_end(b, l, netns_fd, netns_pid);
    netlink_nest_end(b);
    netlink_nest_end(b);
    netlink_nest_end(b);
}

static void build_single(struct netlink_batch *b, const struct link *l, unsigned parent, int netns_fd, pid_t netns_pid) {
    static const char *const kinds[] = {[LINK_MACVLAN] = "macvlan", [LINK_IPVLAN] = "ipvlan", [LINK_DUMMY] = "dummy"};
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

    netlink_message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &header, sizeof(header));
    add_far_end(b, l, netns_fd, netns_pid);
    if (parent)
        netlink_attr_u32(b, IFLA_LINK, parent);
    netlink_nest(b, IFLA_LINKINFO);
    netlink_attr_str(b, IFLA_INFO_KIND, kinds[l->kind]);
    if (l->kind != LINK_DUMMY) {
        netlink_nest(b, IFLA_INFO_DATA);
        if (l->kind == LINK_MACVLAN)
            netlink_attr_u32(b, IFLA_MACVLAN_MODE, l->mode);
        else
            netlink_attr_u16(b, IFLA_IPVLAN_MODE, l->mode);
        netlink_nest_end(b);
    }
    netlink_nest_end(b);
}

/* Settings of a bridge port cannot travel in the request that makes it (the kernel takes IFLA_INFO_SLAVE_DATA only for what already
 * is a port), nor can an entry of the bridge's table, which wants the port's index: so this is a second batch. */
static void build_port(struct netlink_batch *b, const struct link *l, unsigned index, bool pinned) {
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    netlink_message(b, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
    /* A port is no host: without addresses of its own it starts no duplicate address detection either. */
    if (sys_faccessat2(AT_FDCWD, "/proc/sys/net/ipv6", F_OK, 0) == 0) {
        netlink_nest(b, IFLA_AF_SPEC);
        netlink_nest(b, AF_INET6);
        netlink_attr_u8(b, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
        netlink_nest_end(b);
        netlink_nest_end(b);
    }
    if (!l->parent[0])
        return;
    netlink_nest(b, IFLA_LINKINFO);
    netlink_attr_str(b, IFLA_INFO_SLAVE_KIND, "bridge");
    netlink_nest(b, IFLA_INFO_SLAVE_DATA);
    netlink_attr_u8(b, IFLA_BRPORT_MODE, 1); /* hairpin: a container reaches its own published port */
    if (l->flags & LINK_ISOLATED)
        netlink_attr_u8(b, IFLA_BRPORT_ISOLATED, 1);
    if (pinned) {
        netlink_attr_u8(b, IFLA_BRPORT_LOCKED, 1);
        netlink_attr_u8(b, IFLA_BRPORT_LEARNING, 0);
    }
    netlink_nest_end(b);
    netlink_nest_end(b);
}

/* A locked port takes only frames whose source is in the bridge's table as behind this port: the one entry is put there by hand. */
static void build_fdb_entry(struct netlink_batch *b, const struct link *l, unsigned index) {
    struct ndmsg neighbour = {.ndm_family = AF_BRIDGE, .ndm_state = NUD_NOARP, .ndm_ifindex = (int)index, .ndm_flags = NTF_MASTER};

    netlink_message(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &neighbour, sizeof(neighbour));
    netlink_attr(b, NDA_LLADDR, l->mac, MAC_SIZE);
}

static int set_up_port(const struct link *l, unsigned bridge, int fd, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    unsigned index = link_index(l->host_name);
    bool pinned = bridge && (l->flags & LINK_PINNED);
    int r;

    if (pinned)
        build_fdb_entry(&b, l, index);
    build_port(&b, l, index, pinned);
    r = netlink_transact(fd, &b, NULL, NULL, NULL, e);
    if (r == -EINVAL && pinned) {
        netlink_batch_release(&b); /* before 5.18 ports cannot be locked */
        error_release(e);
        build_port(&b, l, index, false);
        r = netlink_transact(fd, &b, NULL, NULL, NULL, e);
    }
    return r < 0 ? error_wrap(e, r, "set up interface %s", l->host_name) : 0;
}

static int not_made(const struct link *l, int r, struct error *e) {
    static const char *const kinds[] = {
        [LINK_VETH] = "veth", [LINK_MACVLAN] = "macvlan", [LINK_IPVLAN] = "ipvlan", [LINK_DUMMY] = "dummy"};

    if (r == -EOPNOTSUPP) {
        error_set(e, r, "make interface %s: this kernel has no interfaces of the kind %s", l->name, kinds[l->kind]);
        return error_hint(e, "modprobe %s, where its module is installed", kinds[l->kind]);
    }
    /* BR_MAX_PORTS: ten bits of a spanning tree port number, and 0 is none. */
    if (r == -EXFULL || r == -ENOSPC)
        return error_set(e, r,
                         "bridge %s has its 1023 ports in use, which is the kernel's limit for one bridge: start the container on "
                         "another network",
                         l->parent);
    return error_wrap(e, r, "make interface %s (%s%s%s)", l->name, l->host_name, *l->host_name ? " at " : "on ",
                      l->parent[0] ? l->parent : "no bridge");
}

int link_create(const struct link *l, int netns_fd, pid_t netns_pid, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    _cleanup_fd_ int fd = -1;
    unsigned parent = l->parent[0] ? link_index(l->parent) : 0;
    int r;

    if (l->parent[0] && !parent)
        return error_set(e, -ENODEV, "make interface %s: the host has no interface %s", l->name, l->parent);
    fd = netlink_open(NETLINK_ROUTE, e);
    if (fd < 0)
        return fd;
    if (l->kind == LINK_VETH)
        build_veth(&b, l, parent, netns_fd, netns_pid);
    else
        build_single(&b, l, parent, netns_fd, netns_pid);
    r = netlink_transact(fd, &b, NULL, NULL, NULL, e);
    if (r < 0)
        return not_made(l, r, e);
    return l->kind == LINK_VETH ? set_up_port(l, parent, fd, e) : 0;
}

/* --- the child's half --------------------------------------------------------------------------------------------------------- */

static void build_up(struct netlink_batch *b, unsigned index) {
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    netlink_message(b, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
}

static void build_address(struct netlink_batch *b, unsigned index, const struct ip_prefix *p) {
    struct ifaddrmsg header = {
        .ifa_family = socket_family(p->address.family),
        .ifa_prefixlen = p->length,
        .ifa_flags = p->address.family == IP_V6 ? IFA_F_NODAD : 0, /* usable at once: the lease says that nobody else has it */
        .ifa_scope = RT_SCOPE_UNIVERSE,
        .ifa_index = index,
    };
    size_t size = ip_bits(&p->address) / 8;

    netlink_message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &header, sizeof(header));
    netlink_attr(b, IFA_LOCAL, p->address.bytes, size);
    netlink_attr(b, IFA_ADDRESS, p->address.bytes, size);
    if (p->address.family == IP_V4 && p->length < 31) {
        uint8_t broadcast[4];

        memcpy(broadcast, p->address.bytes, sizeof(broadcast));
        for (unsigned bit = p->length; bit < 32; bit++)
            broadcast[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
        netlink_attr(b, IFA_BROADCAST, broadcast, sizeof(broadcast));
    }
}

static void build_route(struct netlink_batch *b, unsigned index, const struct link_route *route) {
    bool direct = route->gateway.family == IP_NONE;
    struct rtmsg header = {
        .rtm_family = socket_family(route->to.address.family),
        .rtm_dst_len = route->to.length,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_BOOT,
        .rtm_scope = direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
    };

    netlink_message(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &header, sizeof(header));
    if (route->to.length)
        netlink_attr(b, RTA_DST, route->to.address.bytes, ip_bits(&route->to.address) / 8);
    if (!direct)
        netlink_attr(b, RTA_GATEWAY, route->gateway.bytes, ip_bits(&route->gateway) / 8);
    netlink_attr_u32(b, RTA_OIF, index);
    if (route->metric)
        netlink_attr_u32(b, RTA_PRIORITY, route->metric);
}

/* /proc/sys/net shows the calling process's network namespace, whatever /proc it is reached by. */
static void write_sysctl6(const char *ifname, const char *key, const char *value) {
    char path[128];
    _cleanup_fd_ int fd = -1;

    (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname, key);
    fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd >= 0)
        (void)sys_write(fd, value, strlen(value));
}

static void prepare_ipv6(const struct link *l) {
    if (l->flags & LINK_NO_IPV6) {
        write_sysctl6(l->name, "disable_ipv6", "1");
        return;
    }
    /* A neighbour in the network must not be able to announce itself as router; and a link-local address that is unique by its MAC
     * needs no second of waiting. */
    write_sysctl6(l->name, "accept_ra", "0");
    write_sysctl6(l->name, "accept_dad", "0");
}

int link_configure(const struct link *v, size_t n, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    uint32_t last[LINKS_MAX]; /* number of the last message for each link: says which one an error is about */
    uint32_t failed = 0;
    int r;

    if (n > LINKS_MAX)
        return error_set(e, -E2BIG, "a container can have %d interfaces at most", LINKS_MAX);
    build_up(&b, 1); /* loopback is always the first of a namespace */
    for (size_t i = 0; i < n; i++) {
        unsigned index = link_index(v[i].name);

        if (!index)
            return error_set(e, -ENODEV, "configure interface %s: it is not in this network namespace", v[i].name);
        prepare_ipv6(&v[i]);
        for (unsigned k = 0; k < v[i].n_addresses; k++)
            build_address(&b, index, &v[i].addresses[k]);
        build_up(&b, index);
        for (unsigned k = 0; k < v[i].n_routes; k++)
            build_route(&b, index, &v[i].routes[k]);
        last[i] = b.count;
    }
    r = talk(&b, &failed, e);
    if (r == 0)
        return 0;
    if (failed > 1)
        for (size_t i = 0; i < n; i++)
            if (failed <= last[i])
                return error_wrap(e, r, "configure interface %s", v[i].name);
    return error_wrap(e, r, "bring up loopback");
}

void link_describe(const struct link *l, struct buf *out) {
    static const char *const kinds[] = {"veth", "macvlan", "ipvlan", "dummy"};
    char text[IP_TEXT_MAX];

    buf_printf(out, "%s %s", l->kind < ARRAY_SIZE(kinds) ? kinds[l->kind] : "link", l->name);
    for (unsigned i = 0; i < l->n_addresses; i++)
        buf_printf(out, " %s", ip_prefix_format(&l->addresses[i], text));
    for (unsigned i = 0; i < l->n_routes; i++)
        if (l->routes[i].to.length == 0 && l->routes[i].gateway.family != IP_NONE)
            buf_printf(out, " gateway %s", ip_format(&l->routes[i].gateway, text));
    if (l->parent[0])
        buf_printf(out, " at %s %s", l->kind == LINK_VETH ? "bridge" : "interface", l->parent);
    if (l->flags & LINK_ISOLATED)
        buf_add_str(out, ", isolated");
    if (l->flags & LINK_PINNED)
        buf_add_str(out, ", MAC pinned");
}

/* --- links of the host -------------------------------------------------------------------------------------------------------- */

int link_delete(const char *name, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    int r;

    if (netns_used() == NETNS_ABSENT)
        return 0;
    netlink_message(&b, RTM_DELLINK, NLM_F_ACK, &header, sizeof(header));
    netlink_attr_str(&b, IFLA_IFNAME, name);
    r = talk(&b, NULL, e);
    if (r == -ENODEV || r == -ENXIO) {
        error_release(e);
        return 0;
    }
    return r < 0 ? error_wrap(e, r, "delete interface %s", name) : 0;
}

/* One change of one link, named. */
static int change(const char *name, const char *what, unsigned flags, unsigned type, const void *p, size_t size, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    struct ifinfomsg header = {
        .ifi_family = AF_UNSPEC, .ifi_index = (int)link_index(name), .ifi_flags = flags, .ifi_change = flags};
    int r;

    if (!header.ifi_index)
        return error_set(e, -ENODEV, "%s: no interface %s", what, name);
    netlink_message(&b, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
    if (p)
        netlink_attr(&b, type, p, size);
    r = talk(&b, NULL, e);
    return r < 0 ? error_wrap(e, r, "%s %s", what, name) : 0;
}

int link_rename(const char *name, const char *to, struct error *e) {
    return change(name, "rename interface", 0, IFLA_IFNAME, to, strlen(to) + 1, e);
}

int link_set_up(const char *name, struct error *e) {
    return change(name, "bring up interface", IFF_UP, 0, NULL, 0, e);
}

int link_plug(const struct link *l, struct error *e) {
    uint32_t bridge = link_index(l->parent);
    _cleanup_fd_ int fd = -1;
    int r;

    if (!bridge)
        return error_set(e, -ENODEV, "plug in %s: no bridge %s", l->host_name, l->parent);
    r = change(l->host_name, "plug in interface", 0, IFLA_MASTER, &bridge, sizeof(bridge), e);
    if (r < 0)
        return r;
    fd = netlink_open(NETLINK_ROUTE, e);
    return fd < 0 ? fd : set_up_port(l, bridge, fd, e);
}

int link_set_netns(const char *name, int netns_fd, struct error *e) {
    uint32_t fd = (uint32_t)netns_fd;

    return change(name, "move interface", 0, IFLA_NET_NS_FD, &fd, sizeof(fd), e);
}

static int bridge_make(const struct link_bridge *bridge, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

    netlink_message(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &header, sizeof(header));
    netlink_attr_str(&b, IFLA_IFNAME, bridge->name);
    netlink_attr(&b, IFLA_ADDRESS, bridge->mac, MAC_SIZE); /* else it follows its ports' and hosts lose their neighbour entries */
    netlink_attr_u32(&b, IFLA_MTU, bridge->mtu ? bridge->mtu : 1500);
    netlink_nest(&b, IFLA_LINKINFO);
    netlink_attr_str(&b, IFLA_INFO_KIND, "bridge");
    netlink_nest(&b, IFLA_INFO_DATA);
    netlink_attr_u32(&b, IFLA_BR_STP_STATE, 0);
    netlink_attr_u32(&b, IFLA_BR_FORWARD_DELAY, 0);
    netlink_attr_u8(&b, IFLA_BR_MCAST_SNOOPING, 0); /* without a querier it would drop neighbour discovery */
    netlink_nest_end(&b);
    netlink_nest_end(&b);
    return talk(&b, NULL, e);
}

/* By ioctl, not in /sys: that shows the network namespace it was mounted in. */
static bool link_is_bridge(const char *name) {
    _cleanup_fd_ int fd = netns_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request = {.ifr_data = (char *)&info};

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return fd >= 0 && sys_ioctl(fd, SIOCETHTOOL, &request) == 0 && strcmp(info.driver, "bridge") == 0;
}

int link_bridge_create(const struct link_bridge *bridge, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    int r = bridge_make(bridge, e);
    unsigned index;

    if (r < 0 && r != -EEXIST)
        return error_wrap(e, r, "make bridge %s", bridge->name);
    if (r == -EEXIST && !link_is_bridge(bridge->name))
        return error_set(e, -EEXIST, "make bridge %s: an interface of that name is there, and is no bridge", bridge->name);
    if (r == -EEXIST)
        error_release(e);
    index = link_index(bridge->name);
    for (unsigned i = 0; i < bridge->n_addresses; i++)
        build_address(&b, index, &bridge->addresses[i]);
    build_up(&b, index);
    r = talk(&b, NULL, e);
    return r < 0 ? error_wrap(e, r, "configure bridge %s", bridge->name) : 0;
}

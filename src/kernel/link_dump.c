/* Lists of what the host's network stack has: for choosing subnets and for explaining. */
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/link.h"
#include "kernel/netlink.h"

static struct ip_address attr_ip(uint8_t socket_family, const struct nlattr *a) {
    struct ip_address ip = {.family = socket_family == AF_INET6 ? IP_V6 : IP_V4};

    if (netlink_attr_size(a) < ip_bits(&ip) / 8)
        return (struct ip_address){0};
    memcpy(ip.bytes, netlink_attr_data(a), ip_bits(&ip) / 8);
    return ip;
}

static bool family_is_ip(uint8_t socket_family) {
    return socket_family == AF_INET || socket_family == AF_INET6;
}

/* One dump request for both families. */
static int dump(unsigned type, const void *header, size_t size, netlink_message_fn *fn, void *arg, const char *what,
                struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    _cleanup_fd_ int fd = netlink_open(NETLINK_ROUTE, e);
    int r;

    if (fd < 0)
        return fd;
    netlink_message(&b, type, NLM_F_DUMP, header, size);
    r = netlink_dump(fd, &b, fn, arg, e);
    return r < 0 ? error_wrap(e, r, "list the host's %s", what) : r;
}

struct address_walk {
    int (*fn)(const struct link_address_info *, void *);
    void *arg;
};

static int take_address(const struct nlmsghdr *m, void *arg) {
    const struct address_walk *walk = arg;
    const struct ifaddrmsg *header = NLMSG_DATA(m);
    struct link_address_info info = {.index = header->ifa_index, .prefix.length = header->ifa_prefixlen};
    size_t left;

    if (m->nlmsg_type != RTM_NEWADDR || !family_is_ip(header->ifa_family))
        return 0;
    for (const struct nlattr *a = netlink_attr_first(m, sizeof(*header), &left); a; a = netlink_attr_next(a, &left)) {
        unsigned type = netlink_attr_type(a);

        /* IFA_LOCAL is the interface's own; for IPv6 only IFA_ADDRESS is sent. */
        if (type == IFA_LOCAL || (type == IFA_ADDRESS && info.prefix.address.family == IP_NONE))
            info.prefix.address = attr_ip(header->ifa_family, a);
    }
    return info.prefix.address.family == IP_NONE ? 0 : walk->fn(&info, walk->arg);
}

int link_each_address(int (*fn)(const struct link_address_info *, void *arg), void *arg, struct error *e) {
    struct ifaddrmsg header = {.ifa_family = AF_UNSPEC};
    struct address_walk walk = {fn, arg};

    return dump(RTM_GETADDR, &header, sizeof(header), take_address, &walk, "addresses", e);
}

struct route_walk {
    int (*fn)(const struct link_route_info *, void *);
    void *arg;
};

static int take_route(const struct nlmsghdr *m, void *arg) {
    const struct route_walk *walk = arg;
    const struct rtmsg *header = NLMSG_DATA(m);
    struct link_route_info info = {
        .table = header->rtm_table,
        .type = header->rtm_type,
        .to = {{.family = header->rtm_family == AF_INET6 ? IP_V6 : IP_V4}, header->rtm_dst_len},
    };
    size_t left;

    if (m->nlmsg_type != RTM_NEWROUTE || !family_is_ip(header->rtm_family) || (header->rtm_flags & RTM_F_CLONED))
        return 0;
    for (const struct nlattr *a = netlink_attr_first(m, sizeof(*header), &left); a; a = netlink_attr_next(a, &left)) {
        switch (netlink_attr_type(a)) {
        case RTA_DST: info.to.address = attr_ip(header->rtm_family, a); break;
        case RTA_GATEWAY: info.gateway = attr_ip(header->rtm_family, a); break;
        case RTA_OIF: info.index = netlink_attr_get_u32(a); break;
        case RTA_TABLE: info.table = netlink_attr_get_u32(a); break;
        default: break;
        }
    }
    return walk->fn(&info, walk->arg);
}

int link_each_route(int (*fn)(const struct link_route_info *, void *arg), void *arg, struct error *e) {
    struct rtmsg header = {.rtm_family = AF_UNSPEC};
    struct route_walk walk = {fn, arg};

    return dump(RTM_GETROUTE, &header, sizeof(header), take_route, &walk, "routes", e);
}

/* An interface of the host that goes into a container's network namespace (OCI config-linux.md, "Network Devices"): with its
 * attributes, which move along, its permanent addresses of global scope, which do not, and up. */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/sys.h"

#define SEEN_MAX      512 /* interfaces in the namespace it goes to */
#define ADDRESSES_MAX 64

struct indexes {
    int v[SEEN_MAX];
    size_t n;
    const char *name; /* one that is looked for */
    bool taken;
};

struct addresses {
    int index;
    size_t n;
    struct {
        struct ifaddrmsg header;
        uint8_t bytes[16];
        uint8_t size;
    } v[ADDRESSES_MAX];
};

static int take_index(const struct nlmsghdr *m, void *arg) {
    struct indexes *seen = arg;
    const struct ifinfomsg *header = NLMSG_DATA(m);

    size_t left;

    if (m->nlmsg_type != RTM_NEWLINK)
        return 0;
    if (seen->n < SEEN_MAX)
        seen->v[seen->n++] = header->ifi_index;
    for (const struct nlattr *a = netlink_attr_first(m, sizeof(*header), &left); a; a = netlink_attr_next(a, &left))
        if (netlink_attr_type(a) == IFLA_IFNAME && strncmp(netlink_attr_data(a), seen->name, netlink_attr_size(a)) == 0)
            seen->taken = true;
    return 0;
}

static int list_links(int fd, struct indexes *ret, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

    ret->n = 0;
    ret->taken = false;
    netlink_message(&b, RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));
    return netlink_dump(fd, &b, take_index, ret, e);
}

static int take_address(const struct nlmsghdr *m, void *arg) {
    struct addresses *found = arg;
    const struct ifaddrmsg *header = NLMSG_DATA(m);
    const struct nlattr *address = NULL;
    size_t left;

    if (m->nlmsg_type != RTM_NEWADDR || (int)header->ifa_index != found->index || found->n == ADDRESSES_MAX ||
        !(header->ifa_flags & IFA_F_PERMANENT) || header->ifa_scope != RT_SCOPE_UNIVERSE)
        return 0;
    for (const struct nlattr *a = netlink_attr_first(m, sizeof(*header), &left); a; a = netlink_attr_next(a, &left))
        if (netlink_attr_type(a) == IFA_LOCAL || (netlink_attr_type(a) == IFA_ADDRESS && !address))
            address = a;
    if (!address || netlink_attr_size(address) > sizeof(found->v[0].bytes))
        return 0;
    found->v[found->n].header = *header;
    found->v[found->n].size = (uint8_t)netlink_attr_size(address);
    memcpy(found->v[found->n++].bytes, netlink_attr_data(address), netlink_attr_size(address));
    return 0;
}

static int list_addresses(int fd, struct addresses *found, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    const struct ifaddrmsg header = {.ifa_family = AF_UNSPEC};

    netlink_message(&b, RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));
    return netlink_dump(fd, &b, take_address, found, e);
}

/* A socket belongs to the namespace that its maker was in. */
static int open_inside(int netns, struct error *e) {
    _cleanup_fd_ int own = sys_openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
    int fd, r;

    if (own < 0)
        return error_errno(e, own, "open the network namespace");
    r = sys_setns(netns, CLONE_NEWNET);
    if (r < 0)
        return error_errno(e, r, "enter the container's network namespace");
    fd = netlink_open(NETLINK_ROUTE, e);
    r = sys_setns(own, CLONE_NEWNET);
    if (r < 0) {
        fd_close(fd);
        return error_errno(e, r, "go back to the own network namespace");
    }
    return fd;
}

/* Down first: before 6.2 an interface that is up cannot be renamed. */
static int move(int fd, int index, const char *to, int netns, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_change = IFF_UP};

    netlink_message(&b, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
    header.ifi_change = 0;
    netlink_message(&b, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
    netlink_attr_u32(&b, IFLA_NET_NS_FD, (uint32_t)netns);
    netlink_attr_str(&b, IFLA_IFNAME, to);
    return netlink_transact(fd, &b, NULL, NULL, NULL, e);
}

static int settle(int fd, int index, struct addresses *a, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    for (size_t i = 0; i < a->n; i++) {
        a->v[i].header.ifa_index = (unsigned)index;
        a->v[i].header.ifa_flags = a->v[i].header.ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
        netlink_message(&b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &a->v[i].header, sizeof(a->v[i].header));
        netlink_attr(&b, IFA_LOCAL, a->v[i].bytes, a->v[i].size);
        netlink_attr(&b, IFA_ADDRESS, a->v[i].bytes, a->v[i].size);
    }
    netlink_message(&b, RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
    return netlink_transact(fd, &b, NULL, NULL, NULL, e);
}

static int new_index(const struct indexes *before, const struct indexes *after) {
    for (size_t i = 0; i < after->n; i++) {
        size_t k = 0;

        while (k < before->n && before->v[k] != after->v[i])
            k++;
        if (k == before->n)
            return after->v[i];
    }
    return 0;
}

int link_move(const char *name, const char *to, pid_t pid, struct error *e) {
    struct addresses addresses = {.index = (int)link_index(name)};
    struct indexes before = {.name = to}, after = {.name = to};
    _cleanup_fd_ int netns = -1, outside = -1, inside = -1;
    char path[40];
    int r;

    if (!addresses.index)
        return error_set(e, -ENODEV, "linux.netDevices: there is no interface %s", name);
    if (strlen(to) >= IF_NAMESIZE)
        return error_set(e, -EINVAL, "linux.netDevices.%s.name: %s is too long", name, to);
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
    netns = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    r = netns < 0 ? error_errno(e, netns, "open the container's network namespace") : 0;
    if (r == 0)
        r = outside = netlink_open(NETLINK_ROUTE, e);
    if (r >= 0)
        r = inside = open_inside(netns, e);
    if (r >= 0)
        r = list_addresses(outside, &addresses, e);
    if (r >= 0)
        r = list_links(inside, &before, e);
    if (r >= 0 && before.taken) /* told before it is moved, since it would die with the namespace */
        r = error_set(e, -EEXIST, "the container has an interface %s", to);
    if (r >= 0)
        r = move(outside, addresses.index, to, netns, e);
    if (r >= 0)
        r = list_links(inside, &after, e);
    if (r >= 0)
        r = settle(inside, new_index(&before, &after), &addresses, e);
    return r < 0 ? error_wrap(e, r, "linux.netDevices.%s", name) : 0;
}

#include "kernel/netns_make.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/sys.h"

static int set(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno; /* a host without IPv6 */
    if (write(fd, value, 1) < 0)
        r = -errno;
    close(fd);
    return r;
}

static int make(void *arg) {
    static const struct {
        const char *path, *value;
        bool router;
    } switches[] = {
        /* Nobody else is there to have an address already: without this, IPv6 answers a second or two late. */
        {"/proc/sys/net/ipv6/conf/default/accept_dad", "0", false},
        {"/proc/sys/net/ipv4/ip_forward", "1", true},
        {"/proc/sys/net/ipv4/conf/all/route_localnet", "1", true},
        {"/proc/sys/net/ipv6/conf/all/forwarding", "1", true},
    };
    int fd, r = 0;

    if (unshare(CLONE_NEWNET) < 0)
        return -errno;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(switches); i++)
        if (*(const bool *)arg || !switches[i].router)
            r = set(switches[i].path, switches[i].value);
    if (r < 0)
        return r;
    fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int netns_new(bool routes, struct error *e) {
    _cleanup_fd_ int fd = netns_errand(make, &routes);
    int before = netns_used(), r;

    if (fd < 0)
        return error_errno(e, fd, "make a network namespace");
    netns_use(fd);
    r = link_set_up("lo", e);
    netns_use(before);
    return r < 0 ? error_wrap(e, r, "make a network namespace") : TAKE_FD(fd);
}

int netns_bind(int fd, const char *path, struct error *e) {
    _cleanup_fd_ int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    char from[32];

    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    int r = file < 0 ? -errno : sys_mount(from, path, NULL, MS_BIND, NULL);
    return r < 0 ? error_errno(e, r, "bind the network namespace at %s", path) : 0;
}

/* ---- Marked packets ---- */

static void add_rule(struct netlink_batch *b, uint8_t family, uint32_t mark) {
    struct fib_rule_hdr header = {.family = family, .table = RT_TABLE_UNSPEC, .action = FR_ACT_TO_TBL};

    netlink_message(b, RTM_NEWRULE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    netlink_attr_u32(b, FRA_FWMARK, mark);
    netlink_attr_u32(b, FRA_TABLE, mark);
}

static void add_route(struct netlink_batch *b, uint8_t family, uint32_t mark) {
    struct rtmsg header = {.rtm_family = family, .rtm_table = RT_TABLE_UNSPEC, .rtm_type = RTN_LOCAL, .rtm_scope = RT_SCOPE_HOST};

    netlink_message(b, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    netlink_attr_u32(b, RTA_TABLE, mark);
    netlink_attr_u32(b, RTA_OIF, link_index("lo"));
}

int netns_catch_mark(uint32_t mark, struct error *e) {
    static void (*const adding[])(struct netlink_batch *, uint8_t, uint32_t) = {add_route, add_rule};
    static const uint8_t families[] = {AF_INET, AF_INET6};
    _cleanup_fd_ int fd = netlink_open(NETLINK_ROUTE, e);

    for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(families) * ARRAY_SIZE(adding); i++) {
        _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
        _cleanup_error_ struct error why = ERROR_INIT;
        uint8_t family = families[i / ARRAY_SIZE(adding)];
        int r;

        adding[i % ARRAY_SIZE(adding)](&b, family, mark);
        r = netlink_transact(fd, &b, NULL, NULL, NULL, &why);
        if (r < 0 && r != -EEXIST && family == AF_INET) {
            error_move(e, &why);
            return error_wrap(e, r, "lead marked packets to this host");
        }
    }
    return fd < 0 ? fd : 0;
}

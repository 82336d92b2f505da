#include "kernel/firewalld.h"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "kernel/dbus.h"
#include "kernel/netlink.h"

#define TABLE      "firewalld"
#define BUS        "org.freedesktop.DBus"
#define NAME       "org.fedoraproject.FirewallD1"
#define TIMEOUT_MS 3000
#define BUS_SOCKET "/run/dbus/system_bus_socket"

static int take_handle(const struct nlmsghdr *m, void *arg) {
    uint64_t *ret = arg, value;
    size_t left;

    for (const struct nlattr *a = netlink_attr_first(m, sizeof(struct nfgenmsg), &left); a; a = netlink_attr_next(a, &left)) {
        if (netlink_attr_type(a) != NFTA_TABLE_HANDLE || netlink_attr_size(a) != sizeof(value))
            continue;
        memcpy(&value, netlink_attr_data(a), sizeof(value));
        *ret = be64toh(value);
    }
    return 0;
}

uint64_t firewalld_generation(void) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    _cleanup_fd_ int fd = netlink_open(NETLINK_NETFILTER, NULL);
    const struct nfgenmsg header = {.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0};
    uint64_t handle = 0;

    if (fd < 0)
        return 0;
    netlink_message(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_ACK, &header, sizeof(header));
    netlink_attr_str(&b, NFTA_TABLE_NAME, TABLE);
    return netlink_transact(fd, &b, take_handle, &handle, NULL, NULL) < 0 ? 0 : handle;
}

/* One call of the zones' interface with strings as arguments; *ret (NULL allowed): the string that comes back. */
static int call(const char *member, const char *const *args, size_t n, char ret[FIREWALLD_ZONE_MAX], struct error *e) {
    static const char *const signatures[] = {"", "s", "ss"};
    const struct dbus_call hello = {.destination = BUS, .path = "/org/freedesktop/DBus", .interface = BUS, .member = "Hello"};
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct dbus_message reply;
    int r = dbus_open(BUS_SOCKET, TIMEOUT_MS, &d, e);

    if (r == 0)
        r = dbus_call(&d, &hello, &reply, e);
    for (size_t i = 0; i < n; i++)
        dbus_put_string(&body, args[i]);
    if (r == 0)
        r = dbus_call(&d,
                      &(struct dbus_call){.destination = NAME,
                                          .path = "/org/fedoraproject/FirewallD1",
                                          .interface = NAME ".zone",
                                          .member = member,
                                          .signature = signatures[n],
                                          .body = &body},
                      &reply, e);
    if (r == 0 && ret)
        (void)snprintf(ret, FIREWALLD_ZONE_MAX, "%s", strcmp(reply.signature, "s") == 0 ? dbus_get_string(&reply.body) : "");
    return r < 0 ? error_wrap(e, r, "ask firewalld (%s)", member) : 0;
}

int firewalld_zone_of(const char *ifname, char zone[FIREWALLD_ZONE_MAX], struct error *e) {
    return call("getZoneOfInterface", &ifname, 1, zone, e);
}

int firewalld_zone_add(const char *zone, const char *ifname, struct error *e) {
    const char *const args[] = {zone, ifname};

    return call("addInterface", args, 2, NULL, e);
}

int firewalld_zone_remove(const char *zone, const char *ifname, struct error *e) {
    const char *const args[] = {zone, ifname};

    return call("removeInterface", args, 2, NULL, e);
}

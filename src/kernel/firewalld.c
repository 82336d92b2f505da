#include "kernel/firewalld.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <unistd.h>

#include "kernel/dbus.h"
#include "kernel/netlink.h"

#define BUS        "org.freedesktop.DBus"
#define NAME       "org.fedoraproject.FirewallD1"
#define PATH       "/org/fedoraproject/FirewallD1"
#define TIMEOUT_MS 3000
#define BUS_SOCKET "/run/dbus/system_bus_socket"

struct handle {
    unsigned attribute;
    uint64_t value;
};

static int take_handle(const struct nlmsghdr *m, void *arg) {
    struct handle *ret = arg;
    uint64_t value;
    size_t left;

    for (const struct nlattr *a = netlink_attr_first(m, sizeof(struct nfgenmsg), &left); a; a = netlink_attr_next(a, &left)) {
        if (netlink_attr_type(a) != ret->attribute || netlink_attr_size(a) != sizeof(value))
            continue;
        memcpy(&value, netlink_attr_data(a), sizeof(value));
        ret->value = be64toh(value);
    }
    return 0;
}

uint64_t firewalld_generation(void) {
    static const struct {
        uint8_t family;
        const char *table, *chain; /* NULL: the table itself */
    } marks[] = {{NFPROTO_INET, "firewalld", NULL}, {NFPROTO_IPV4, "filter", "FORWARD_direct"}};
    /* Without a bus nobody can be asked anything. */
    _cleanup_fd_ int fd = faccessat(AT_FDCWD, BUS_SOCKET, F_OK, 0) == 0 ? netlink_open(NETLINK_NETFILTER, NULL) : -1;
    struct handle handle = {0};

    for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(marks) && !handle.value; i++) {
        _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
        const struct nfgenmsg header = {.nfgen_family = marks[i].family, .version = NFNETLINK_V0};
        const char *chain = marks[i].chain;

        handle.attribute = chain ? NFTA_CHAIN_HANDLE : NFTA_TABLE_HANDLE;
        netlink_message(&b, NFNL_SUBSYS_NFTABLES << 8 | (chain ? NFT_MSG_GETCHAIN : NFT_MSG_GETTABLE), NLM_F_ACK, &header,
                        sizeof(header));
        netlink_attr_str(&b, NFTA_CHAIN_TABLE, marks[i].table); /* NFTA_TABLE_NAME is the same */
        if (chain)
            netlink_attr_str(&b, NFTA_CHAIN_NAME, chain);
        (void)netlink_transact(fd, &b, take_handle, &handle, NULL, NULL);
    }
    return handle.value;
}

/* One call with strings as arguments; *ret (NULL allowed): the string, or path, that comes back. */
static int call(const char *path, const char *interface, const char *member, const char *const *args, size_t n,
                char ret[FIREWALLD_ZONE_MAX], struct error *e) {
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
                                          .path = path,
                                          .interface = interface,
                                          .member = member,
                                          .signature = signatures[n],
                                          .body = &body},
                      &reply, e);
    if (r == 0 && ret)
        (void)snprintf(ret, FIREWALLD_ZONE_MAX, "%s",
                       *reply.signature && strchr("so", *reply.signature) ? dbus_get_string(&reply.body) : "");
    return r < 0 ? error_wrap(e, r, "ask firewalld (%s)", member) : 0;
}

int firewalld_zone_of(const char *ifname, char zone[FIREWALLD_ZONE_MAX], struct error *e) {
    return call(PATH, NAME ".zone", "getZoneOfInterface", &ifname, 1, zone, e);
}

static int change(const char *member, const char *zone, const char *ifname, bool lasting, struct error *e) {
    const char *const args[] = {zone, ifname};
    char path[FIREWALLD_ZONE_MAX];
    int r;

    if (!lasting)
        return call(PATH, NAME ".zone", member, args, 2, NULL, e);
    r = call(PATH "/config", NAME ".config", "getZoneByName", &zone, 1, path, e);
    return r < 0 ? r : call(path, NAME ".config.zone", member, &ifname, 1, NULL, e);
}

int firewalld_zone_add(const char *zone, const char *ifname, bool lasting, struct error *e) {
    return change("addInterface", zone, ifname, lasting, e);
}

int firewalld_zone_remove(const char *zone, const char *ifname, bool lasting, struct error *e) {
    return change("removeInterface", zone, ifname, lasting, e);
}

/* Putting a network into the host's stack, the first time and whenever somebody has flushed it: off the hot path. */
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "kernel/netns_make.h"
#include "network/explain.h"
#include "network/firewall.h"
#include "network/forwarding.h"
#include "network/lease.h"
#include "network/port.h"
#include "network/source_filter.h"
#include "network/store.h"
#include "network/subnet.h"
#include "network/zone.h"

#define RESOLV_CONF_MAX  ((size_t)64 << 10)
#define FLUSH_TRIES_MAX  200 /* of making the table, while somebody flushes it again and again */
#define SUBNET_TRIES_MAX 4   /* of choosing anew, when another engine took the same one at the same moment */

static const struct list no_elements;

/* --- subnets
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Everything that a subnet of `n` must not overlap. */
static int gather_uses(const struct roots *roots, const struct network *n, struct arena *a, struct list *uses, struct error *e) {
    _cleanup_buf_ struct buf resolv = BUF_INIT;
    struct list all = {0};
    int r;

    (void)fs_read_at(AT_FDCWD, "/etc/resolv.conf", RESOLV_CONF_MAX, &resolv, NULL); /* without one there is nothing to avoid */
    r = subnet_host_uses(a, link_index(network_bridge(n, a)), buf_text(&resolv), uses, e);
    if (r == 0)
        r = network_list(roots, a, &all, NULL, e);
    for (size_t i = 0; r == 0 && i < all.n; i++) {
        const struct network *other = LIST_AT(struct network, &all, i);

        for (int family = IP_V4; strcmp(other->name, n->name) != 0 && network_is_bridge(other) && family <= IP_V6;
             family += IP_V6 - IP_V4) {
            struct subnet_plan plan;

            if (network_subnet(other, (enum ip_family)family, &plan))
                *LIST_ADD(a, struct subnet_use, uses) =
                    (struct subnet_use){plan.subnet, arena_printf(a, "network %s", other->name), 0};
        }
    }
    return r;
}

static void add_subnet(struct network *n, struct arena *a, const struct ip_prefix *subnet) {
    char text[IP_TEXT_MAX];
    struct ip_address base = ip_prefix_base(subnet), gateway = ip_add(&base, 1);
    struct network_subnet *s = LIST_ADD(a, struct network_subnet, &n->ipam.config);

    s->subnet = arena_strdup(a, ip_prefix_format(subnet, text));
    s->gateway = arena_strdup(a, ip_format(&gateway, text));
}

int network_plan_subnets(const struct roots *roots, struct network *n, struct arena *a, struct error *e) {
    struct list uses = {0};
    struct subnet_plan plan;
    struct ip_prefix subnet;
    int r = gather_uses(roots, n, a, &uses, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n->ipam.config.n; i++) {
        const char *text = LIST_AT(struct network_subnet, &n->ipam.config, i)->subnet;
        const struct subnet_use *conflict;

        r = ip_prefix_parse(text, &subnet, e);
        if (r < 0)
            return r;
        conflict = network_is_bridge(n) ? subnet_conflict(&uses, &subnet) : NULL;
        if (conflict) {
            char other[IP_TEXT_MAX];

            return error_set(e, -EADDRINUSE, "subnet %s overlaps %s (%s)", text, ip_prefix_format(&conflict->prefix, other),
                             subnet_use_text(conflict, a));
        }
    }
    if (n->ipv4 && !network_subnet(n, IP_V4, &plan)) {
        r = subnet_choose(&uses, &subnet, e);
        if (r < 0)
            return r;
        add_subnet(n, a, &subnet);
    }
    if (n->ipv6 && !network_subnet(n, IP_V6, &plan)) {
        subnet = subnet_unique_local(n->id);
        add_subnet(n, a, &subnet);
    }
    return 0;
}

/* --- the bridge
 * ------------------------------------------------------------------------------------------------------------------- */

static void describe_bridge(const struct roots *roots, const struct network *n, struct arena *a, struct link_bridge *ret) {
    struct link_bridge b = {.mtu = network_mtu(roots, n)};
    struct subnet_plan plan;

    (void)snprintf(b.name, sizeof(b.name), "%s", network_bridge(n, a));
    for (int family = IP_V4; family <= IP_V6; family += IP_V6 - IP_V4) {
        if (!network_subnet(n, (enum ip_family)family, &plan) || plan.gateway.family == IP_NONE ||
            network_gateway_mode(n, (enum ip_family)family) == GATEWAY_ISOLATED ||
            (family == IP_V4 && network_option_is(n, OPTION_INHIBIT_IPV4, false)))
            continue;
        if (b.n_addresses == 0)
            mac_from_ip(&plan.gateway, b.mac);
        b.addresses[b.n_addresses++] = (struct ip_prefix){plan.gateway, plan.subnet.length};
    }
    if (b.n_addresses == 0) /* no gateway: any address of its own will do */
        (void)sscanf(n->id, "%2hhx%2hhx%2hhx%2hhx", &b.mac[2], &b.mac[3], &b.mac[4], &b.mac[5]), b.mac[0] = 0x02;
    *ret = b;
}

static int drop_subnets(const struct roots *roots, struct network *n, struct arena *a, struct error *e) {
    struct list leases = {0};
    int r = lease_list(roots, n->name, a, &leases, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < leases.n; i++)
        if (lease_owner_exists(roots, LIST_AT(struct lease, &leases, i)->owner.container_id))
            return error_set(e, -EADDRINUSE, "its containers have addresses of it: stop them to have another chosen");
    n->ipam.config = (struct list){0};
    return 0;
}

/* Brings the bridge up with a subnet that collides with nothing. Who makes a bridge looks at the routes once more afterwards: two
 * engines that chose the same subnet at the same moment then see each other, and the one whose bridge is younger chooses again. */
static int make_bridge(const struct roots *roots, struct network *n, struct arena *a, struct error *e) {
    for (int tries = 0;; tries++) {
        struct link_bridge bridge;
        bool made;
        int r = network_plan_subnets(roots, n, a, e);

        if (r == -EADDRINUSE && n->auto_subnet && tries < SUBNET_TRIES_MAX) {
            error_release(e);
            r = drop_subnets(roots, n, a, e);
            if (r == 0)
                r = network_plan_subnets(roots, n, a, e);
            if (r == 0)
                r = network_write(roots, n, true, e);
        }
        if (r < 0)
            return r;
        describe_bridge(roots, n, a, &bridge);
        made = link_index(bridge.name) == 0;
        r = link_bridge_create(&bridge, e);
        if (r < 0 || !made)
            return r;
        r = network_plan_subnets(roots, n, a, e);
        if (r == 0)
            return 0;
        (void)link_delete(bridge.name, NULL);
        if (!n->auto_subnet || tries == SUBNET_TRIES_MAX)
            return r;
        error_release(e);
    }
}

/* A bridge that was deleted left its ports behind, up and leading nowhere. A pair that has just died with its container is no
 * error. */
static int plug_containers(const struct roots *roots, const struct network *n, struct arena *a, struct error *e) {
    struct list leases = {0};
    struct link l = {.kind = LINK_VETH, .flags = network_port_flags(n)};
    int r = lease_list(roots, n->name, a, &leases, e);

    (void)snprintf(l.parent, sizeof(l.parent), "%s", network_bridge(n, a));
    for (size_t i = 0; r == 0 && i < leases.n; i++) {
        const struct lease *lease = LIST_AT(struct lease, &leases, i);

        if ((lease->address.family == IP_V6 && *lease->owner.ip) || mac_parse(lease->owner.mac, l.mac, NULL) < 0)
            continue; /* the pair has the name of the other address */
        network_host_link(&lease->address, l.host_name);
        if (link_index(l.host_name) && link_plug(&l, NULL) < 0 && link_index(l.host_name))
            r = link_plug(&l, e);
    }
    return r;
}

/* --- the table
 * -------------------------------------------------------------------------------------------------------------------- */

static void add_networks(const struct list *all, struct arena *a, struct netlink_batch *b, const char *table) {
    for (size_t i = 0; i < all->n; i++) {
        const struct network *n = LIST_AT(struct network, all, i);
        const enum gateway_mode mode4 = network_gateway_mode(n, IP_V4), mode6 = network_gateway_mode(n, IP_V6);
        const bool masquerade = network_option_is(n, OPTION_MASQUERADE, true);
        struct firewall_bridge bridge = {.internal = n->internal,
                                         .masquerade4 = masquerade && mode4 != GATEWAY_ROUTED,
                                         .masquerade6 = masquerade && mode6 != GATEWAY_ROUTED,
                                         .unprotected4 = mode4 == GATEWAY_UNPROTECTED,
                                         .unprotected6 = mode6 == GATEWAY_UNPROTECTED,
                                         .icc = network_option_is(n, OPTION_ICC, true)};

        if (!network_is_bridge(n))
            continue;
        bridge.name = network_bridge(n, a);
        firewall_add_bridge(b, table, &bridge);
    }
}

static bool has_element(const struct list *elements, const struct nft_element *wanted) {
    for (size_t i = 0; i < elements->n; i++)
        if (memcmp(LIST_AT(struct nft_element, elements, i), wanted, sizeof(*wanted)) == 0)
            return true;
    return false;
}

/* Adds those of `from` that are not in `other`. */
static void add_difference(const struct list *from, const struct list *other, struct arena *a, struct list *to) {
    for (size_t i = 0; i < from->n; i++)
        if (!has_element(other, LIST_AT(struct nft_element, from, i)))
            *LIST_ADD(a, struct nft_element, to) = *LIST_AT(struct nft_element, from, i);
}

/* What the containers that run have in the tables: their published ports, and with `checked` the sources of what they send; and
 * what is wanted beside it. */
static int gather_elements(const struct roots *roots, const struct list *all, const struct list *wanted, bool checked,
                           struct arena *a, struct list *ret, struct error *e) {
    int r = 0;

    for (size_t i = 0; checked && r == 0 && i < all->n; i++) {
        const struct network *n = LIST_AT(struct network, all, i);
        struct list leases = {0};

        if (!network_is_bridge(n))
            continue;
        r = lease_list(roots, n->name, a, &leases, e);
        for (size_t k = 0; r == 0 && k < leases.n; k++)
            if (lease_owner_exists(roots, LIST_AT(struct lease, &leases, k)->owner.container_id))
                source_filter_lease(LIST_AT(struct lease, &leases, k), network_port_flags(n), a, ret);
    }
    if (r == 0)
        r = port_recorded_elements(roots, a, ret, e);
    if (r == 0)
        add_difference(wanted, ret, a, ret);
    return r;
}

static int commit_table(const struct roots *roots, const struct list *all, const struct strs *opened, bool checked,
                        const struct list *elements, struct arena *a, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    char table[FIREWALL_TABLE_MAX];

    firewall_table_name(roots, table);
    firewall_build(&b, table, roots->rootless, checked);
    add_networks(all, a, &b, table);
    for (size_t i = 0; i < opened->n; i++)
        firewall_add_opened(&b, table, opened->v[i]);
    for (size_t i = 0; i < elements->n; i++)
        nft_add_element(&b, table, LIST_AT(struct nft_element, elements, i));
    return nft_commit(&b, e);
}

/* What came while the table was being made is in no list that was read before, and what went may be in it. Mostly there is nothing.
 */
static int catch_up(const struct roots *roots, const struct list *all, const struct list *wanted, bool checked,
                    const struct list *before, struct arena *a, struct error *e) {
    char table[FIREWALL_TABLE_MAX];
    struct list now = {0}, came = {0}, gone = {0};
    int r = gather_elements(roots, all, wanted, checked, a, &now, e);

    firewall_table_name(roots, table);
    if (r == 0) {
        add_difference(&now, before, a, &came);
        add_difference(before, &now, a, &gone);
    }
    if (r == 0 && came.n)
        r = nft_elements_add(table, came.v, came.n, e);
    if (r == 0 && gone.n)
        r = nft_elements_delete(table, gone.v, gone.n, e);
    return r < 0 ? error_wrap(e, r, "put published ports and the checks of sources back") : 0;
}

/* All in one transaction: who runs has his ports and his checks at every moment. */
static int make_table(const struct roots *roots, const struct list *all, const struct strs *opened, const struct list *wanted,
                      bool checked, struct arena *a, struct error *e) {
    char table[FIREWALL_TABLE_MAX];
    struct list before = {0};
    int r = gather_elements(roots, all, wanted, checked, a, &before, e);

    if (r < 0)
        return r;
    r = commit_table(roots, all, opened, checked, &before, a, e);
    if (r == -EEXIST) { /* two records of one port: one of them is a dead container's, and catching up is patient */
        error_release(e);
        before = no_elements;
        r = commit_table(roots, all, opened, checked, &before, a, e);
    }
    firewall_table_name(roots, table);
    if (r < 0)
        return error_wrap(e, r, "make the packet filter's table %s", table);
    return catch_up(roots, all, wanted, checked, &before, a, e);
}

/* -ENOENT: flushed between its making and the look at what was missing. */
static int make_table_patiently(const struct roots *roots, const struct list *all, const struct strs *opened,
                                const struct list *wanted, bool checked, struct arena *a, struct error *e) {
    for (int tries = 1;; tries++) {
        int r = make_table(roots, all, opened, wanted, checked, a, e);

        if (r != -ENOENT || tries == FLUSH_TRIES_MAX)
            return r;
        error_release(e);
    }
}

static int restore_table(const struct roots *roots, const struct list *wanted, struct arena *a, struct error *e) {
    struct list all = {0};
    struct strs opened = {0};
    bool ipv6 = false;
    int r = network_list(roots, a, &all, NULL, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < all.n; i++)
        ipv6 |= LIST_AT(struct network, &all, i)->ipv6;
    r = roots->rootless ? 0 : forwarding_open_uplinks(roots, ipv6, a, &opened, NULL, e);
    if (r < 0)
        return r;
    r = make_table_patiently(roots, &all, &opened, wanted, true, a, e);
    if (r == -EOPNOTSUPP) {
        error_release(e);
        r = make_table_patiently(roots, &all, &opened, wanted, false, a, e);
        if (r == 0)
            log_warn(
                "this kernel has no tables of family bridge (CONFIG_NF_TABLES_BRIDGE): a container that opens packet sockets can "
                "pose as another of its network");
    }
    return r;
}

/* Said once, when the network is brought up; `network explain` says it again. */
static void warn_of_drops(const struct roots *roots, const char *bridge, struct arena *a) {
    struct list drops = {0};

    if (explain_foreign_drops(roots, bridge, a, &drops, NULL) < 0)
        return;
    for (size_t i = 0; i < drops.n; i++) {
        const struct foreign_drop *d = LIST_AT(struct foreign_drop, &drops, i);

        log_warn("chain %s of table %s %s drops what is forwarded to and from containers; this opens it: %s", d->chain, d->family,
                 d->table, d->command);
    }
}

static int restore(const struct roots *roots, struct network *n, const struct list *wanted, struct arena *a, struct error *e) {
    _cleanup_fd_ int lock = network_lock(roots, e);
    int r;

    if (lock < 0)
        return lock;
    if (!network_is_bridge(n))
        return 0;
    r = make_bridge(roots, n, a, e);
    if (r == 0 && !roots->rootless) /* that namespace forwards everywhere (netns_new()) */
        r = forwarding_open_bridge(network_bridge(n, a), n->ipv6, e);
    if (r == 0)
        r = plug_containers(roots, n, a, e);
    if (r == 0)
        r = restore_table(roots, wanted, a, e);
    if (r == 0)
        zone_join(roots, a);
    if (r == 0 && !n->internal)
        warn_of_drops(roots, network_bridge(n, a), a);
    return r < 0 ? error_wrap(e, r, "bring up network %s", n->name) : 0;
}

int network_restore(const struct roots *roots, struct network *n, struct arena *a, struct error *e) {
    return restore(roots, n, &no_elements, a, e);
}

/* Where the table has been flushed, it is made anew with the elements in it: one transaction, which nobody gets in between. */
int network_filter_add(const struct roots *roots, const char *network, const struct list *elements, struct arena *a,
                       struct error *e) {
    char table[FIREWALL_TABLE_MAX];
    struct network n;
    int r;

    firewall_table_name(roots, table);
    r = nft_elements_add(table, elements->v, elements->n, e);
    if (r != -ENOENT)
        return r;
    error_release(e);
    r = network_open(roots, network, a, &n, e);
    return r < 0 ? r : restore(roots, &n, elements, a, e);
}

int network_open_uplinks(const struct roots *roots, bool ipv6, struct arena *a, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    char table[FIREWALL_TABLE_MAX];
    struct strs opened = {0};
    bool changed = false;
    int r = roots->rootless ? 0 : forwarding_open_uplinks(roots, ipv6, a, &opened, &changed, e);

    if (r < 0 || !changed)
        return r;
    firewall_table_name(roots, table);
    nft_begin(&b);
    for (size_t i = 0; i < opened.n; i++)
        firewall_add_opened(&b, table, opened.v[i]);
    return nft_commit(&b, e);
}

int network_forget_bridge(const struct roots *roots, const char *bridge, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    int r;

    zone_leave(roots, bridge);
    r = link_delete(bridge, e);

    return r < 0 ? r : restore_table(roots, &no_elements, &a, e);
}

/* --- taking it down
 * --------------------------------------------------------------------------------------------------------------- */

int network_teardown(const struct roots *roots, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct list all = {0};
    int r, first = network_list(roots, &a, &all, NULL, e);

    for (size_t i = 0; i < all.n; i++) {
        const struct network *n = LIST_AT(struct network, &all, i);

        if (network_is_bridge(n))
            zone_leave(roots, network_bridge(n, &a));
        r = network_is_bridge(n) ? link_delete(network_bridge(n, &a), first < 0 ? NULL : e) : 0;
        first = first < 0 ? first : r;
    }
    r = firewall_remove(roots, first < 0 ? NULL : e);
    first = first < 0 ? first : r;
    r = forwarding_restore(roots, first < 0 ? NULL : e);
    first = first < 0 ? first : r;
    (void)fs_unlink_at(roots->run_fd, ZONE_STAMP, NULL);
    r = fs_remove_tree_at(roots->run_fd, "leases", first < 0 ? NULL : e);
    return first < 0 ? first : r;
}

#include "network/explain.h"

#include <linux/netfilter.h>
#include <string.h>

#include "kernel/firewalld.h"
#include "network/firewall.h"
#include "network/port.h"
#include "network/zone.h"

struct drops {
    struct arena *arena;
    struct list *list;
    const char *bridge, *own;
};

static const char *family_name(uint8_t family) {
    return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : family == NFPROTO_INET ? "inet" : NULL;
}

/* What one chain does with what a bridge forwards, up to its first rule that ends the way of everything. */
struct passage {
    const char *bridge;
    bool from, to; /* let through without further questions from it, and in one way or another to it */
    bool jumps;    /* other chains may let it through */
    bool ends, drops;
};

static int take_rule(const struct nft_rule_info *rule, void *arg) {
    struct passage *p = arg;
    bool all = !*rule->iifname && !*rule->oifname && !rule->has_more;

    if (p->ends)
        return 0;
    if (rule->end == NFT_ACCEPTS && !*rule->oifname && !rule->has_more && strcmp(rule->iifname, p->bridge) == 0)
        p->from = true;
    if (rule->end == NFT_ACCEPTS && !*rule->iifname && strcmp(rule->oifname, p->bridge) == 0)
        p->to = true;
    p->jumps = p->jumps || rule->end == NFT_JUMPS;
    p->ends = all && (rule->end == NFT_ACCEPTS || rule->end == NFT_DROPS);
    if (p->ends)
        p->drops = rule->end == NFT_DROPS && !p->jumps;
    return 0;
}

static int take_chain(const struct nft_chain_info *info, void *arg) {
    struct drops *d = arg;
    const char *family = family_name(info->family);
    struct passage p = {.bridge = d->bridge, .drops = info->drops};
    struct foreign_drop *drop;

    /* firewalld's are its zones' matter */
    if (!family || !info->is_base || info->hook != NF_INET_FORWARD || strcmp(info->table, d->own) == 0 ||
        strcmp(info->table, "firewalld") == 0)
        return 0;
    (void)nft_each_rule(info, take_rule, &p, NULL);
    if (!p.drops || (p.from && p.to))
        return 0;
    drop = LIST_ADD(d->arena, struct foreign_drop, d->list);
    drop->family = family;
    drop->table = arena_strdup(d->arena, info->table);
    drop->chain = arena_strdup(d->arena, info->name);
    drop->command = arena_printf(d->arena,
                                 "nft 'insert rule %s %s %s iifname \"%s\" accept; "
                                 "insert rule %s %s %s oifname \"%s\" ct status dnat accept; "
                                 "insert rule %s %s %s oifname \"%s\" ct state established,related accept'",
                                 family, drop->table, drop->chain, d->bridge, family, drop->table, drop->chain, d->bridge, family,
                                 drop->table, drop->chain, d->bridge);
    return 0;
}

int explain_foreign_drops(const struct roots *roots, const char *bridge, struct arena *a, struct list *ret, struct error *e) {
    char own[FIREWALL_TABLE_MAX];
    struct drops d = {.arena = a, .list = ret, .bridge = bridge, .own = own};

    firewall_table_name(roots, own);
    return nft_each_chain(take_chain, &d, e);
}

/* --- text
 * -------------------------------------------------------------------------------------------------------------------------- */

static void explain_containers(const struct network *n, struct buf *out) {
    if (n->containers.n == 0)
        buf_add_str(out, "  no container is attached\n");
    for (size_t i = 0; i < n->containers.n; i++) {
        const struct network_endpoint *c = LIST_AT(struct network_endpoint, &n->containers, i);

        buf_printf(out, "  %s (%.12s): %s%s%s, MAC %s\n", c->name, c->key, c->ipv4, *c->ipv4 && *c->ipv6 ? " and " : "", c->ipv6,
                   c->mac);
    }
}

/* Where a family of addresses does not stand to the world as all others do. */
static void explain_gateway_mode(const struct network *n, enum ip_family family, struct buf *out) {
    static const char *const texts[] = {
        [GATEWAY_UNPROTECTED] = "every port of a container is reached from outside, at its own address",
        [GATEWAY_ROUTED] = "nothing is translated: a container sends under its own address, and its published ports are reached "
                           "there",
        [GATEWAY_ISOLATED] = "the bridge has no address: not even the host reaches a container, or is reached",
    };
    const enum gateway_mode mode = network_gateway_mode(n, family);

    if (mode == GATEWAY_NAT)
        return;
    buf_printf(out, "IPv%c: %s\n", family == IP_V6 ? '6' : '4', texts[mode]);
}

static void explain_reach(const struct network *n, const char *bridge, enum firewall_state filter, struct buf *out) {
    bool icc = network_option_is(n, "com.docker.network.bridge.enable_icc", true);
    bool masquerade = network_option_is(n, "com.docker.network.bridge.enable_ip_masquerade", true);

    buf_printf(out, "containers of this network %s each other%s\n", icc ? "reach" : "do not reach",
               icc ? " (same bridge)" : ": inter-container communication is off (bridge ports are isolated)");
    buf_printf(
        out, "a container sends under %s\n",
        !network_option_is(n, OPTION_SOURCE_CHECK, true)
            ? "any MAC and address: source_check is off, so that it can pose as another"
        : filter == FIREWALL_UNCHECKED
            ? "its own MAC, but any address: this kernel has no tables of family bridge (CONFIG_NF_TABLES_BRIDGE), so that it "
              "can pose as another"
            : "its own MAC and addresses alone (table bridge, chain source)");
    if (n->internal)
        buf_printf(out, "nothing outside is reached: the network is internal (set internal: %s)\n", bridge);
    else
        buf_printf(out, "the world is reached %s (chain outward)\n",
                   masquerade ? "under the host's address" : "under the containers' own addresses: masquerading is off");
    buf_add_str(
        out,
        "from other networks and from outside, only published ports are reached (chain to_container: ct status dnat, then drop)\n");
    explain_gateway_mode(n, IP_V4, out);
    explain_gateway_mode(n, IP_V6, out);
}

static bool has_container(const struct network *n, const char *id) {
    for (size_t i = 0; i < n->containers.n; i++)
        if (strcmp(LIST_AT(struct network_endpoint, &n->containers, i)->key, id) == 0)
            return true;
    return false;
}

void explain_port(const struct port_record *p, struct buf *out) {
    bool loopback = ip_is_loopback(&p->host_ip);
    char ip[IP_TEXT_MAX], target[IP_TEXT_MAX];

    ip_format(p->target4.family != IP_NONE ? &p->target4 : &p->target6, target);
    buf_printf(out, "  port %u/%s at %s leads to %s%s%s port %u%s%s\n", p->host_port, port_protocol_name(p->protocol),
               p->host_ip.family == IP_NONE ? "every address of the host" : ip_format(&p->host_ip, ip), p->container_name,
               *target ? " " : "", target, p->container_port,
               loopback ? ", from this host alone (chain guard drops what comes from a wire for a loopback address)" : "",
               p->by_input ? ", through a relay: the host's own input rules apply, and the container sees the host as its client"
                           : "");
}

static int explain_ports(const struct roots *roots, const struct network *n, struct arena *a, struct buf *out, struct error *e) {
    struct list records = {0};
    int r = port_list(roots, a, &records, e);

    for (size_t i = 0; r == 0 && i < records.n; i++)
        if (has_container(n, LIST_AT(struct port_record, &records, i)->container_id))
            explain_port(LIST_AT(struct port_record, &records, i), out);
    return r;
}

int explain_obstacles(const struct roots *roots, const struct network *n, struct arena *a, struct buf *out, struct error *e) {
    struct list drops = {0};
    const char *bridge = network_bridge(n, a);
    char zone[FIREWALLD_ZONE_MAX];
    int r = explain_foreign_drops(roots, bridge, a, &drops, e);

    if (zone_of(roots, bridge, zone) && *zone)
        buf_printf(out, "firewalld runs: bridge %s is in its zone %s\n", bridge, zone);
    else if (zone_of(roots, bridge, zone))
        buf_printf(out,
                   "BLOCKED: firewalld runs and has bridge %s in no zone, so that it rejects what containers send. This opens it:\n"
                   "  tare network reload %s\n",
                   bridge, n->name);
    for (size_t i = 0; r == 0 && i < drops.n; i++) {
        const struct foreign_drop *d = LIST_AT(struct foreign_drop, &drops, i);

        buf_printf(out,
                   "BLOCKED: chain %s of table %s %s drops what is forwarded, and a drop is final. This opens it for %s:\n  %s\n",
                   d->chain, d->family, d->table, bridge, d->command);
    }
    return r;
}

void explain_table(const struct roots *roots, struct buf *out) {
    char table[FIREWALL_TABLE_MAX];

    firewall_table_name(roots, table);
    buf_printf(out, "packet filter: table inet %s %s\n", table,
               firewall_look(roots) != FIREWALL_BROKEN ? "is whole"
                                                       : "is not there or was flushed (tare network reload puts it back)");
}

static void explain_state(const struct roots *roots, const struct network *n, const char *bridge, struct buf *out) {
    buf_printf(out, "network %s (%.12s), driver %s, bridge %s: %s\n", n->name, n->id, n->driver, bridge,
               link_index(bridge) ? "up" : "not there (made when a container is attached)");
    for (size_t i = 0; i < n->ipam.config.n; i++) {
        const struct network_subnet *s = LIST_AT(struct network_subnet, &n->ipam.config, i);

        buf_printf(out, "subnet %s, gateway %s\n", s->subnet, s->gateway ? s->gateway : "none");
    }
    explain_table(roots, out);
}

int explain_network(const struct roots *roots, const char *name_or_id, struct arena *a, struct buf *out, struct error *e) {
    struct network n;
    const char *bridge;
    enum firewall_state filter;
    int r = network_inspect(roots, name_or_id, a, &n, e);

    if (r < 0)
        return r;
    if (!network_is_bridge(&n)) {
        const char *parent = network_option(&n, "parent");

        buf_printf(out, "network %s, driver %s: %s%s; the packet filter of tare has no part in it\n", n.name, n.driver,
                   parent ? "directly on interface " : "no interfaces of its own", parent ? parent : "");
        explain_containers(&n, out);
        return 0;
    }
    bridge = network_bridge(&n, a);
    filter = firewall_look(roots);
    explain_state(roots, &n, bridge, out);
    explain_containers(&n, out);
    explain_reach(&n, bridge, filter, out);
    r = explain_ports(roots, &n, a, out, e);
    return r < 0 ? r : explain_obstacles(roots, &n, a, out, e);
}

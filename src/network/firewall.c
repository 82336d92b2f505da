#include "network/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>
#include <net/if.h>
#include <string.h>

#include "network/rootless.h"
#include "network/source_filter.h"

#define LOOKS_MAX 2 /* at the table, and at that of family bridge */
#define SIZE_PORT 8 /* inet_proto . inet_service, each on four bytes */

/* Says also which version of chains, sets and rules it is: with other ones, another number. A table that an earlier tare has made
 * is then made anew by the next start on a network. */
#define COMMENT           "tare's own, version 5; see tare network explain"
#define COMMENT_UNCHECKED "tare's own, version 5; sources are not checked: no tables of family bridge in this kernel"

static const struct nft_set sets[] = {
    {.name = "bridges", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ},
    {.name = "internal", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ},
    {.name = "outgoing4", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ},
    {.name = "outgoing6", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ},
    {.name = "unprotected4", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ},
    {.name = "unprotected6", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ},
    {.name = "opened", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ},
    {.name = "hairpin", .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IFNAME), .key_size = 2 * IFNAMSIZ},
    {.name = "neighbours", .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IFNAME), .key_size = 2 * IFNAMSIZ},
    {.name = "any4",
     .key_type = NFT_CONCAT2(NFT_TYPE_PROTO, NFT_TYPE_PORT),
     .key_size = SIZE_PORT,
     .data_type = NFT_CONCAT2(NFT_TYPE_IPV4, NFT_TYPE_PORT),
     .data_size = 8,
     .is_changing = true},
    {.name = "any6",
     .key_type = NFT_CONCAT2(NFT_TYPE_PROTO, NFT_TYPE_PORT),
     .key_size = SIZE_PORT,
     .data_type = NFT_CONCAT2(NFT_TYPE_IPV6, NFT_TYPE_PORT),
     .data_size = 20,
     .is_changing = true},
    {.name = "at4",
     .key_type = NFT_CONCAT3(NFT_TYPE_IPV4, NFT_TYPE_PROTO, NFT_TYPE_PORT),
     .key_size = 4 + SIZE_PORT,
     .data_type = NFT_CONCAT2(NFT_TYPE_IPV4, NFT_TYPE_PORT),
     .data_size = 8,
     .is_changing = true},
    {.name = "at6",
     .key_type = NFT_CONCAT3(NFT_TYPE_IPV6, NFT_TYPE_PROTO, NFT_TYPE_PORT),
     .key_size = 16 + SIZE_PORT,
     .data_type = NFT_CONCAT2(NFT_TYPE_IPV6, NFT_TYPE_PORT),
     .data_size = 20,
     .is_changing = true},
    {.name = "routed4",
     .key_type = NFT_CONCAT3(NFT_TYPE_IPV4, NFT_TYPE_PROTO, NFT_TYPE_PORT),
     .key_size = 4 + SIZE_PORT,
     .is_changing = true},
    {.name = "routed6",
     .key_type = NFT_CONCAT3(NFT_TYPE_IPV6, NFT_TYPE_PROTO, NFT_TYPE_PORT),
     .key_size = 16 + SIZE_PORT,
     .is_changing = true},
};

/* `dnat` and `snat`, words of nft(8)'s language, are no names for chains: it could not read what it lists. */
static const struct nft_chain chains[] = {
    {.name = "guard", .type = "filter", .hook = NF_INET_PRE_ROUTING, .priority = NF_IP_PRI_RAW},
    {.name = "inward", .type = "nat", .hook = NF_INET_PRE_ROUTING, .priority = NF_IP_PRI_NAT_DST},
    {.name = "inward_local", .type = "nat", .hook = NF_INET_LOCAL_OUT, .priority = NF_IP_PRI_NAT_DST},
    {.name = "outward", .type = "nat", .hook = NF_INET_POST_ROUTING, .priority = NF_IP_PRI_NAT_SRC},
    {.name = "forward", .type = "filter", .hook = NF_INET_FORWARD, .priority = NF_IP_PRI_FILTER},
    {.name = "to_container"},
    {.name = "from_container"},
};

#define CT_KNOWN (NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED))

#define IIF_IN(set)                                                                                                                \
    { .kind = TERM_IIF_IN, .name = (set) }
#define IIF_NOT_IN(set)                                                                                                            \
    { .kind = TERM_IIF_IN, .name = (set), .not = true }
#define OIF_IN(set)                                                                                                                \
    { .kind = TERM_OIF_IN, .name = (set) }
#define OIF_NOT_IN(set)                                                                                                            \
    { .kind = TERM_OIF_IN, .name = (set), .not = true }
#define PAIR_IN(set)                                                                                                               \
    { .kind = TERM_PAIR_IN, .name = (set) }
#define IIF_NOT(ifname)                                                                                                            \
    { .kind = TERM_IIF, .name = (ifname), .not = true }
#define KNOWN                                                                                                                      \
    { .kind = TERM_CT_STATE, .value = CT_KNOWN }
#define UNKNOWN                                                                                                                    \
    { .kind = TERM_CT_STATE, .value = CT_KNOWN, .not = true }
#define TRANSLATED                                                                                                                 \
    { .kind = TERM_CT_STATUS, .value = IPS_DST_NAT }
#define NOT_TRANSLATED                                                                                                             \
    { .kind = TERM_CT_STATUS, .value = IPS_DST_NAT, .not = true }
#define FOREIGN                                                                                                                    \
    { .kind = TERM_SADDR_LOCAL, .not = true }
#define FAMILY(v)                                                                                                                  \
    { .kind = TERM_FAMILY, .value = (v) }
#define DPORT_IN(set, v)                                                                                                           \
    { .kind = TERM_DPORT_IN, .name = (set), .value = (v) }
#define TERM(k)                                                                                                                    \
    { .kind = TERM_##k }
#define DNAT(k, set, v)                                                                                                            \
    { .kind = TERM_DNAT_##k, .name = (set), .value = (v) }
#define JUMP(chain)                                                                                                                \
    { .kind = TERM_JUMP, .name = (chain) }

static const struct nft_rule rules[] = {
    {"guard", {IIF_NOT("lo"), TERM(DADDR_127), TERM(DROP)}},

    {"inward", {DNAT(AT, "at4", 4)}},
    {"inward", {DNAT(AT, "at6", 6)}},
    {"inward", {TERM(DADDR_LOCAL), DNAT(ANY, "any4", 4)}},
    {"inward", {TERM(DADDR_LOCAL), DNAT(ANY, "any6", 6)}},

    /* A packet from ::1 can never leave by another interface: that one address is relayed, so its packets stay as they are. */
    {"inward_local", {TERM(DADDR_ONE6), TERM(ACCEPT)}},
    {"inward_local", {DNAT(AT, "at4", 4)}},
    {"inward_local", {DNAT(AT, "at6", 6)}},
    {"inward_local", {TERM(DADDR_LOCAL), DNAT(ANY, "any4", 4)}},
    {"inward_local", {TERM(DADDR_LOCAL), DNAT(ANY, "any6", 6)}},

    /* Client and server in one network: without this the server would answer past the translation. Where bridged packets pass here
     * (br_netfilter), such a one has no incoming interface any more; packets of the host's own have none either, and keep their
     * address. */
    {"outward", {PAIR_IN("hairpin"), TRANSLATED, FOREIGN, TERM(MASQUERADE)}},
    {"outward", {TERM(NO_IIF), OIF_IN("bridges"), TRANSLATED, FOREIGN, TERM(MASQUERADE)}},
    {"outward", {OIF_IN("bridges"), TERM(SADDR_127), TERM(MASQUERADE)}},
    {"outward", {FAMILY(4), IIF_IN("outgoing4"), OIF_NOT_IN("bridges"), TERM(MASQUERADE)}},
    {"outward", {FAMILY(6), IIF_IN("outgoing6"), OIF_NOT_IN("bridges"), TERM(MASQUERADE)}},

    {"forward", {IIF_IN("opened"), OIF_NOT_IN("bridges"), UNKNOWN, NOT_TRANSLATED, TERM(DROP)}},
    {"forward", {OIF_IN("bridges"), JUMP("to_container")}},
    {"forward", {IIF_IN("bridges"), JUMP("from_container")}},

    {"to_container", {KNOWN, TERM(ACCEPT)}},
    {"to_container", {PAIR_IN("neighbours"), TERM(ACCEPT)}},
    {"to_container", {IIF_IN("internal"), TERM(DROP)}},
    {"to_container", {OIF_IN("internal"), TERM(DROP)}},
    {"to_container", {TRANSLATED, TERM(ACCEPT)}},
    {"to_container", {DPORT_IN("routed4", 4), TERM(ACCEPT)}},
    {"to_container", {DPORT_IN("routed6", 6), TERM(ACCEPT)}},
    {"to_container", {FAMILY(4), IIF_NOT_IN("bridges"), OIF_IN("unprotected4"), TERM(ACCEPT)}},
    {"to_container", {FAMILY(6), IIF_NOT_IN("bridges"), OIF_IN("unprotected6"), TERM(ACCEPT)}},
    {"to_container", {TERM(DROP)}},

    {"from_container", {IIF_IN("internal"), TERM(DROP)}},
    {"from_container", {TERM(ACCEPT)}},
};

void firewall_table_name(const struct roots *roots, char name[FIREWALL_TABLE_MAX]) {
    (void)snprintf(name, FIREWALL_TABLE_MAX, "tare%s", roots->tag);
}

/* Only where published ports are relayed under the client's address: see relay_connect.c. The connection, whose first packet the
 * relay has marked, marks what comes back. */
static const struct nft_chain relay_chains[] = {
    {.name = "relay_out", .type = "filter", .hook = NF_INET_LOCAL_OUT, .priority = NF_IP_PRI_MANGLE},
    {.name = "relay_back", .type = "filter", .hook = NF_INET_PRE_ROUTING, .priority = NF_IP_PRI_MANGLE},
};
static const struct nft_rule relay_rules[] = {
    {"relay_out", {{.kind = TERM_MARK, .value = MARK_OUT}, {.kind = TERM_SET_CT_MARK, .value = MARK_BACK}}},
    {"relay_back", {{.kind = TERM_CT_MARK, .value = MARK_BACK}, {.kind = TERM_SET_MARK, .value = MARK_BACK}}},
};

static uint32_t rules_of(const char *chain) {
    uint32_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        n += strcmp(rules[i].chain, chain) == 0;
    return n;
}

/* What `nft flush` takes, it takes from every chain: one chain's rules stand for all. */
static struct nft_look whole(const struct roots *roots, const char *comment) {
    return (struct nft_look){.chain = "forward",
                             .comment = comment,
                             .objects = ARRAY_SIZE(sets) + ARRAY_SIZE(chains) + (roots->rootless ? ARRAY_SIZE(relay_chains) : 0),
                             .rules = rules_of("forward"),
                             .has_comment = true};
}

/* Are all tables as they are wanted? */
static bool are(const struct roots *roots, const struct nft_look *wanted, size_t n) {
    struct nft_look found[LOOKS_MAX];
    char table[FIREWALL_TABLE_MAX];

    for (size_t i = 0; i < n; i++)
        found[i] = (struct nft_look){wanted[i].family, wanted[i].chain, wanted[i].comment, 0, 0, false};
    firewall_table_name(roots, table);
    if (nft_table_look(table, found, n, NULL) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!found[i].has_comment || found[i].objects != wanted[i].objects || found[i].rules != wanted[i].rules)
            return false;
    return true;
}

enum firewall_state firewall_look(const struct roots *roots) {
    const struct nft_look both[LOOKS_MAX] = {whole(roots, COMMENT), source_filter_whole(COMMENT)},
                          alone = whole(roots, COMMENT_UNCHECKED);

    if (are(roots, both, LOOKS_MAX))
        return FIREWALL_WHOLE;
    return are(roots, &alone, 1) ? FIREWALL_UNCHECKED : FIREWALL_BROKEN;
}

void firewall_build(struct netlink_batch *b, const char *table, bool rootless, bool checked) {
    nft_begin(b);
    /* Made first, so that the deletion cannot fail; all of it is one transaction, and no packet sees a moment between. */
    nft_add_table(b, 0, table, NULL, false);
    nft_delete_table(b, 0, table);
    nft_add_table(b, 0, table, checked ? COMMENT : COMMENT_UNCHECKED, false);
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        nft_add_set(b, table, &sets[i]);
    for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
        nft_add_chain(b, table, &chains[i]);
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        nft_add_rule(b, table, &rules[i]);
    for (size_t i = 0; rootless && i < ARRAY_SIZE(relay_chains); i++)
        nft_add_chain(b, table, &relay_chains[i]);
    for (size_t i = 0; rootless && i < ARRAY_SIZE(relay_rules); i++)
        nft_add_rule(b, table, &relay_rules[i]);
    if (checked)
        source_filter_build(b, table, COMMENT);
}

/* `second` NULL: the set's key is one name. */
static void add_name(struct netlink_batch *b, const char *table, const char *set, const char *name, const char *second) {
    struct nft_element element = {0};

    (void)snprintf(element.set, sizeof(element.set), "%s", set);
    nft_element_key_name(&element, name);
    if (second)
        nft_element_key_name(&element, second);
    nft_add_element(b, table, &element);
}

void firewall_add_bridge(struct netlink_batch *b, const char *table, const struct firewall_bridge *bridge) {
    const struct {
        bool is;
        const char *set;
    } sets_of_it[] = {
        {true, "bridges"},
        {bridge->internal, "internal"},
        {bridge->masquerade4 && !bridge->internal, "outgoing4"},
        {bridge->masquerade6 && !bridge->internal, "outgoing6"},
        {bridge->unprotected4, "unprotected4"},
        {bridge->unprotected6, "unprotected6"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(sets_of_it); i++)
        if (sets_of_it[i].is)
            add_name(b, table, sets_of_it[i].set, bridge->name, NULL);
    add_name(b, table, "hairpin", bridge->name, bridge->name);
    if (bridge->icc)
        add_name(b, table, "neighbours", bridge->name, bridge->name);
}

void firewall_add_opened(struct netlink_batch *b, const char *table, const char *ifname) {
    add_name(b, table, "opened", ifname, NULL);
}

int firewall_remove(const struct roots *roots, struct error *e) {
    static const uint8_t families[] = {NFPROTO_BRIDGE, NFPROTO_INET};
    char table[FIREWALL_TABLE_MAX];
    int r = 0;

    firewall_table_name(roots, table);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
        bool may_lack = families[i] == NFPROTO_BRIDGE;

        nft_begin(&b);
        nft_add_table(&b, families[i], table, NULL, false); /* so that absent is success */
        nft_delete_table(&b, families[i], table);
        r = nft_commit(&b, e);
        if (r == -EOPNOTSUPP && may_lack) {
            error_release(e);
            r = 0;
        }
    }
    return r < 0 ? error_wrap(e, r, "remove the packet filter's table %s", table) : 0;
}

void firewall_port_element(uint8_t protocol, const struct ip_address *host_ip, uint16_t host_port, const struct ip_address *target,
                           uint16_t target_port, struct nft_element *ret) {
    uint16_t port = htons(host_port), to = htons(target_port);
    bool any = host_ip->family == IP_NONE || ip_is_unspecified(host_ip), routed = ip_is_equal(host_ip, target);
    struct nft_element element = {0};

    (void)snprintf(element.set, sizeof(element.set), "%s%c",
                   routed ? "routed"
                   : any  ? "any"
                          : "at",
                   target->family == IP_V6 ? '6' : '4');
    if (!any)
        nft_element_key(&element, host_ip->bytes, ip_bits(host_ip) / 8);
    nft_element_key(&element, &protocol, 1);
    nft_element_key(&element, &port, sizeof(port));
    if (!routed) {
        nft_element_data(&element, target->bytes, ip_bits(target) / 8);
        nft_element_data(&element, &to, sizeof(to));
    }
    *ret = element;
}

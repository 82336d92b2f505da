/* Terms of rules as the kernel's expressions: each reads something into registers and compares it, or ends the rule. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/nft.h"

/* Registers are four bytes each; a concatenation lies in consecutive ones. */
#define REG(n)    (NFT_REG32_00 + (n))
#define NAME_REGS (IFNAMSIZ / 4)

static void expression(struct netlink_batch *b, const char *name) {
    netlink_nest(b, NFTA_LIST_ELEM);
    netlink_attr_str(b, NFTA_EXPR_NAME, name);
    netlink_nest(b, NFTA_EXPR_DATA);
}

static void expression_end(struct netlink_batch *b) {
    netlink_nest_end(b);
    netlink_nest_end(b);
}

static void load_meta(struct netlink_batch *b, uint32_t key, unsigned reg) {
    expression(b, "meta");
    netlink_attr_be32(b, NFTA_META_DREG, REG(reg));
    netlink_attr_be32(b, NFTA_META_KEY, key);
    expression_end(b);
}

static void load_payload(struct netlink_batch *b, uint32_t base, uint32_t offset, uint32_t size, unsigned reg) {
    expression(b, "payload");
    netlink_attr_be32(b, NFTA_PAYLOAD_DREG, REG(reg));
    netlink_attr_be32(b, NFTA_PAYLOAD_BASE, base);
    netlink_attr_be32(b, NFTA_PAYLOAD_OFFSET, offset);
    netlink_attr_be32(b, NFTA_PAYLOAD_LEN, size);
    expression_end(b);
}

static void load_ct(struct netlink_batch *b, uint32_t key) {
    expression(b, "ct");
    netlink_attr_be32(b, NFTA_CT_DREG, REG(0));
    netlink_attr_be32(b, NFTA_CT_KEY, key);
    expression_end(b);
}

static void value(struct netlink_batch *b, unsigned attr, const void *p, size_t size) {
    netlink_nest(b, attr);
    netlink_attr(b, NFTA_DATA_VALUE, p, size);
    netlink_nest_end(b);
}

static void compare(struct netlink_batch *b, uint32_t op, const void *p, size_t size) {
    expression(b, "cmp");
    netlink_attr_be32(b, NFTA_CMP_SREG, REG(0));
    netlink_attr_be32(b, NFTA_CMP_OP, op);
    value(b, NFTA_CMP_DATA, p, size);
    expression_end(b);
}

static void mask(struct netlink_batch *b, const void *bits, const void *zero, uint32_t size) {
    expression(b, "bitwise");
    netlink_attr_be32(b, NFTA_BITWISE_SREG, REG(0));
    netlink_attr_be32(b, NFTA_BITWISE_DREG, REG(0));
    netlink_attr_be32(b, NFTA_BITWISE_LEN, size);
    value(b, NFTA_BITWISE_MASK, bits, size);
    value(b, NFTA_BITWISE_XOR, zero, size);
    expression_end(b);
}

static void look_up(struct netlink_batch *b, const char *set, bool not ) {
    expression(b, "lookup");
    netlink_attr_str(b, NFTA_LOOKUP_SET, set);
    netlink_attr_be32(b, NFTA_LOOKUP_SREG, REG(0));
    if (not )
        netlink_attr_be32(b, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    expression_end(b);
}

static void verdict(struct netlink_batch *b, int32_t code, const char *chain) {
    expression(b, "immediate");
    netlink_attr_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    netlink_nest(b, NFTA_IMMEDIATE_DATA);
    netlink_nest(b, NFTA_DATA_VERDICT);
    netlink_attr_be32(b, NFTA_VERDICT_CODE, (uint32_t)code);
    if (chain)
        netlink_attr_str(b, NFTA_VERDICT_CHAIN, chain);
    netlink_nest_end(b);
    netlink_nest_end(b);
    expression_end(b);
}

static void match_family(struct netlink_batch *b, uint32_t family) {
    uint8_t v = family == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

    load_meta(b, NFT_META_NFPROTO, 0);
    compare(b, NFT_CMP_EQ, &v, sizeof(v));
}

static void match_bits(struct netlink_batch *b, uint32_t key, uint32_t bits, bool not ) {
    static const uint32_t zero;

    load_ct(b, key);
    mask(b, &bits, &zero, sizeof(bits));
    compare(b, not ? NFT_CMP_EQ : NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void match_local(struct netlink_batch *b, uint32_t which, bool not ) {
    uint32_t local = RTN_LOCAL;

    expression(b, "fib");
    netlink_attr_be32(b, NFTA_FIB_DREG, REG(0));
    netlink_attr_be32(b, NFTA_FIB_FLAGS, which);
    netlink_attr_be32(b, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    expression_end(b);
    compare(b, not ? NFT_CMP_NEQ : NFT_CMP_EQ, &local, sizeof(local));
}

#define IPV4_SOURCE      12 /* offsets in the network header */
#define IPV4_DESTINATION 16
#define IPV6_SOURCE      8
#define IPV6_DESTINATION 24
#define MAC_SOURCE       6 /* in the Ethernet header */
#define ARP_SENDER_MAC   8 /* in ARP's header for Ethernet and IPv4 */
#define ARP_SENDER_IP    14
#define ND_TARGET        8 /* in neighbour solicitations and advertisements */
#define PORT_DESTINATION 2 /* in the headers of TCP, UDP and SCTP alike */

static void match_127(struct netlink_batch *b, uint32_t offset) {
    static const uint8_t first = 127;

    match_family(b, 4);
    load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, offset, 1, 0); /* 127.0.0.0/8 is the first byte */
    compare(b, NFT_CMP_EQ, &first, sizeof(first));
}

static void match_one6(struct netlink_batch *b) {
    static const uint8_t one[16] = {[15] = 1};

    match_family(b, 6);
    load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, IPV6_DESTINATION, sizeof(one), 0);
    compare(b, NFT_CMP_EQ, one, sizeof(one));
}

static void match_ethertype(struct netlink_batch *b, uint16_t ethertype) {
    uint16_t v = htons(ethertype);

    load_meta(b, NFT_META_PROTOCOL, 0);
    compare(b, NFT_CMP_EQ, &v, sizeof(v));
}

/* What a frame claims: the port that it came from, a MAC, an address. */
static void match_claim(struct netlink_batch *b, const struct nft_term *t) {
    static const struct {
        uint8_t mac_base, mac_at, ip_base, ip_at, ip_size;
    } parts[] = {
        [TERM_SOURCE_IN] = {NFT_PAYLOAD_LL_HEADER, MAC_SOURCE, NFT_PAYLOAD_NETWORK_HEADER, IPV4_SOURCE, 4},
        [TERM_ARP_SOURCE_IN] = {NFT_PAYLOAD_LL_HEADER, MAC_SOURCE, NFT_PAYLOAD_NETWORK_HEADER, ARP_SENDER_IP, 4},
        [TERM_ARP_SENDER_IN] = {NFT_PAYLOAD_NETWORK_HEADER, ARP_SENDER_MAC, NFT_PAYLOAD_NETWORK_HEADER, ARP_SENDER_IP, 4},
    };
    bool six = t->kind == TERM_SOURCE_IN && t->value == 6;

    load_meta(b, NFT_META_IIFNAME, 0);
    load_payload(b, parts[t->kind].mac_base, parts[t->kind].mac_at, 6, NAME_REGS);
    load_payload(b, parts[t->kind].ip_base, six ? IPV6_SOURCE : parts[t->kind].ip_at, six ? 16 : parts[t->kind].ip_size,
                 NAME_REGS + 2);
    look_up(b, t->name, t->not );
}

/* The address by halves: nft(8) 1.0.6 knows no word for the whole, newer ones have one of another type. Both read this again. */
static void match_nd_target(struct netlink_batch *b, const struct nft_term *t) {
    load_meta(b, NFT_META_IIFNAME, 0);
    load_payload(b, NFT_PAYLOAD_LL_HEADER, MAC_SOURCE, 6, NAME_REGS);
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, ND_TARGET, 8, NAME_REGS + 2);
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, ND_TARGET + 8, 8, NAME_REGS + 4);
    look_up(b, t->name, t->not );
}

static void match_nd_type(struct netlink_batch *b, uint32_t type) {
    uint8_t protocol = IPPROTO_ICMPV6, wanted = (uint8_t)type;

    match_ethertype(b, ETH_P_IPV6);
    load_meta(b, NFT_META_L4PROTO, 0);
    compare(b, NFT_CMP_EQ, &protocol, sizeof(protocol));
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0);
    compare(b, NFT_CMP_EQ, &wanted, sizeof(wanted));
}

static unsigned address_words(uint32_t family) {
    return family == 6 ? 4 : 1;
}

/* [daddr .] l4proto . dport */
static void load_destination(struct netlink_batch *b, uint32_t family, bool address) {
    unsigned words = address_words(family), reg = address ? words : 0;

    match_family(b, family);
    if (address)
        load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, family == 6 ? IPV6_DESTINATION : IPV4_DESTINATION, words * 4, 0);
    load_meta(b, NFT_META_L4PROTO, reg);
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DESTINATION, 2, reg + 1);
}

/* Looks the new destination (address . port) up, and translates. */
static void translate(struct netlink_batch *b, const struct nft_term *t) {
    unsigned words = address_words(t->value);

    load_destination(b, t->value, t->kind == TERM_DNAT_AT);
    expression(b, "lookup");
    netlink_attr_str(b, NFTA_LOOKUP_SET, t->name);
    netlink_attr_be32(b, NFTA_LOOKUP_SREG, REG(0));
    netlink_attr_be32(b, NFTA_LOOKUP_DREG, REG(0));
    expression_end(b);
    expression(b, "nat");
    netlink_attr_be32(b, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    netlink_attr_be32(b, NFTA_NAT_FAMILY, t->value == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
    netlink_attr_be32(b, NFTA_NAT_REG_ADDR_MIN, REG(0));
    netlink_attr_be32(b, NFTA_NAT_REG_PROTO_MIN, REG(words));
    expression_end(b);
}

static void match_name(struct netlink_batch *b, const struct nft_term *t) {
    char name[IFNAMSIZ] = "";

    (void)snprintf(name, sizeof(name), "%s", t->name);
    load_meta(b, NFT_META_IIFNAME, 0);
    compare(b, t->not ? NFT_CMP_NEQ : NFT_CMP_EQ, name, sizeof(name));
}

static void match_no_interface(struct netlink_batch *b) {
    static const uint32_t none;

    load_meta(b, NFT_META_IIF, 0);
    compare(b, NFT_CMP_EQ, &none, sizeof(none));
}

static void match_mark(struct netlink_batch *b, const struct nft_term *t) {
    if (t->kind == TERM_CT_MARK)
        load_ct(b, NFT_CT_MARK);
    else
        load_meta(b, NFT_META_MARK, 0);
    compare(b, NFT_CMP_EQ, &t->value, sizeof(t->value));
}

static void set_mark(struct netlink_batch *b, const struct nft_term *t) {
    expression(b, "immediate");
    netlink_attr_be32(b, NFTA_IMMEDIATE_DREG, REG(0));
    value(b, NFTA_IMMEDIATE_DATA, &t->value, sizeof(t->value));
    expression_end(b);
    if (t->kind == TERM_SET_CT_MARK) {
        expression(b, "ct");
        netlink_attr_be32(b, NFTA_CT_KEY, NFT_CT_MARK);
        netlink_attr_be32(b, NFTA_CT_SREG, REG(0));
    } else {
        expression(b, "meta");
        netlink_attr_be32(b, NFTA_META_KEY, NFT_META_MARK);
        netlink_attr_be32(b, NFTA_META_SREG, REG(0));
    }
    expression_end(b);
}

static void add_term(struct netlink_batch *b, const struct nft_term *t) {
    switch ((enum nft_term_kind)t->kind) {
    case TERM_END: break;
    case TERM_IIF: match_name(b, t); break;
    case TERM_NO_IIF: match_no_interface(b); break;
    case TERM_IIF_IN:
        load_meta(b, NFT_META_IIFNAME, 0);
        look_up(b, t->name, t->not );
        break;
    case TERM_OIF_IN:
        load_meta(b, NFT_META_OIFNAME, 0);
        look_up(b, t->name, t->not );
        break;
    case TERM_PAIR_IN:
        load_meta(b, NFT_META_IIFNAME, 0);
        load_meta(b, NFT_META_OIFNAME, NAME_REGS);
        look_up(b, t->name, t->not );
        break;
    case TERM_ETHERTYPE: match_ethertype(b, (uint16_t)t->value); break;
    case TERM_SOURCE_IN:
        match_ethertype(b, t->value == 6 ? ETH_P_IPV6 : ETH_P_IP);
        match_claim(b, t);
        break;
    case TERM_ARP_SOURCE_IN:
    case TERM_ARP_SENDER_IN:
        match_ethertype(b, ETH_P_ARP);
        match_claim(b, t);
        break;
    case TERM_ND_TYPE: match_nd_type(b, t->value); break;
    case TERM_ND_TARGET_IN: match_nd_target(b, t); break;
    case TERM_FAMILY: match_family(b, t->value); break;
    case TERM_CT_STATE: match_bits(b, NFT_CT_STATE, t->value, t->not ); break;
    case TERM_CT_STATUS: match_bits(b, NFT_CT_STATUS, t->value, t->not ); break;
    case TERM_DADDR_LOCAL: match_local(b, NFTA_FIB_F_DADDR, t->not ); break;
    case TERM_SADDR_LOCAL: match_local(b, NFTA_FIB_F_SADDR, t->not ); break;
    case TERM_SADDR_127: match_127(b, IPV4_SOURCE); break;
    case TERM_DADDR_127: match_127(b, IPV4_DESTINATION); break;
    case TERM_DADDR_ONE6: match_one6(b); break;
    case TERM_DPORT_IN:
        load_destination(b, t->value, true);
        look_up(b, t->name, t->not );
        break;
    case TERM_DNAT_ANY:
    case TERM_DNAT_AT: translate(b, t); break;
    case TERM_MASQUERADE:
        expression(b, "masq");
        expression_end(b);
        break;
    case TERM_MARK:
    case TERM_CT_MARK: match_mark(b, t); break;
    case TERM_SET_MARK:
    case TERM_SET_CT_MARK: set_mark(b, t); break;
    case TERM_ACCEPT: verdict(b, NF_ACCEPT, NULL); break;
    case TERM_DROP: verdict(b, NF_DROP, NULL); break;
    case TERM_JUMP: verdict(b, NFT_JUMP, t->name); break;
    }
}

void nft_add_rule(struct netlink_batch *b, const char *table, const struct nft_rule *rule) {
    struct nfgenmsg header = {.nfgen_family = rule->family ? rule->family : NFPROTO_INET, .version = NFNETLINK_V0};

    netlink_message(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, &header, sizeof(header));
    netlink_attr_str(b, NFTA_RULE_TABLE, table);
    netlink_attr_str(b, NFTA_RULE_CHAIN, rule->chain);
    netlink_nest(b, NFTA_RULE_EXPRESSIONS);
    for (const struct nft_term *t = rule->terms; t->kind != TERM_END; t++)
        add_term(b, t);
    netlink_nest_end(b);
}

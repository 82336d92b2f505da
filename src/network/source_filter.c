#include "network/source_filter.h"

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <netinet/if_ether.h>
#include <string.h>

#include "network/store.h"

#define MAC_WORDS (2 * sizeof(uint32_t)) /* a MAC within a key */

/* Types of ICMPv6 (RFC 4861). */
#define ROUTER_ADVERTISEMENT    134
#define NEIGHBOUR_ADVERTISEMENT 136
#define REDIRECT                137

/* iifname . ether saddr . @th,64,64 . @th,128,64, as nft(8) keeps it with a set: type, length, value, nested. The numbers are nft's
 * own, of expressions (13 concatenation, 9 meta, 7 payload), of what they read, and of headers. */
#define U32(v) (v), 0, 0, 0
static const uint8_t target_typeof[] = {
    3, 126, 0, 4, U32(13), 1, 118,                              /* the key is a concatenation: */
    0, 14,  0, 4, U32(9),  1, 6,   0, 4, U32(6),                /* meta iifname */
    1, 20,  0, 4, U32(7),  1, 12,  0, 4, U32(17), 1, 4, U32(2), /* ether saddr */
    2, 38,  0, 4, U32(7),  1, 30,  0, 4, U32(0),  1, 4, U32(0), 2, 4, U32(3), 3, 4, U32(64),  4, 4, U32(64),
    3, 38,  0, 4, U32(7),  1, 30,  0, 4, U32(0),  1, 4, U32(0), 2, 4, U32(3), 3, 4, U32(128), 4, 4, U32(64),
};

static const struct nft_set sets[] = {
    {NFPROTO_BRIDGE, .name = "ports", .key_type = NFT_TYPE_IFNAME, .key_size = IFNAMSIZ, .is_changing = true},
    {NFPROTO_BRIDGE, .name = "source4", .key_type = NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_MAC, NFT_TYPE_IPV4),
     .key_size = IFNAMSIZ + MAC_WORDS + 4, .is_changing = true},
    {NFPROTO_BRIDGE, .name = "source6", .key_type = NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_MAC, NFT_TYPE_IPV6),
     .key_size = IFNAMSIZ + MAC_WORDS + 16, .is_changing = true},
    {NFPROTO_BRIDGE, .name = "target6", .key_type = NFT_CONCAT4(NFT_TYPE_IFNAME, NFT_TYPE_MAC, NFT_TYPE_INTEGER, NFT_TYPE_INTEGER),
     .key_size = IFNAMSIZ + MAC_WORDS + 16, .key_typeof = target_typeof, .key_typeof_size = sizeof(target_typeof),
     .is_changing = true},
};

/* Before any translation, and before the bridge's own look at the frame. */
static const struct nft_chain source = {NFPROTO_BRIDGE, .name = "source", .type = "filter", .hook = NF_BR_PRE_ROUTING,
                                        .priority = NF_BR_PRI_FIRST + 1};

#define RULE(...)                                                                                                                  \
    { "source", {__VA_ARGS__}, NFPROTO_BRIDGE }
#define NOT_IN(k, set)                                                                                                             \
    { .kind = TERM_##k, .name = (set), .not = true }
#define IN(k, set, v)                                                                                                              \
    { .kind = TERM_##k, .name = (set), .value = (v) }
#define ND_TYPE(v)                                                                                                                 \
    { .kind = TERM_ND_TYPE, .value = (v) }
#define DROP                                                                                                                       \
    { .kind = TERM_DROP }
#define ACCEPT                                                                                                                     \
    { .kind = TERM_ACCEPT }

static const struct nft_rule rules[] = {
    RULE(IN(SOURCE_IN, "source4", 4), ACCEPT), /* first what comes most often */
    RULE(NOT_IN(IIF_IN, "ports"), ACCEPT),

    RULE(ND_TYPE(NEIGHBOUR_ADVERTISEMENT), NOT_IN(ND_TARGET_IN, "target6"), DROP),
    RULE(ND_TYPE(ROUTER_ADVERTISEMENT), DROP),
    RULE(ND_TYPE(REDIRECT), DROP),
    RULE(IN(SOURCE_IN, "source6", 6), ACCEPT),

    /* Frame and message are two claims: caches learn from the message. */
    RULE(NOT_IN(ARP_SENDER_IN, "source4"), DROP),
    RULE(IN(ARP_SOURCE_IN, "source4", 0), ACCEPT),

    RULE(DROP),
};

void source_filter_build(struct netlink_batch *b, const char *table, const char *comment) {
    nft_add_table(b, NFPROTO_BRIDGE, table, NULL, false);
    nft_delete_table(b, NFPROTO_BRIDGE, table);
    nft_add_table(b, NFPROTO_BRIDGE, table, comment, false);
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        nft_add_set(b, table, &sets[i]);
    nft_add_chain(b, table, &source);
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        nft_add_rule(b, table, &rules[i]);
}

struct nft_look source_filter_whole(const char *comment) {
    return (struct nft_look){NFPROTO_BRIDGE, source.name, comment, ARRAY_SIZE(sets) + 1, ARRAY_SIZE(rules), true};
}

static struct nft_element *add(const char *set, const struct link *l, struct arena *a, struct list *ret) {
    struct nft_element *element = LIST_ADD(a, struct nft_element, ret);

    element->family = NFPROTO_BRIDGE;
    (void)snprintf(element->set, sizeof(element->set), "%s", set);
    nft_element_key_name(element, l->host_name);
    return element;
}

static void add_to(const char *set, const struct link *l, const struct ip_address *address, struct arena *a, struct list *ret) {
    struct nft_element *element = add(set, l, a, ret);

    nft_element_key(element, l->mac, MAC_SIZE);
    nft_element_key(element, address->bytes, ip_bits(address) / 8);
}

static void add_source(const struct link *l, const struct ip_address *address, struct arena *a, struct list *ret) {
    add_to(address->family == IP_V6 ? "source6" : "source4", l, address, a, ret);
    if (address->family == IP_V6)
        add_to("target6", l, address, a, ret);
}

/* The one that the kernel gives every interface (RFC 4291, appendix A). */
static struct ip_address link_local(const uint8_t mac[MAC_SIZE]) {
    return (struct ip_address){IP_V6, {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};
}

void source_filter_elements(const struct link *l, struct arena *a, struct list *ret) {
    const struct ip_address unspecified = {.family = IP_V6}, own = link_local(l->mac);

    if (l->kind != LINK_VETH || !(l->flags & LINK_PINNED))
        return;
    (void)add("ports", l, a, ret);
    for (unsigned i = 0; i < l->n_addresses; i++)
        if (!ip_is_equal(&l->addresses[i].address, &own)) /* an element given twice is one of two to undo */
            add_source(l, &l->addresses[i].address, a, ret);
    if (l->flags & LINK_NO_IPV6)
        return;
    add_source(l, &own, a, ret);
    add_to("source6", l, &unspecified, a, ret);
}

static void add_address(struct link *l, const char *text, size_t length) {
    char one[IP_TEXT_MAX + 8];

    (void)snprintf(one, sizeof(one), "%.*s", (int)MIN_OF(length, sizeof(one) - 1), text);
    one[strcspn(one, "/")] = '\0';
    if (*one && l->n_addresses < LINK_ADDRESSES_MAX && ip_parse(one, &l->addresses[l->n_addresses].address, NULL) == 0)
        l->n_addresses++;
}

void source_filter_lease(const struct lease *lease, uint32_t flags, struct arena *a, struct list *ret) {
    const struct lease_owner *o = &lease->owner;
    struct link l = {.kind = LINK_VETH, .flags = flags};

    if ((lease->address.family == IP_V6 && *o->ip) || mac_parse(o->mac, l.mac, NULL) < 0)
        return; /* the pair has the name of the other address */
    network_host_link(&lease->address, l.host_name);
    add_address(&l, o->ip, strlen(o->ip));
    add_address(&l, o->ip6, strlen(o->ip6));
    for (const char *at = o->link_local; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        add_address(&l, at, strcspn(at, ","));
    l.flags |= network_no_ipv6(&l) ? LINK_NO_IPV6 : 0;
    source_filter_elements(&l, a, ret);
}

/* nftables by nfnetlink: transactions that make a table with sets, maps, chains and rules, and that add or take away elements.
 *
 * Rules are lists of *terms* (`interface in set`, `connection is established`, `accept`), each of which becomes the few kernel
 * expressions that nft(8) would make of it, so that `nft list table` shows them as a person would write them. All of one batch
 * happens or nothing does.
 *
 * Keys and values are concatenations: every part starts on four bytes ("tcp . 8080" is 06 00 00 00 1f 90 00 00).
 * Sources: linux/netfilter/nf_tables.h, nft(8). */
#pragma once

#include "base/error.h"
#include "kernel/netlink.h"

#define NFT_KEY_MAX  48
#define NFT_NAME_MAX 32

/* nft(8)'s numbers for data types, kept with a set so that nft can show it. Concatenations shift by six bits each. */
enum nft_type {
    NFT_TYPE_INTEGER = 4,
    NFT_TYPE_IPV4 = 7,
    NFT_TYPE_IPV6 = 8,
    NFT_TYPE_MAC = 9,
    NFT_TYPE_PROTO = 12,
    NFT_TYPE_PORT = 13,
    NFT_TYPE_IFNAME = 41,
};
#define NFT_CONCAT2(a, b)       ((a) << 6 | (b))
#define NFT_CONCAT3(a, b, c)    (NFT_CONCAT2(a, b) << 6 | (c))
#define NFT_CONCAT4(a, b, c, d) (NFT_CONCAT3(a, b, c) << 6 | (d))

struct nft_set {
    uint8_t family; /* NFPROTO_…; 0 = inet, here and below */
    const char *name;
    uint32_t key_type, key_size;
    uint32_t data_type, data_size; /* 0: a set, not a map */
    /* For nft(8) where the numbers do not say it: the key as expressions ("typeof"); NULL = the numbers do. */
    const uint8_t *key_typeof;
    uint8_t key_typeof_size;
    bool is_changing; /* elements come and go with containers: nft_elements_delete() is to be fast */
};

struct nft_chain {
    uint8_t family;
    const char *name;
    const char *type; /* "filter" or "nat"; NULL: a chain that is jumped to */
    uint32_t hook;    /* NF_INET_…, NF_BR_… */
    int32_t priority;
};

enum nft_term_kind {
    TERM_END = 0,
    TERM_IIF,     /* iifname is `name` */
    TERM_NO_IIF,  /* it came by no interface: the host's own, or bridged past here */
    TERM_IIF_IN,  /* iifname in set `name` */
    TERM_OIF_IN,  /* oifname in set `name` */
    TERM_PAIR_IN, /* iifname . oifname in set `name` */
    /* In tables of family bridge, whose packets are frames: */
    TERM_ETHERTYPE,     /* value: ETH_P_… */
    TERM_SOURCE_IN,     /* iifname . ether saddr . ip saddr in set `name` (value: 4 or 6) */
    TERM_ARP_SOURCE_IN, /* iifname . ether saddr . arp saddr ip */
    TERM_ARP_SENDER_IN, /* iifname . arp saddr ether . arp saddr ip */
    TERM_ND_TYPE,       /* IPv6, ICMPv6 of type `value` */
    TERM_ND_TARGET_IN,  /* iifname . ether saddr . the target of a neighbour's message, in halves (after ND_TYPE) */

    TERM_FAMILY,      /* value: 4 or 6 */
    TERM_CT_STATE,    /* any of the bits in value: NF_CT_STATE_BIT() */
    TERM_CT_STATUS,   /* any of the bits in value: IPS_… */
    TERM_DADDR_LOCAL, /* destination is an address of this host */
    TERM_SADDR_LOCAL, /* source is one */
    TERM_SADDR_127,   /* source in 127.0.0.0/8 */
    TERM_DADDR_127,   /* destination in 127.0.0.0/8 */
    TERM_DADDR_ONE6,  /* destination is ::1 */
    TERM_DPORT_IN,    /* daddr . l4proto . dport in set `name` (value: 4 or 6) */
    TERM_DNAT_ANY,    /* destination by map `name` of l4proto . dport (value: 4 or 6) */
    TERM_DNAT_AT,     /* destination by map `name` of daddr . l4proto . dport (value: 4 or 6) */
    TERM_MASQUERADE,
    TERM_MARK,        /* the packet's mark is value */
    TERM_CT_MARK,     /* the connection's mark is value */
    TERM_SET_MARK,    /* the packet gets the mark value */
    TERM_SET_CT_MARK, /* the connection gets it */
    TERM_ACCEPT,
    TERM_DROP,
    TERM_JUMP, /* to chain `name` */
};

struct nft_term {
    uint8_t kind; /* enum nft_term_kind */
    bool not ;    /* the opposite, for the terms with a set, IIF, CT_STATUS and SADDR_LOCAL */
    uint32_t value;
    const char *name;
};

#define NFT_RULE_TERMS_MAX 6
struct nft_rule {
    const char *chain;
    struct nft_term terms[NFT_RULE_TERMS_MAX + 1];
    uint8_t family;
};

/* A transaction: begin, any number of changes, commit. */
void nft_begin(struct netlink_batch *b);
/* comment: NULL, or what nft(8) shows with the table. `is_new`: the transaction fails with -EEXIST when the table is there. */
void nft_add_table(struct netlink_batch *b, uint8_t family, const char *table, const char *comment, bool is_new);
void nft_delete_table(struct netlink_batch *b, uint8_t family, const char *table);
void nft_add_set(struct netlink_batch *b, const char *table, const struct nft_set *set);
void nft_add_chain(struct netlink_batch *b, const char *table, const struct nft_chain *chain);
void nft_add_rule(struct netlink_batch *b, const char *table, const struct nft_rule *rule);
int nft_commit(struct netlink_batch *b, struct error *e);

/* One element of a set or map: a published port, a bridge's name. Plain data; as text (nft_element_format) in journals. */
struct nft_element {
    uint8_t family; /* of the table: 0 = inet, NFPROTO_BRIDGE */
    char set[NFT_NAME_MAX];
    uint8_t key_size, data_size;
    uint8_t key[NFT_KEY_MAX];
    uint8_t data[NFT_KEY_MAX];
};
void nft_add_element(struct netlink_batch *b, const char *table, const struct nft_element *element);

/* Adds n elements in one transaction. Elements that are there with the same value are success; with another value -EEXIST. A key
 * that nft_elements_delete() has just given back is waited for (one tick of the kernel's clock). */
int nft_elements_add(const char *table, const struct nft_element *v, size_t n, struct error *e);
/* Takes them away; absent elements, or an absent table, are success.
 *
 * Deleting is slow: memory is freed after a grace period (10 to 20 ms), for which every close(2) of a socket to nfnetlink waits
 * with nf_tables' lock held, so that the next command's transaction waits as well. Where the kernel can change an element's timeout
 * (Linux 6.12; older ones ignore the change without a word), elements of sets that are `is_changing` are therefore left to expire
 * at once: neither packets nor listings see them any more, and the kernel collects them within a second or two. Otherwise they are
 * deleted: also elements of a map whose value is not known, and those in a table that an earlier version of tare has made. */
int nft_elements_delete(const char *table, const struct nft_element *v, size_t n, struct error *e);

/* "any4 0600001f90… 0a000002…", "bridge:ports 76…": set, key, and in maps the value, in hexadecimal: what a journal needs to take
 * the element away. Parsed also without the value. */
#define NFT_ELEMENT_TEXT_MAX (NFT_NAME_MAX + 4 * NFT_KEY_MAX + 10)
void nft_element_format(const struct nft_element *element, char text[NFT_ELEMENT_TEXT_MAX]);
int nft_element_parse(const char *text, struct nft_element *ret, struct error *e);

/* Appends one part to an element's key or value, padded to four bytes; an interface name takes its whole 16. */
void nft_element_key(struct nft_element *element, const void *p, size_t n);
void nft_element_key_name(struct nft_element *element, const char *ifname);
void nft_element_data(struct nft_element *element, const void *p, size_t n);

/* A cheap look at whether tables are as we made them, in one request. -ENOENT: one of them is not there. */
struct nft_look {
    uint8_t family;
    const char *chain, *comment;
    uint32_t objects, rules; /* out: how many chains, sets and maps the table has, and how many rules that chain */
    bool has_comment;        /* out: the table's comment is `comment` */
};
int nft_table_look(const char *table, struct nft_look *v, size_t n, struct error *e);

struct nft_chain_info {
    uint8_t family; /* NFPROTO_… */
    const char *table, *name;
    uint32_t hook;
    int32_t priority;
    bool is_base, drops; /* drops: its policy is drop */
};
/* What a rule does, as far as it can be said in short. */
struct nft_rule_info {
    const char *iifname, *oifname;                               /* it asks for these interfaces by name; "" = not */
    bool has_more;                                               /* it asks for something else, too */
    enum { NFT_GOES_ON, NFT_JUMPS, NFT_ACCEPTS, NFT_DROPS } end; /* jumps: another chain says */
};
/* The rules of one chain in their order. -ENOENT: there is none. */
int nft_each_rule(const struct nft_chain_info *chain, int (*fn)(const struct nft_rule_info *, void *arg), void *arg,
                  struct error *e);
int nft_each_chain(int (*fn)(const struct nft_chain_info *, void *arg), void *arg, struct error *e);

/* Rules of somebody else's chains, read as far as it takes to see whom they let through. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>

#include "kernel/nft.h"

struct rule_walk {
    int (*fn)(const struct nft_rule_info *, void *);
    void *arg;
};

/* While one rule is read. */
struct reading {
    struct nft_rule_info info;
    uint32_t meta; /* what the last `meta` read; NFT_META_LEN stands for anything else */
    char names[2][IFNAMSIZ];
};

static const struct nlattr *find(const struct nlattr *in, unsigned type) {
    size_t left;

    for (const struct nlattr *a = in ? netlink_attr_nested(in, &left) : NULL; a; a = netlink_attr_next(a, &left))
        if (netlink_attr_type(a) == type)
            return a;
    return NULL;
}

static uint32_t number(const struct nlattr *a) {
    uint32_t v = 0;

    if (a && netlink_attr_size(a) == sizeof(v))
        memcpy(&v, netlink_attr_data(a), sizeof(v));
    return ntohl(v);
}

/* `iifname "x"`: nft(8) compares the whole name, iptables as much of it as was asked for. */
static void take_compare(struct reading *r, const struct nlattr *data) {
    const struct nlattr *value = find(find(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
    bool in = r->meta == NFT_META_IIFNAME, out = r->meta == NFT_META_OIFNAME;

    if ((!in && !out) || number(find(data, NFTA_CMP_OP)) != NFT_CMP_EQ || !value || netlink_attr_size(value) > IFNAMSIZ) {
        r->info.has_more = true;
        return;
    }
    memset(r->names[out], 0, IFNAMSIZ);
    memcpy(r->names[out], netlink_attr_data(value), MIN_OF(netlink_attr_size(value), (size_t)IFNAMSIZ - 1));
    *(in ? &r->info.iifname : &r->info.oifname) = r->names[out];
}

static void take_verdict(struct reading *r, const struct nlattr *data) {
    const struct nlattr *verdict = find(find(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
    uint32_t code = number(find(verdict, NFTA_VERDICT_CODE));

    if (verdict && code == NF_ACCEPT)
        r->info.end = NFT_ACCEPTS;
    if (verdict && code == NF_DROP)
        r->info.end = NFT_DROPS;
    if (verdict && (code == (uint32_t)NFT_JUMP || code == (uint32_t)NFT_GOTO))
        r->info.end = NFT_JUMPS;
}

static void take_expression(struct reading *r, const struct nlattr *expression) {
    const struct nlattr *name_attr = find(expression, NFTA_EXPR_NAME), *data = find(expression, NFTA_EXPR_DATA);
    const char *name = name_attr ? netlink_attr_data(name_attr) : "", *target;

    if (strcmp(name, "meta") == 0) {
        r->meta = number(find(data, NFTA_META_KEY));
    } else if (strcmp(name, "cmp") == 0) {
        take_compare(r, data);
    } else if (strcmp(name, "immediate") == 0) {
        take_verdict(r, data);
    } else if (strcmp(name, "reject") == 0) {
        r->info.end = NFT_DROPS;
    } else if (strcmp(name, "target") == 0) { /* of iptables */
        target = find(data, NFTA_TARGET_NAME) ? netlink_attr_data(find(data, NFTA_TARGET_NAME)) : "";
        if (strcmp(target, "REJECT") == 0 || strcmp(target, "DROP") == 0)
            r->info.end = NFT_DROPS;
    } else if (strcmp(name, "counter") != 0 && strcmp(name, "log") != 0) {
        r->info.has_more = true;
    }
}

static int take_rule(const struct nlmsghdr *m, void *arg) {
    const struct rule_walk *walk = arg;
    struct reading r = {.info = {.iifname = "", .oifname = ""}, .meta = NFT_META_LEN};
    size_t left, inner;

    if (m->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
        return 0;
    for (const struct nlattr *a = netlink_attr_first(m, sizeof(struct nfgenmsg), &left); a; a = netlink_attr_next(a, &left)) {
        if (netlink_attr_type(a) != NFTA_RULE_EXPRESSIONS)
            continue;
        for (const struct nlattr *x = netlink_attr_nested(a, &inner); x; x = netlink_attr_next(x, &inner))
            take_expression(&r, x);
    }
    return walk->fn(&r.info, walk->arg);
}

int nft_each_rule(const struct nft_chain_info *chain, int (*fn)(const struct nft_rule_info *, void *arg), void *arg,
                  struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    _cleanup_fd_ int fd = netlink_open(NETLINK_NETFILTER, e);
    const struct nfgenmsg header = {.nfgen_family = chain->family, .version = NFNETLINK_V0};
    struct rule_walk walk = {fn, arg};
    int r;

    if (fd < 0)
        return fd;
    netlink_message(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, NLM_F_DUMP, &header, sizeof(header));
    netlink_attr_str(&b, NFTA_RULE_TABLE, chain->table);
    netlink_attr_str(&b, NFTA_RULE_CHAIN, chain->name);
    r = netlink_dump(fd, &b, take_rule, &walk, e);
    return r < 0 ? error_wrap(e, r, "list the rules of chain %s", chain->name) : r;
}

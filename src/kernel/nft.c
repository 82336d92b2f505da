#include "kernel/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/netns.h"

#define MESSAGE(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))

static uint8_t family_of(uint8_t family) {
    return family ? family : NFPROTO_INET;
}

static uint32_t message(struct netlink_batch *b, unsigned type, unsigned flags, uint8_t family, const char *table,
                        unsigned table_attr) {
    struct nfgenmsg header = {.nfgen_family = family_of(family), .version = NFNETLINK_V0};
    uint32_t seq = netlink_message(b, MESSAGE(type), flags, &header, sizeof(header));

    if (table)
        netlink_attr_str(b, table_attr, table);
    return seq;
}

static void batch_mark(struct netlink_batch *b, unsigned type) {
    struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

    netlink_message(b, type, 0, &header, sizeof(header));
}

void nft_begin(struct netlink_batch *b) {
    batch_mark(b, NFNL_MSG_BATCH_BEGIN);
}

void nft_add_table(struct netlink_batch *b, uint8_t family, const char *table) {
    message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE, family, table, NFTA_TABLE_NAME);
}

void nft_delete_table(struct netlink_batch *b, uint8_t family, const char *table) {
    message(b, NFT_MSG_DELTABLE, 0, family, table, NFTA_TABLE_NAME);
}

void nft_add_set(struct netlink_batch *b, const char *table, const struct nft_set *set) {
    const uint8_t order[] = {0, 4, set->key_type == NFT_TYPE_IFNAME ? 1 : 2, 0, 0, 0}; /* type, length, value */

    message(b, NFT_MSG_NEWSET, NLM_F_CREATE, set->family, table, NFTA_SET_TABLE);
    netlink_attr_str(b, NFTA_SET_NAME, set->name);
    netlink_attr_be32(b, NFTA_SET_FLAGS, set->data_size ? NFT_SET_MAP : 0);
    netlink_attr_be32(b, NFTA_SET_KEY_TYPE, set->key_type);
    netlink_attr_be32(b, NFTA_SET_KEY_LEN, set->key_size);
    if (set->data_size) {
        netlink_attr_be32(b, NFTA_SET_DATA_TYPE, set->data_type);
        netlink_attr_be32(b, NFTA_SET_DATA_LEN, set->data_size);
    }
    netlink_attr_be32(b, NFTA_SET_ID, b->count);
    /* For nft(8) alone: how to show the keys. Interface names are in host order, all else is in network order. */
    netlink_attr(b, NFTA_SET_USERDATA, order, sizeof(order));
}

void nft_add_chain(struct netlink_batch *b, const char *table, const struct nft_chain *chain) {
    message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain->family, table, NFTA_CHAIN_TABLE);
    netlink_attr_str(b, NFTA_CHAIN_NAME, chain->name);
    if (!chain->type)
        return;
    netlink_nest(b, NFTA_CHAIN_HOOK);
    netlink_attr_be32(b, NFTA_HOOK_HOOKNUM, chain->hook);
    netlink_attr_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
    netlink_nest_end(b);
    netlink_attr_str(b, NFTA_CHAIN_TYPE, chain->type);
}

int nft_commit(struct netlink_batch *b, struct error *e) {
    _cleanup_fd_ int fd = netlink_open(NETLINK_NETFILTER, e);

    if (fd < 0)
        return fd;
    batch_mark(b, NFNL_MSG_BATCH_END);
    return netlink_transact(fd, b, NULL, NULL, NULL, e);
}

/* --- elements --------------------------------------------------------------------------------------------------------------- */

static void append(uint8_t *at, uint8_t *size, const void *p, size_t n) {
    size_t padded = (n + 3) & ~(size_t)3;

    if (*size + padded > NFT_KEY_MAX)
        return;
    memset(at + *size, 0, padded);
    memcpy(at + *size, p, n);
    *size = (uint8_t)(*size + padded);
}

void nft_element_key(struct nft_element *element, const void *p, size_t n) {
    append(element->key, &element->key_size, p, n);
}

void nft_element_key_name(struct nft_element *element, const char *ifname) {
    char name[IFNAMSIZ] = "";

    (void)snprintf(name, sizeof(name), "%s", ifname);
    append(element->key, &element->key_size, name, sizeof(name));
}

void nft_element_data(struct nft_element *element, const void *p, size_t n) {
    append(element->data, &element->data_size, p, n);
}

static void element_message(struct netlink_batch *b, unsigned type, unsigned flags, const char *table,
                            const struct nft_element *element) {
    message(b, type, flags, element->family, table, NFTA_SET_ELEM_LIST_TABLE);
    netlink_attr_str(b, NFTA_SET_ELEM_LIST_SET, element->set);
    netlink_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
    netlink_nest(b, NFTA_LIST_ELEM);
    netlink_nest(b, NFTA_SET_ELEM_KEY);
    netlink_attr(b, NFTA_DATA_VALUE, element->key, element->key_size);
    netlink_nest_end(b);
    if (element->data_size && type == NFT_MSG_NEWSETELEM) {
        netlink_nest(b, NFTA_SET_ELEM_DATA);
        netlink_attr(b, NFTA_DATA_VALUE, element->data, element->data_size);
        netlink_nest_end(b);
    }
    netlink_nest_end(b);
    netlink_nest_end(b);
}

void nft_add_element(struct netlink_batch *b, const char *table, const struct nft_element *element) {
    element_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, table, element);
}

int nft_elements_add(const char *table, const struct nft_element *v, size_t n, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    int r;

    if (n == 0)
        return 0;
    nft_begin(&b);
    for (size_t i = 0; i < n; i++)
        nft_add_element(&b, table, &v[i]);
    r = nft_commit(&b, e);
    return r < 0 ? error_wrap(e, r, "add to the packet filter's table %s", table) : 0;
}

int nft_elements_delete(const char *table, const struct nft_element *v, size_t n, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    int r;

    if (n == 0 || netns_used() == NETNS_ABSENT)
        return 0;
    nft_begin(&b);
    for (size_t i = 0; i < n; i++)
        element_message(&b, NFT_MSG_DELSETELEM, 0, table, &v[i]);
    r = nft_commit(&b, e);
    if (r != -ENOENT)
        return r < 0 ? error_wrap(e, r, "take from the packet filter's table %s", table) : 0;
    error_release(e);
    /* One was gone already, and the transaction is all or nothing: one by one then (NFT_MSG_DESTROYSETELEM is of 6.3). */
    for (size_t i = 0; n > 1 && i < n; i++) {
        r = nft_elements_delete(table, &v[i], 1, e);
        if (r < 0)
            return r;
    }
    return 0;
}

#define BRIDGE_PREFIX "bridge:"

void nft_element_format(const struct nft_element *element, char text[NFT_ELEMENT_TEXT_MAX]) {
    int at = snprintf(text, NFT_ELEMENT_TEXT_MAX, "%s%s ", element->family == NFPROTO_BRIDGE ? BRIDGE_PREFIX : "", element->set);

    for (unsigned i = 0; i < element->key_size && at + 3 < NFT_ELEMENT_TEXT_MAX; i++)
        at += snprintf(text + at, (size_t)(NFT_ELEMENT_TEXT_MAX - at), "%02x", element->key[i]);
}

int nft_element_parse(const char *text, struct nft_element *ret, struct error *e) {
    bool bridge = strncmp(text, BRIDGE_PREFIX, strlen(BRIDGE_PREFIX)) == 0;
    struct nft_element element = {.family = bridge ? NFPROTO_BRIDGE : 0};
    const char *whole = text, *space = strchr(text += bridge ? strlen(BRIDGE_PREFIX) : 0, ' ');
    size_t name = space ? (size_t)(space - text) : 0, digits = space ? strlen(space + 1) : 0;

    if (name == 0 || name >= sizeof(element.set) || digits == 0 || digits % 2 || digits / 2 > NFT_KEY_MAX ||
        strspn(space + 1, "0123456789abcdef") != digits)
        return error_set(e, -EINVAL, "\"%.80s\" is no element of a packet filter's set", whole);
    memcpy(element.set, text, name);
    element.key_size = (uint8_t)(digits / 2);
    for (size_t i = 0; i < digits / 2; i++) {
        char pair[3] = {space[1 + 2 * i], space[2 + 2 * i], '\0'};

        element.key[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    *ret = element;
    return 0;
}

/* --- looking ---------------------------------------------------------------------------------------------------------------- */

struct looks {
    struct nft_look *v;
    size_t n;
};

static uint32_t attr_be32(const struct nlattr *a) {
    return ntohl(netlink_attr_get_u32(a));
}

static int take_use(const struct nlmsghdr *m, void *arg) {
    const struct looks *looks = arg;
    const struct nfgenmsg *header = NLMSG_DATA(m);
    bool is_table = m->nlmsg_type == MESSAGE(NFT_MSG_NEWTABLE);
    size_t left;

    for (size_t i = 0; i < looks->n; i++) {
        struct nft_look *look = &looks->v[i];

        if (family_of(look->family) != header->nfgen_family)
            continue;
        for (const struct nlattr *a = netlink_attr_first(m, sizeof(*header), &left); a; a = netlink_attr_next(a, &left)) {
            if (is_table && netlink_attr_type(a) == NFTA_TABLE_USE)
                look->objects = attr_be32(a);
            if (!is_table && netlink_attr_type(a) == NFTA_CHAIN_USE)
                look->rules = attr_be32(a);
        }
    }
    return 0;
}

int nft_table_look(const char *table, struct nft_look *v, size_t n, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    _cleanup_fd_ int fd = netlink_open(NETLINK_NETFILTER, e);
    struct looks looks = {v, n};
    int r;

    if (fd < 0)
        return fd;
    for (size_t i = 0; i < n; i++) {
        message(&b, NFT_MSG_GETTABLE, 0, v[i].family, table, NFTA_TABLE_NAME);
        message(&b, NFT_MSG_GETCHAIN, 0, v[i].family, table, NFTA_CHAIN_TABLE);
        netlink_attr_str(&b, NFTA_CHAIN_NAME, v[i].chain);
    }
    r = netlink_transact(fd, &b, take_use, &looks, NULL, e);
    return r < 0 ? error_wrap(e, r, "look at the packet filter's table %s", table) : 0;
}

struct chain_walk {
    int (*fn)(const struct nft_chain_info *, void *);
    void *arg;
};

static void take_hook(const struct nlattr *hook, struct nft_chain_info *info) {
    size_t left;

    info->is_base = true;
    for (const struct nlattr *a = netlink_attr_nested(hook, &left); a; a = netlink_attr_next(a, &left)) {
        if (netlink_attr_type(a) == NFTA_HOOK_HOOKNUM)
            info->hook = attr_be32(a);
        if (netlink_attr_type(a) == NFTA_HOOK_PRIORITY)
            info->priority = (int32_t)attr_be32(a);
    }
}

static int take_chain(const struct nlmsghdr *m, void *arg) {
    const struct chain_walk *walk = arg;
    const struct nfgenmsg *header = NLMSG_DATA(m);
    struct nft_chain_info info = {.family = header->nfgen_family, .table = "", .name = ""};
    size_t left;

    if (m->nlmsg_type != MESSAGE(NFT_MSG_NEWCHAIN))
        return 0;
    for (const struct nlattr *a = netlink_attr_first(m, sizeof(*header), &left); a; a = netlink_attr_next(a, &left)) {
        switch (netlink_attr_type(a)) {
        case NFTA_CHAIN_TABLE: info.table = netlink_attr_data(a); break;
        case NFTA_CHAIN_NAME: info.name = netlink_attr_data(a); break;
        case NFTA_CHAIN_HOOK: take_hook(a, &info); break;
        case NFTA_CHAIN_POLICY: info.drops = attr_be32(a) == NF_DROP; break;
        default: break;
        }
    }
    return walk->fn(&info, walk->arg);
}

int nft_each_chain(int (*fn)(const struct nft_chain_info *, void *arg), void *arg, struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    _cleanup_fd_ int fd = netlink_open(NETLINK_NETFILTER, e);
    struct nfgenmsg header = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0};
    struct chain_walk walk = {fn, arg};
    int r;

    if (fd < 0)
        return fd;
    netlink_message(&b, MESSAGE(NFT_MSG_GETCHAIN), NLM_F_DUMP, &header, sizeof(header));
    r = netlink_dump(fd, &b, take_chain, &walk, e);
    return r < 0 ? error_wrap(e, r, "list the packet filter's chains") : r;
}

#include "kernel/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/kernel.h"
#include "kernel/netns.h"

#define MESSAGE(type)    (NFNL_SUBSYS_NFTABLES << 8 | (type))
#define USERDATA_COMMENT 0 /* libnftnl's type, length, value: the length counts the NUL */
#define EXPIRE_MS        1 /* the shortest there is: until the clock's next tick */
#define ADD_TRIES_MAX    100
#define ADD_PAUSE_NS     1000000

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

static size_t comment_data(const char *comment, uint8_t data[UINT8_MAX]) {
    size_t size = MIN_OF(strlen(comment) + 1, (size_t)UINT8_MAX - 2);

    data[0] = USERDATA_COMMENT;
    data[1] = (uint8_t)size;
    memcpy(data + 2, comment, size);
    return size + 2;
}

void nft_add_table(struct netlink_batch *b, uint8_t family, const char *table, const char *comment, bool is_new) {
    uint8_t data[UINT8_MAX];

    message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | (is_new ? NLM_F_EXCL : 0), family, table, NFTA_TABLE_NAME);
    if (comment)
        netlink_attr(b, NFTA_TABLE_USERDATA, data, comment_data(comment, data));
}

void nft_delete_table(struct netlink_batch *b, uint8_t family, const char *table) {
    message(b, NFT_MSG_DELTABLE, 0, family, table, NFTA_TABLE_NAME);
}

/* Whether elements are taken away by letting them expire: see nft_elements_delete(). */
static bool can_expire(void) {
    return kernel_is_at_least(6, 12);
}

void nft_add_set(struct netlink_batch *b, const char *table, const struct nft_set *set) {
    const bool expires = set->is_changing && can_expire();
    const uint8_t order[] = {0, 4, set->key_type == NFT_TYPE_IFNAME ? 1 : 2, 0, 0, 0}; /* type, length, value */

    message(b, NFT_MSG_NEWSET, NLM_F_CREATE, set->family, table, NFTA_SET_TABLE);
    netlink_attr_str(b, NFTA_SET_NAME, set->name);
    /* Without a timeout of the set's own, an element stays until it is given one. What has expired is collected each second, the
     * kernel's default: with ten, a thousand of one key (a port published by one container after the other) made adding slow. */
    netlink_attr_be32(b, NFTA_SET_FLAGS, (set->data_size ? NFT_SET_MAP : 0) | (expires ? NFT_SET_TIMEOUT : 0));
    netlink_attr_be32(b, NFTA_SET_KEY_TYPE, set->key_type);
    netlink_attr_be32(b, NFTA_SET_KEY_LEN, set->key_size);
    if (set->data_size) {
        netlink_attr_be32(b, NFTA_SET_DATA_TYPE, set->data_type);
        netlink_attr_be32(b, NFTA_SET_DATA_LEN, set->data_size);
    }
    netlink_attr_be32(b, NFTA_SET_ID, b->count);
    /* For nft(8) alone: how to show the keys. Interface names are in host order, all else is in network order. */
    if (set->key_typeof)
        netlink_attr(b, NFTA_SET_USERDATA, set->key_typeof, set->key_typeof_size);
    else
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

/* timeout_ms: 0 = none. */
static void element_message(struct netlink_batch *b, unsigned type, const char *table, const struct nft_element *element,
                            uint64_t timeout_ms) {
    message(b, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, element->family, table, NFTA_SET_ELEM_LIST_TABLE);
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
    if (timeout_ms)
        netlink_attr_be64(b, NFTA_SET_ELEM_TIMEOUT, timeout_ms);
    netlink_nest_end(b);
    netlink_nest_end(b);
}

void nft_add_element(struct netlink_batch *b, const char *table, const struct nft_element *element) {
    element_message(b, NFT_MSG_NEWSETELEM, table, element, 0);
}

static int elements_change(unsigned type, const char *table, const struct nft_element *v, size_t n, uint64_t timeout_ms,
                           struct error *e) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;

    nft_begin(&b);
    for (size_t i = 0; i < n; i++)
        element_message(&b, type, table, &v[i], timeout_ms);
    return nft_commit(&b, e);
}

int nft_elements_add(const char *table, const struct nft_element *v, size_t n, struct error *e) {
    int r;

    if (n == 0)
        return 0;
    /* EEXIST: an element with this key and another value expires within this tick. EBUSY: many that have expired since the last
     * collection have the same key, and the set's table is being rearranged at this moment. */
    for (int tries = 1;; tries++) {
        r = elements_change(NFT_MSG_NEWSETELEM, table, v, n, 0, e);
        if ((r != -EEXIST && r != -EBUSY) || !can_expire() || tries == ADD_TRIES_MAX)
            return r < 0 ? error_wrap(e, r, "add to the packet filter's table %s", table) : 0;
        error_release(e);
        (void)nanosleep(&(struct timespec){.tv_nsec = ADD_PAUSE_NS}, NULL);
    }
}

int nft_elements_delete(const char *table, const struct nft_element *v, size_t n, struct error *e) {
    int r;

    if (n == 0 || netns_used() == NETNS_ABSENT)
        return 0;
    if (can_expire() && elements_change(NFT_MSG_NEWSETELEM, table, v, n, EXPIRE_MS, NULL) == 0)
        return 0;
    r = elements_change(NFT_MSG_DELSETELEM, table, v, n, 0, e);
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

static int add_digits(char text[NFT_ELEMENT_TEXT_MAX], int at, const uint8_t *data, unsigned size) {
    for (unsigned i = 0; i < size && at + 4 <= NFT_ELEMENT_TEXT_MAX; i++)
        at += snprintf(text + at, (size_t)(NFT_ELEMENT_TEXT_MAX - at), "%s%02x", i ? "" : " ", data[i]);
    return at;
}

void nft_element_format(const struct nft_element *element, char text[NFT_ELEMENT_TEXT_MAX]) {
    int at = snprintf(text, NFT_ELEMENT_TEXT_MAX, "%s%s", element->family == NFPROTO_BRIDGE ? BRIDGE_PREFIX : "", element->set);

    at = add_digits(text, at, element->key, element->key_size);
    (void)add_digits(text, at, element->data, element->data_size);
}

/* The digits up to the next blank, or the end; where they begin is moved behind it. False: none, or too many. */
static bool take_digits(const char **text, uint8_t data[NFT_KEY_MAX], uint8_t *ret_size) {
    const char *at = *text;
    size_t digits = strspn(at, "0123456789abcdef");

    if (digits == 0 || digits % 2 || digits / 2 > NFT_KEY_MAX || (at[digits] && at[digits] != ' '))
        return false;
    for (size_t i = 0; i < digits / 2; i++)
        data[i] = (uint8_t)strtoul((const char[]){at[2 * i], at[2 * i + 1], '\0'}, NULL, 16);
    *ret_size = (uint8_t)(digits / 2);
    *text = at + digits + (at[digits] == ' ');
    return true;
}

int nft_element_parse(const char *text, struct nft_element *ret, struct error *e) {
    bool bridge = strncmp(text, BRIDGE_PREFIX, strlen(BRIDGE_PREFIX)) == 0;
    struct nft_element element = {.family = bridge ? NFPROTO_BRIDGE : 0};
    const char *at = text + (bridge ? strlen(BRIDGE_PREFIX) : 0);
    size_t name = strcspn(at, " ");

    if (name > 0 && name < sizeof(element.set) && at[name] == ' ') {
        memcpy(element.set, at, name);
        at += name + 1;
        if (take_digits(&at, element.key, &element.key_size) &&
            (!*at || (take_digits(&at, element.data, &element.data_size) && !*at))) {
            *ret = element;
            return 0;
        }
    }
    return error_set(e, -EINVAL, "\"%.80s\" is no element of a packet filter's set", text);
}

/* --- looking ---------------------------------------------------------------------------------------------------------------- */

struct looks {
    struct nft_look *v;
    size_t n;
};

static uint32_t attr_be32(const struct nlattr *a) {
    return ntohl(netlink_attr_get_u32(a));
}

static bool is_comment(const struct nlattr *a, const char *comment) {
    uint8_t data[UINT8_MAX];
    size_t size = comment ? comment_data(comment, data) : 0;

    return size && netlink_attr_size(a) == size && memcmp(netlink_attr_data(a), data, size) == 0;
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
            if (is_table && netlink_attr_type(a) == NFTA_TABLE_USERDATA)
                look->has_comment = is_comment(a, look->comment);
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

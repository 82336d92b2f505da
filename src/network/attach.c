/* Attaching a container: the hot path. One file read, one or two symbolic links made, one look at bridge and table. */
#include <linux/if_link.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "network/firewall.h"
#include "network/lease.h"
#include "network/source_filter.h"
#include "network/store.h"
#include "network/zone.h"

#define ADDRESS_TRIES_MAX 65536
#define LINK_LOCAL_MAX    (LINK_ADDRESSES_MAX - 2) /* beside one address of each family */
#define DYING_WAIT_MS     300                      /* a pair is gone 10 to 40 ms after its namespace's last process */

struct attaching {
    const struct roots *roots;
    const struct attach_request *request;
    const struct network *network;
    struct arena *arena;
    int dirfd;
    struct ip_address address4, address6; /* taken, or IP_NONE */
    struct lease_owner owner;
    char mac[MAC_TEXT_MAX], ip[IP_TEXT_MAX], ip6[IP_TEXT_MAX]; /* what owner's fields point to */
    struct link *link;
    bool unchecked; /* the kernel cannot check what the port sends: source_filter.h */
};

/* The host's end is named after the address. A pair that is still dying with its old container therefore still has the name, which
 * tells that the address must rest a little longer: it still answers for it. */
void network_host_link(const struct ip_address *a, char name[IF_NAMESIZE]) {
    const uint8_t *b = a->bytes + (a->family == IP_V6 ? 12 : 0);

    (void)snprintf(name, IF_NAMESIZE, "%s%02x%02x%02x%02x", a->family == IP_V6 ? "vet6" : "veth", b[0], b[1], b[2], b[3]);
}

uint32_t network_port_flags(const struct network *n) {
    return (network_option_is(n, OPTION_SOURCE_CHECK, true) ? LINK_PINNED : 0) |
           (network_option_is(n, OPTION_ICC, true) ? 0 : LINK_ISOLATED);
}

static bool is_dying(const struct ip_address *a) {
    char name[IF_NAMESIZE];

    network_host_link(a, name);
    return link_index(name) != 0;
}

/* Both leases carry one record, which names both addresses. */
static void describe_owner(struct attaching *w, const struct ip_address *four, const struct ip_address *six) {
    struct subnet_plan plan;
    char text[IP_TEXT_MAX];

    if (!w->request->mac)
        mac_from_ip(four->family != IP_NONE ? four : six, w->link->mac);
    (void)mac_format(w->link->mac, w->mac);
    w->owner.mac = w->mac;
    w->ip[0] = w->ip6[0] = '\0';
    if (four->family != IP_NONE && network_subnet(w->network, IP_V4, &plan))
        (void)snprintf(w->ip, sizeof(w->ip), "%.50s/%u", ip_format(four, text), plan.subnet.length);
    if (six->family != IP_NONE && network_subnet(w->network, IP_V6, &plan))
        (void)snprintf(w->ip6, sizeof(w->ip6), "%.50s/%u", ip_format(six, text), plan.subnet.length);
    w->owner.ip = w->ip;
    w->owner.ip6 = w->ip6;
}

static bool is_reserved(const struct subnet_plan *plan, const struct ip_address *a) {
    struct ip_address base = ip_prefix_base(&plan->subnet), last = ip_add(&base, ip_prefix_size(&plan->subnet) - 1);

    if (ip_is_equal(a, &plan->gateway))
        return true;
    if (plan->subnet.length + 1u < ip_bits(a) && (ip_is_equal(a, &base) || (a->family == IP_V4 && ip_is_equal(a, &last))))
        return true;
    for (size_t i = 0; i < plan->auxiliary->n; i++) {
        struct ip_address auxiliary;

        if (ip_parse(plan->auxiliary->v[i].value, &auxiliary, NULL) == 0 && ip_is_equal(&auxiliary, a))
            return true;
    }
    return false;
}

/* The IPv6 address that goes with an IPv4 one: the same distance from its subnet's start. */
static struct ip_address companion(const struct subnet_plan *plan4, const struct subnet_plan *plan6, const struct ip_address *a) {
    struct ip_address base4 = ip_prefix_base(&plan4->subnet), base6 = ip_prefix_base(&plan6->range);

    return ip_add(&base6, ip_distance(&base4, a));
}

static void give_back(struct attaching *w) {
    if (w->address4.family != IP_NONE)
        (void)lease_free(w->dirfd, &w->address4, NULL);
    if (w->address6.family != IP_NONE)
        (void)lease_free(w->dirfd, &w->address6, NULL);
    w->address4 = w->address6 = (struct ip_address){0};
}

/* Takes one candidate, and in a network of both families its companion. -EEXIST: the fixed IPv6 address is in use, so that another
 * IPv4 address would not help. */
static int take_pair(struct attaching *w, const struct subnet_plan *plan, const struct ip_address *a,
                     const struct subnet_plan *plan6, const struct ip_address *fixed6, struct error *e) {
    struct ip_address none = {0}, six = fixed6 ? *fixed6 : plan6 ? companion(plan, plan6, a) : none;
    int r;

    describe_owner(w, a->family == IP_V4 ? a : &none, a->family == IP_V4 ? &six : a);
    r = lease_take(w->roots, w->dirfd, a, &w->owner, NULL, e);
    if (r < 0)
        return r;
    *(a->family == IP_V4 ? &w->address4 : &w->address6) = *a;
    if (six.family == IP_NONE)
        return 0;
    r = is_reserved(plan6, &six) ? error_set(e, -EADDRINUSE, "the address is the gateway's")
                                 : lease_take(w->roots, w->dirfd, &six, &w->owner, a, e);
    if (r < 0) {
        give_back(w);
        return r == -EADDRINUSE && fixed6 ? -EEXIST : r;
    }
    w->address6 = six;
    return 0;
}

static int choose(struct attaching *w, const struct subnet_plan *plan, const struct subnet_plan *plan6,
                  const struct ip_address *fixed6, struct error *e) {
    struct ip_address base = ip_prefix_base(&plan->range);
    uint64_t size = ip_prefix_size(&plan->range), start = lease_cursor(w->dirfd, 0, false);
    char text[IP_TEXT_MAX];

    for (uint64_t i = 0; i < MIN_OF(size, (uint64_t)ADDRESS_TRIES_MAX); i++) {
        uint64_t offset = (start + i) % size;
        struct ip_address a = ip_add(&base, offset);
        int r;

        if (is_reserved(plan, &a) || is_dying(&a))
            continue;
        r = take_pair(w, plan, &a, plan6, fixed6, e);
        if (r == 0)
            (void)lease_cursor(w->dirfd, (offset + 1) % size, true);
        if (r != -EADDRINUSE)
            return r;
        error_release(e);
    }
    error_set(e, -EADDRNOTAVAIL, "no address of %s is free", ip_prefix_format(&plan->range, text));
    return error_hint(e, "make a network with a larger subnet: tare network create --subnet …");
}

/* An address that the user asked for: in the subnet, nobody's, and not still dying with the container that had it before. */
static int check_fixed(const struct subnet_plan *plan, const char *text, struct ip_address *ret, struct error *e) {
    char subnet[IP_TEXT_MAX];
    struct ip_address a;
    int r = ip_parse(text, &a, e);

    if (r < 0)
        return r;
    if (!ip_prefix_has(&plan->subnet, &a))
        return error_set(e, -EINVAL, "address %s is not in the network's subnet %s", text, ip_prefix_format(&plan->subnet, subnet));
    if (is_reserved(plan, &a))
        return error_set(e, -EADDRINUSE, "address %s is reserved in the network (gateway, broadcast or auxiliary address)", text);
    for (int waited = 0; is_dying(&a) && waited < DYING_WAIT_MS; waited += 2)
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    *ret = a;
    return 0;
}

static int take_addresses(struct attaching *w, struct error *e) {
    const struct attach_request *q = w->request;
    struct subnet_plan plan4, plan6;
    bool has4 = network_subnet(w->network, IP_V4, &plan4), has6 = network_subnet(w->network, IP_V6, &plan6);
    struct ip_address fixed4 = {0}, fixed6 = {0};
    int r = 0;

    if ((q->ip && !has4) || (q->ip6 && !has6))
        return error_set(e, -EINVAL, "it has no %s subnet to take address %s from", q->ip && !has4 ? "IPv4" : "IPv6",
                         q->ip && !has4 ? q->ip : q->ip6);
    if (q->ip)
        r = check_fixed(&plan4, q->ip, &fixed4, e);
    if (r == 0 && q->ip6)
        r = check_fixed(&plan6, q->ip6, &fixed6, e);
    if (r < 0)
        return r;
    if (has4 && q->ip)
        return take_pair(w, &plan4, &fixed4, has6 ? &plan6 : NULL, q->ip6 ? &fixed6 : NULL, e);
    if (has4)
        return choose(w, &plan4, has6 ? &plan6 : NULL, q->ip6 ? &fixed6 : NULL, e);
    if (has6 && q->ip6)
        return take_pair(w, &plan6, &fixed6, NULL, NULL, e);
    return has6 ? choose(w, &plan6, NULL, NULL, e) : 0;
}

static void add_address(struct attaching *w, const struct ip_address *a) {
    struct link *l = w->link;
    struct subnet_plan plan;

    if (a->family == IP_NONE || !network_subnet(w->network, (enum ip_family)a->family, &plan))
        return;
    l->addresses[l->n_addresses++] = (struct ip_prefix){*a, plan.subnet.length};
}

/* ipvlan in its layer 3 modes routes without asking for neighbours: it has no gateway. */
void network_default_routes(const struct network *n, struct link *l) {
    const char *mode = strcmp(n->driver, "ipvlan") == 0 ? network_option(n, "ipvlan_mode") : NULL;
    bool direct = mode && strcmp(mode, "l2") != 0;
    struct subnet_plan plan;

    for (unsigned i = 0; i < l->n_addresses && !n->internal; i++) {
        const struct ip_address *a = &l->addresses[i].address;

        if (!network_subnet(n, (enum ip_family)a->family, &plan) || !ip_prefix_has(&plan.subnet, a) ||
            plan.gateway.family == IP_NONE)
            continue;
        l->routes[l->n_routes++] = (struct link_route){.to = {{.family = a->family}, 0}};
        if (!direct)
            l->routes[l->n_routes - 1].gateway = plan.gateway;
    }
}

/* macvlan and ipvlan stand directly on one of the host's interfaces. */
static void describe_sub_interface(struct attaching *w) {
    static const struct {
        const char *name;
        uint8_t kind, mode;
    } modes[] = {
        {"bridge", LINK_MACVLAN, MACVLAN_MODE_BRIDGE}, {"private", LINK_MACVLAN, MACVLAN_MODE_PRIVATE},
        {"vepa", LINK_MACVLAN, MACVLAN_MODE_VEPA},     {"passthru", LINK_MACVLAN, MACVLAN_MODE_PASSTHRU},
        {"l2", LINK_IPVLAN, IPVLAN_MODE_L2},           {"l3", LINK_IPVLAN, IPVLAN_MODE_L3},
        {"l3s", LINK_IPVLAN, IPVLAN_MODE_L3S},
    };
    struct link *l = w->link;
    bool ipvlan = strcmp(w->network->driver, "ipvlan") == 0;
    const char *mode = network_option(w->network, ipvlan ? "ipvlan_mode" : "macvlan_mode"),
               *parent = network_option(w->network, "parent");

    l->kind = ipvlan ? LINK_IPVLAN : LINK_MACVLAN;
    l->mode = ipvlan ? IPVLAN_MODE_L2 : MACVLAN_MODE_BRIDGE;
    for (size_t i = 0; mode && i < ARRAY_SIZE(modes); i++)
        if (modes[i].kind == l->kind && strcmp(modes[i].name, mode) == 0)
            l->mode = modes[i].mode;
    (void)snprintf(l->parent, sizeof(l->parent), "%s", parent ? parent : "");
}

static void describe_port(struct attaching *w) {
    struct link *l = w->link;

    l->flags |= network_port_flags(w->network);
    network_host_link(w->address4.family != IP_NONE ? &w->address4 : &w->address6, l->host_name);
    (void)snprintf(l->parent, sizeof(l->parent), "%s", network_bridge(w->network, w->arena));
}

bool network_no_ipv6(const struct link *l) {
    for (unsigned i = 0; i < l->n_addresses; i++)
        if (l->addresses[i].address.family == IP_V6)
            return false;
    return true;
}

static void describe_link(struct attaching *w) {
    struct link *l = w->link;
    struct ip_prefix more[LINK_LOCAL_MAX];
    unsigned n_more = l->n_addresses;

    (void)snprintf(l->name, sizeof(l->name), "%s", w->owner.ifname);
    l->mtu = network_mtu(w->roots, w->network);
    /* The network's own addresses come first: the kernel takes the first one that fits as source. */
    memcpy(more, l->addresses, sizeof(more));
    l->n_addresses = 0;
    add_address(w, &w->address4);
    add_address(w, &w->address6);
    for (unsigned i = 0; i < n_more; i++)
        l->addresses[l->n_addresses++] = more[i];
    if (w->request->default_route)
        network_default_routes(w->network, l);
    if (network_no_ipv6(l))
        l->flags |= LINK_NO_IPV6;
    if (network_is_bridge(w->network))
        describe_port(w);
    else
        describe_sub_interface(w);
}

static const char *text_of(struct arena *a, const struct ip_address *address) {
    char text[IP_TEXT_MAX];

    return arena_strdup(a, ip_format(address, text));
}

static const char *gateway_of(struct attaching *w, const struct ip_address *address) {
    struct subnet_plan plan;

    if (address->family == IP_NONE || w->network->internal || !network_subnet(w->network, (enum ip_family)address->family, &plan))
        return "";
    return text_of(w->arena, &plan.gateway);
}

static uint32_t length_of(struct attaching *w, const struct ip_address *address) {
    struct subnet_plan plan;

    return address->family != IP_NONE && network_subnet(w->network, (enum ip_family)address->family, &plan) ? plan.subnet.length
                                                                                                            : 0;
}

static void describe(struct attaching *w, struct network_attachment *ret) {
    char mac[MAC_TEXT_MAX];
    const struct ip_address *taken[] = {&w->address4, &w->address6};
    struct network_attachment t = {
        .link = *w->link,
        .network = w->network->name,
        .network_id = w->network->id,
        .endpoint_id = w->owner.endpoint_id,
        .mac = arena_strdup(w->arena, mac_format(w->link->mac, mac)),
        .ip = text_of(w->arena, &w->address4),
        .ip6 = text_of(w->arena, &w->address6),
        .gateway = gateway_of(w, &w->address4),
        .gateway6 = gateway_of(w, &w->address6),
        .ip_prefix = length_of(w, &w->address4),
        .ip6_prefix = length_of(w, &w->address6),
        .aliases = w->owner.aliases,
        .internal = w->network->internal,
        .publish_mode = network_option(w->network, OPTION_PUBLISH_MODE),
        .publish_address = network_option(w->network, OPTION_HOST_BINDING),
        .routed4 = network_gateway_mode(w->network, IP_V4) == GATEWAY_ROUTED,
        .routed6 = network_gateway_mode(w->network, IP_V6) == GATEWAY_ROUTED,
        .unchecked = w->unchecked,
    };

    source_filter_elements(w->link, w->arena, &t.sources);
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        if (taken[i]->family != IP_NONE)
            strs_add(w->arena, &t.leases,
                     arena_printf(w->arena, "%s/leases/%s/%s", w->roots->run_root, w->network->name, text_of(w->arena, taken[i])));
    *ret = t;
}

static int add_link_local(struct attaching *w, struct error *e) {
    static const struct ip_prefix ranges[] = {{{IP_V4, {169, 254}}, 16}, {{IP_V6, {0xfe, 0x80}}, 10}};
    const struct strs *more = w->request->link_local;
    struct link *l = w->link;

    for (size_t i = 0; more && i < more->n; i++) {
        struct ip_prefix p = {0};
        int r = ip_parse(more->v[i], &p.address, e);

        if (r < 0)
            return r;
        if (!ip_prefix_has(&ranges[0], &p.address) && !ip_prefix_has(&ranges[1], &p.address))
            return error_set(e, -EINVAL, "%s is not a link-local address (169.254.0.0/16 or fe80::/10)", more->v[i]);
        if (l->n_addresses == LINK_LOCAL_MAX)
            return error_set(e, -E2BIG, "an interface takes %d link-local addresses at most", LINK_LOCAL_MAX);
        p.length = p.address.family == IP_V4 ? 16 : 64;
        l->addresses[l->n_addresses++] = p;
        w->owner.link_local = i ? arena_printf(w->arena, "%s,%s", w->owner.link_local, more->v[i]) : more->v[i];
    }
    return 0;
}

static int prepare_owner(struct attaching *w, struct error *e) {
    const struct attach_request *q = w->request;
    const char *prefix = network_option(w->network, OPTION_IFACE_PREFIX);
    char endpoint[ID_LENGTH + 1];
    int r = id_new(endpoint);

    if (r < 0)
        return error_errno(e, r, "make an id");
    w->owner = (struct lease_owner){
        .container_id = q->container_id,
        .container_name = q->container_name,
        .ifname = q->ifname ? q->ifname : arena_printf(w->arena, "%s%u", prefix ? prefix : "eth", q->index),
        .endpoint_id = arena_strdup(w->arena, endpoint),
    };
    if (q->aliases)
        w->owner.aliases = *q->aliases;
    return q->mac ? mac_parse(q->mac, w->link->mac, e) : 0;
}

/* Is what the network stands on there? A bridge is put back when it is not. */
static int make_ready(struct attaching *w, struct network *n, struct error *e) {
    const char *parent = network_option(n, "parent");
    enum firewall_state state;

    if (!network_is_bridge(n))
        return !parent || link_index(parent) ? 0 : error_set(e, -ENODEV, "its parent interface %s is not there", parent);
    state = link_index(network_bridge(n, w->arena)) ? firewall_look(w->roots) : FIREWALL_BROKEN;
    if (state == FIREWALL_BROKEN || !zone_is_joined(w->roots)) {
        int r = network_restore(w->roots, n, w->arena, e);

        if (r < 0)
            return r;
        state = firewall_look(w->roots);
    }
    w->unchecked = state == FIREWALL_UNCHECKED;
    if (w->unchecked && network_option_is(n, OPTION_SOURCE_CHECK, false))
        return error_set(e, -EOPNOTSUPP,
                         "its option " OPTION_SOURCE_CHECK "=true cannot be kept: this kernel has no tables of "
                         "family bridge (CONFIG_NF_TABLES_BRIDGE)");
    return 0;
}

static int attach(struct attaching *w, struct network *n, struct error *e) {
    int r = prepare_owner(w, e);

    if (r == 0)
        r = add_link_local(w, e); /* before anything is taken: it can be wrong */
    if (r == 0)
        r = make_ready(w, n, e);
    if (r < 0)
        return r;
    w->dirfd = lease_open_dir(w->roots, n->name, e);
    if (w->dirfd < 0)
        return w->dirfd;
    return take_addresses(w, e);
}

int network_attach(const struct roots *roots, const struct attach_request *request, struct arena *a, struct network_attachment *ret,
                   struct error *e) {
    struct network n;
    struct link link = {.kind = LINK_VETH};
    struct attaching w = {.roots = roots, .request = request, .network = &n, .arena = a, .dirfd = -1, .link = &link};
    int r = network_open(roots, request->network ? request->network : NETWORK_DEFAULT, a, &n, e);

    if (r < 0)
        return r;
    r = attach(&w, &n, e);
    w.dirfd = fd_close(w.dirfd);
    if (r < 0)
        return error_wrap(e, r, "attach to network %s", n.name);
    describe_link(&w);
    describe(&w, ret);
    return 0;
}

void network_detach(const struct roots *roots, const struct network_attachment *attachment) {
    (void)roots;
    for (size_t i = 0; i < attachment->leases.n; i++)
        (void)unlink(attachment->leases.v[i]);
}

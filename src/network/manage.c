#include "network/manage.h"
#include "kernel/netns.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/event_change.h"
#include "base/fs.h"
#include "base/id.h"
#include "model/port.h"
#include "network/lease.h"

/* --- the networks that need no file
 * ----------------------------------------------------------------------------------------------- */

static const struct { const char *name, *driver; } builtin[] = {{"host", "host"}, {"none", "null"}};

bool network_is_predefined(const char *name) {
    return strcmp(name, NETWORK_DEFAULT) == 0 || strcmp(name, "host") == 0 || strcmp(name, "none") == 0;
}

/* Their ids are made from their names: the same on every machine, and never those of a network with a file, which are random. */
static void describe_builtin(size_t i, struct arena *a, struct network *ret) {
    char id[ID_LENGTH + 1], digits[2 * 8 + 1];

    hex_encode(builtin[i].name, 4, digits);
    for (size_t k = 0; k < ID_LENGTH; k++)
        id[k] = digits[k % 8];
    id[ID_LENGTH] = '\0';
    *ret = (struct network){.name = builtin[i].name,
                            .id = arena_strdup(a, id),
                            .created = "0001-01-01T00:00:00Z",
                            .scope = "local",
                            .driver = builtin[i].driver,
                            .ipv4 = true,
                            .ipam.driver = "default"};
}

static int open_any(const struct roots *roots, const char *name_or_id, struct arena *a, struct network *ret, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(builtin); i++) {
        struct network n;

        describe_builtin(i, a, &n);
        if (strcmp(name_or_id, n.name) == 0 ||
            (strlen(name_or_id) >= ID_SHORT_LENGTH && strncmp(n.id, name_or_id, strlen(name_or_id)) == 0)) {
            *ret = n;
            return 0;
        }
    }
    return network_open(roots, name_or_id, a, ret, e);
}

/* --- looking
 * ----------------------------------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct network_endpoint *)a)->key, ((const struct network_endpoint *)b)->key);
}

static int fill_containers(const struct roots *roots, struct network *n, struct arena *a, struct error *e) {
    struct list leases = {0};
    int r = lease_list(roots, n->name, a, &leases, e);

    n->containers = (struct list){0};
    for (size_t i = 0; r == 0 && i < leases.n; i++) {
        const struct lease *lease = LIST_AT(struct lease, &leases, i);
        const struct lease_owner *owner = &lease->owner;

        /* A container of both families has two leases with one record: the IPv4 one stands for both. */
        if (!lease_owner_exists(roots, owner->container_id) || (lease->address.family == IP_V6 && *owner->ip))
            continue;
        *LIST_ADD(a, struct network_endpoint, &n->containers) = (struct network_endpoint){.key = owner->container_id,
                                                                                          .name = owner->container_name,
                                                                                          .endpoint_id = owner->endpoint_id,
                                                                                          .mac = owner->mac,
                                                                                          .ipv4 = owner->ip,
                                                                                          .ipv6 = owner->ip6};
    }
    if (n->containers.n)
        qsort(n->containers.v, n->containers.n, sizeof(struct network_endpoint), by_key);
    return r;
}

static void clear_private(struct network *n) {
    n->format = 0;
    n->auto_subnet = false;
}

int network_inspect(const struct roots *roots, const char *name_or_id, struct arena *a, struct network *ret, struct error *e) {
    struct network n;
    int r = open_any(roots, name_or_id, a, &n, e);

    if (r == 0)
        r = fill_containers(roots, &n, a, e);
    if (r < 0)
        return r;
    clear_private(&n);
    *ret = n;
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct network *)a)->name, ((const struct network *)b)->name);
}

int network_all(const struct roots *roots, struct arena *a, struct list *ret, struct error *e) {
    struct list all = {0};
    struct network bridge;
    int r = network_open(roots, NETWORK_DEFAULT, a, &bridge, e); /* makes it if need be: it must be in every list */

    if (r == 0)
        r = network_list(roots, a, &all, NULL, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
        describe_builtin(i, a, LIST_ADD(a, struct network, &all));
    for (size_t i = 0; r == 0 && i < all.n; i++) {
        clear_private(LIST_AT(struct network, &all, i));
        r = fill_containers(roots, LIST_AT(struct network, &all, i), a, e);
    }
    if (r < 0)
        return r;
    qsort(all.v, all.n, sizeof(struct network), by_name);
    *ret = all;
    return 0;
}

bool network_is_dangling(const struct network *n) {
    return n->containers.n == 0 && !network_is_predefined(n->name);
}

/* --- making
 * ------------------------------------------------------------------------------------------------------------------------ */

/* Options of each driver; one that is not here is refused, not ignored. */
static int check_mtu(const char *value) {
    char *end;
    unsigned long mtu = strtoul(value, &end, 10);

    return *value && !*end && mtu >= 68 && mtu <= 65535 ? 0 : -EINVAL;
}

static int check_bool(const char *value) {
    return strcmp(value, "true") == 0 || strcmp(value, "false") == 0 || strcmp(value, "1") == 0 || strcmp(value, "0") == 0
               ? 0
               : -EINVAL;
}

static int check_publish_mode(const char *value) {
    enum publish_mode mode;

    return publish_mode_parse(value, &mode, NULL);
}

static int check_ipv4(const char *value) {
    struct ip_address address;

    return ip_parse(value, &address, NULL) == 0 && address.family == IP_V4 ? 0 : -EINVAL;
}

static int check_gateway_mode(const char *value) {
    enum gateway_mode mode;

    return gateway_mode_parse(value, &mode);
}

static int check_ifname(const char *value) {
    return *value && strlen(value) < IF_NAMESIZE && !strpbrk(value, "/ :") && strcmp(value, ".") != 0 && strcmp(value, "..") != 0
               ? 0
               : -EINVAL;
}

static int check_prefix(const char *value) {
    return *value && strlen(value) < IF_NAMESIZE - 3 && !strpbrk(value, "/ :") ? 0 : -EINVAL;
}

static int check_mode(const char *value) {
    static const char *const modes[] = {"bridge", "private", "vepa", "passthru", "l2", "l3", "l3s"};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (strcmp(value, modes[i]) == 0)
            return 0;
    return -EINVAL;
}

static const struct {
    const char *key;
    bool bridge; /* of the driver bridge; else of macvlan and ipvlan */
    bool both;
    int (*check)(const char *value);
} options[] = {
    {"com.docker.network.bridge.name", true, false, check_ifname},
    {"com.docker.network.bridge.enable_icc", true, false, check_bool},
    {"com.docker.network.bridge.enable_ip_masquerade", true, false, check_bool},
    {OPTION_HOST_BINDING, true, false, check_ipv4},
    {OPTION_GATEWAY_MODE "4", true, false, check_gateway_mode},
    {OPTION_GATEWAY_MODE "6", true, false, check_gateway_mode},
    {OPTION_INHIBIT_IPV4, true, false, check_bool},
    {"com.docker.network.driver.mtu", true, true, check_mtu},
    {OPTION_SOURCE_CHECK, true, false, check_bool},
    {OPTION_PUBLISH_MODE, true, false, check_publish_mode},
    {OPTION_IFACE_PREFIX, true, true, check_prefix},
    {"parent", false, false, check_ifname},
    {"macvlan_mode", false, false, check_mode},
    {"ipvlan_mode", false, false, check_mode},
};

static int check_option(const struct network *n, const struct pair *option, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (strcmp(option->key, options[i].key) != 0 || (!options[i].both && options[i].bridge != network_is_bridge(n)))
            continue;
        return options[i].check(option->value) == 0
                   ? 0
                   : error_set(e, -EINVAL, "option %s: \"%s\" is not a value for it", option->key, option->value);
    }
    return error_set(e, -EOPNOTSUPP, "option %s is not known for driver %s", option->key, n->driver);
}

static const char *find_in(const struct strs *all, const struct ip_prefix *subnet, bool as_prefix) {
    for (size_t i = 0; i < all->n; i++) {
        struct ip_prefix p;

        if (ip_prefix_parse(all->v[i], &p, NULL) == 0 && ip_prefix_has(subnet, &p.address) &&
            (!as_prefix || p.length >= subnet->length))
            return all->v[i];
    }
    return NULL;
}

static int add_subnet(const struct network_create_request *q, const char *text, struct arena *a, struct network *n,
                      struct error *e) {
    struct network_subnet *s;
    struct ip_prefix subnet;
    struct ip_address base;
    char shown[IP_TEXT_MAX];
    const char *gateway;
    int r = ip_prefix_parse(text, &subnet, e);

    if (r < 0)
        return error_wrap(e, r, "invalid subnet %s", text);
    base = ip_prefix_base(&subnet);
    if (!ip_is_equal(&base, &subnet.address)) {
        subnet.address = base;
        return error_set(e, -EINVAL, "invalid subnet %s: it should be %s", text, ip_prefix_format(&subnet, shown));
    }
    if (ip_bits(&base) - subnet.length < 2 && network_is_bridge(n))
        return error_set(e, -EINVAL, "invalid subnet %s: no room for a gateway and a container", text);
    s = LIST_ADD(a, struct network_subnet, &n->ipam.config);
    s->subnet = arena_strdup(a, ip_prefix_format(&subnet, shown));
    s->ip_range = find_in(&q->ranges, &subnet, true);
    gateway = find_in(&q->gateways, &subnet, false);
    if (!gateway) {
        struct ip_address first = ip_add(&base, 1);

        gateway = arena_strdup(a, ip_format(&first, shown));
    }
    s->gateway = gateway;
    for (size_t i = 0; i < q->auxiliary.n; i++) {
        struct ip_address auxiliary;

        r = ip_parse(q->auxiliary.v[i].value, &auxiliary, e);
        if (r < 0)
            return error_wrap(e, r, "auxiliary address %s", q->auxiliary.v[i].key);
        if (ip_prefix_has(&subnet, &auxiliary))
            map_set(a, &s->auxiliary, q->auxiliary.v[i].key, q->auxiliary.v[i].value);
    }
    n->ipv4 |= subnet.address.family == IP_V4;
    n->ipv6 |= subnet.address.family == IP_V6;
    return 0;
}

/* Every range, gateway and auxiliary address must belong to one of the subnets. */
static int check_placed(const struct network_create_request *q, const struct network *n, struct error *e) {
    size_t ranges = 0, gateways = 0, auxiliary = 0;

    for (size_t i = 0; i < n->ipam.config.n; i++) {
        const struct network_subnet *s = LIST_AT(struct network_subnet, &n->ipam.config, i);

        ranges += s->ip_range != NULL;
        auxiliary += s->auxiliary.n;
        for (size_t k = 0; k < q->gateways.n; k++)
            gateways += s->gateway && strcmp(s->gateway, q->gateways.v[k]) == 0;
    }
    if (ranges < q->ranges.n)
        return error_set(e, -EINVAL, "no matching subnet for range %s", q->ranges.v[q->ranges.n - 1]);
    if (gateways < q->gateways.n)
        return error_set(e, -EINVAL, "no matching subnet for gateway %s", q->gateways.v[q->gateways.n - 1]);
    if (auxiliary < q->auxiliary.n)
        return error_set(e, -EINVAL, "no matching subnet for aux-address %s", q->auxiliary.v[q->auxiliary.n - 1].value);
    return 0;
}

static int check_driver(struct network *n, struct error *e) {
    static const char *const drivers[] = {"bridge", "macvlan", "ipvlan"};

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (strcmp(n->driver, drivers[i]) == 0)
            return 0;
    return error_set(e, -EINVAL, "network driver %s is not known (bridge, macvlan and ipvlan are)", n->driver);
}

static int describe_network(const struct network_create_request *q, struct arena *a, struct network *n, struct error *e) {
    int r = name_check("network name", q->name, e);

    if (r == 0 && (network_is_predefined(q->name) || strcmp(q->name, "default") == 0 || strcmp(q->name, NETWORK_PASTA) == 0))
        r = error_set(e, -EPERM, "operation is not permitted on predefined %s network", q->name);
    if (r == 0)
        r = check_driver(n, e);
    for (size_t i = 0; r == 0 && i < q->options.n; i++)
        r = check_option(n, &q->options.v[i], e);
    for (size_t i = 0; r == 0 && i < q->subnets.n; i++)
        r = add_subnet(q, q->subnets.v[i], a, n, e);
    if (r == 0 && !n->internal &&
        (network_gateway_mode(n, IP_V4) == GATEWAY_ISOLATED || network_gateway_mode(n, IP_V6) == GATEWAY_ISOLATED))
        r = error_set(e, -EINVAL, "gateway mode isolated is for internal networks (--internal)");
    if (r == 0 && !network_is_bridge(n) && !map_get(&q->options, "parent"))
        r = error_set(e, -EINVAL, "driver %s needs to know on which interface of the host: -o parent=eth0", n->driver);
    return r < 0 ? r : check_placed(q, n, e);
}

static void choose_families(const struct network_create_request *q, struct network *n) {
    bool named6 = n->ipv6, host6 = access("/proc/sys/net/ipv6", F_OK) == 0;

    n->auto_subnet = q->subnets.n == 0;
    n->ipv4 = q->ipv4.set ? q->ipv4.value : true;
    n->ipv6 = q->ipv6.set ? q->ipv6.value : named6 || (host6 && network_is_bridge(n));
}

static void begin_change(struct event_change *change, const struct roots *roots, const struct network *n, const char *action) {
    char path[16 + NAME_MAX_LENGTH];

    (void)snprintf(path, sizeof(path), "networks/%s", n->name);
    event_change_of(change, roots->run_fd, roots->root_fd, path, "network", action, n->id, "name", n->name, "type", n->driver,
                    (char *)NULL);
}

int network_create(const struct roots *roots, const struct network_create_request *request, struct arena *a, struct network *ret,
                   struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    _cleanup_fd_ int lock = -1;
    char id[ID_LENGTH + 1], now[TIME_TEXT_MAX];
    struct network n = {.name = request->name,
                        .scope = "local",
                        .driver = request->driver ? request->driver : "bridge",
                        .internal = request->internal,
                        .attachable = request->attachable,
                        .options = request->options,
                        .labels = request->labels,
                        .ipam.driver = "default"};
    int r = id_new(id);

    if (r < 0)
        return error_errno(e, r, "make an id");
    time_format(clock_wall(), now);
    n.id = arena_strdup(a, id);
    n.created = arena_strdup(a, now);
    r = describe_network(request, a, &n, e);
    if (r < 0)
        return r;
    choose_families(request, &n);
    if (!n.ipv4 && !n.ipv6)
        return error_set(e, -EINVAL, "IPv4 or IPv6 must be enabled");
    lock = network_lock(roots, e); /* two networks made at once must not choose the same subnet */
    if (lock < 0)
        return lock;
    r = network_plan_subnets(roots, &n, a, e);
    if (r < 0)
        return r;
    begin_change(&change, roots, &n, "create");
    r = network_write(roots, &n, false, e);
    if (r < 0)
        return r;
    event_change_tell(&change);
    *ret = n;
    return 0;
}

/* --- removing
 * ---------------------------------------------------------------------------------------------------------------------- */

int network_remove(const struct roots *roots, const char *name_or_id, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_fd_ int lock = network_lock(roots, e);
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    char path[16 + NAME_MAX_LENGTH];
    struct network n;
    int r = lock < 0 ? lock : network_inspect(roots, name_or_id, &a, &n, e);

    if (r < 0)
        return r;
    if (network_is_predefined(n.name))
        return error_set(e, -EPERM, "%s is a pre-defined network and cannot be removed", n.name);
    if (n.containers.n)
        return error_set(e, -EBUSY, "network %s has active endpoints (name:\"%s\" id:\"%.12s\")", n.name,
                         LIST_AT(struct network_endpoint, &n.containers, 0)->name,
                         LIST_AT(struct network_endpoint, &n.containers, 0)->key);
    /* The file goes last: whoever is killed before leaves a network that can be removed again. */
    if (network_is_bridge(&n) && link_index(network_bridge(&n, &a)))
        r = network_forget_bridge(roots, network_bridge(&n, &a), e);
    if (r < 0)
        return error_wrap(e, r, "remove network %s", n.name);
    (void)snprintf(path, sizeof(path), "leases/%s", n.name);
    (void)fs_remove_tree_at(roots->run_fd, path, NULL);
    (void)snprintf(path, sizeof(path), "networks/%s", n.name);
    begin_change(&change, roots, &n, "destroy");
    r = fs_unlink_at(roots->root_fd, path, e);
    if (r == 0)
        event_change_tell(&change);
    return r;
}

/* --- putting back
 * ------------------------------------------------------------------------------------------------------------------ */

int network_reload(const struct roots *roots, const char *name_or_id, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct network n;
    struct list all = {0};
    int r;

    if (name_or_id) {
        r = network_open(roots, name_or_id, &a, &n, e);
        return r < 0 ? r : network_restore(roots, &n, &a, e);
    }
    r = network_all(roots, &a, &all, e);
    for (size_t i = 0; r == 0 && i < all.n; i++) {
        struct network *one = LIST_AT(struct network, &all, i);

        if (!network_is_bridge(one) || (!one->containers.n && !link_index(network_bridge(one, &a))))
            continue;
        r = network_read(roots, one->name, &a, &n, e);
        if (r == 0)
            r = network_restore(roots, &n, &a, e);
    }
    return r;
}

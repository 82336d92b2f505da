#include "engine/inspect_network.h"

#include <string.h>

#include "engine/create.h"
#include "engine/ports_shown.h"
#include "engine/start.h"
#include "model/network_mode.h"
#include "model/units.h"
#include "network/cni.h"
#include "network/lease.h"
#include "network/network.h"
#include "network/port.h"

#define N struct network_settings
static const struct json_field network_settings_fields[] = {
    JSON_FIELD(N, bridge, "Bridge", JSON_STR, 0),
    JSON_FIELD(N, sandbox_id, "SandboxID", JSON_STR, 0),
    JSON_FIELD(N, sandbox_key, "SandboxKey", JSON_STR, 0),
    JSON_FIELD_OF(N, ports, "Ports", JSON_OBJ_LISTS, 0, &port_binding_table),
    JSON_FIELD(N, endpoint_id, "EndpointID", JSON_STR, 0),
    JSON_FIELD(N, gateway, "Gateway", JSON_STR, 0),
    JSON_FIELD(N, global_ipv6_address, "GlobalIPv6Address", JSON_STR, 0),
    JSON_FIELD(N, global_ipv6_prefix_len, "GlobalIPv6PrefixLen", JSON_I64, 0),
    JSON_FIELD(N, ip_address, "IPAddress", JSON_STR, 0),
    JSON_FIELD(N, ip_prefix_len, "IPPrefixLen", JSON_I64, 0),
    JSON_FIELD(N, ipv6_gateway, "IPv6Gateway", JSON_STR, 0),
    JSON_FIELD(N, mac_address, "MacAddress", JSON_STR, 0),
    JSON_FIELD_OF(N, networks, "Networks", JSON_OBJ_MAP, 0, &endpoint_settings_table),
    JSON_END,
};
#undef N
const struct json_table network_settings_table = JSON_TABLE("network settings", struct network_settings, network_settings_fields);

static void split_address(const char *text, struct arena *a, const char **ret_address, int64_t *ret_length) {
    size_t n = strcspn(text ? text : "", "/");
    *ret_address = text ? arena_strndup(a, text, n) : "";
    if (text && text[n])
        (void)int_parse(text + n + 1, 0, 128, ret_length);
}

static const char *gateway_of(const struct network *n, bool ipv6) {
    for (size_t i = 0; i < n->ipam.config.n; i++) {
        const struct network_subnet *s = LIST_AT(struct network_subnet, &n->ipam.config, i);
        if (s->gateway && (strchr(s->gateway, ':') != NULL) == ipv6)
            return s->gateway;
    }
    return "";
}

static void fill_endpoint(struct engine *engine, const struct container *c, const char *name, struct arena *a,
                          struct endpoint_settings *s) {
    struct network network;
    struct list leases = {0};
    if (network_open(engine->roots, name, a, &network, NULL) < 0)
        return;
    s->network_id = network.id;
    if (lease_list(engine->roots, network.name, a, &leases, NULL) < 0)
        return;
    for (size_t i = 0; i < leases.n; i++) {
        const struct lease_owner *o = &LIST_AT(struct lease, &leases, i)->owner;
        if (strcmp(o->container_id, c->id) != 0)
            continue;
        split_address(o->ip, a, &s->ip_address, &s->ip_prefix_len);
        split_address(o->ip6, a, &s->global_ipv6_address, &s->global_ipv6_prefix_len);
        s->mac_address = o->mac;
        s->endpoint_id = o->endpoint_id;
        s->gateway = gateway_of(&network, false);
        s->ipv6_gateway = s->global_ipv6_address && *s->global_ipv6_address ? gateway_of(&network, true) : "";
        return;
    }
}

static struct endpoint_settings *add_endpoint(struct list *to, const char *name, struct arena *a) {
    for (size_t i = 0; i < to->n; i++)
        if (strcmp(LIST_AT(struct endpoint_settings, to, i)->key, name) == 0)
            return LIST_AT(struct endpoint_settings, to, i);
    struct endpoint_settings *s = LIST_ADD(a, struct endpoint_settings, to);
    s->key = name;
    return s;
}

static struct json_objs *bindings_of(struct list *ports, const char *key, struct arena *a) {
    for (size_t i = 0; i < ports->n; i++)
        if (strcmp(LIST_AT(struct json_objs, ports, i)->key, key) == 0)
            return LIST_AT(struct json_objs, ports, i);
    struct json_objs *o = LIST_ADD(a, struct json_objs, ports);
    o->key = key;
    return o;
}

static int fill_ports(struct engine *engine, const struct container *c, struct arena *a, struct list *ports, struct error *e) {
    struct list records = {0}, shown = {0};
    int r = port_list(engine->roots, a, &records, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < c->record.config.exposed_ports.n; i++)
        (void)bindings_of(ports, c->record.config.exposed_ports.v[i], a);
    ports_shown(&records, c->id, a, &shown);
    for (size_t i = 0; i < shown.n; i++) {
        const struct port_shown *p = LIST_AT(struct port_shown, &shown, i);
        struct json_objs *of = bindings_of(ports, arena_printf(a, "%u/%s", p->container_port, p->protocol), a);
        *LIST_ADD(a, struct port_binding, &of->items) = (struct port_binding){p->host_ip, arena_printf(a, "%u", p->host_port)};
    }
    return 0;
}

/* As its plugins told it. */
static void fill_cni(const struct container *c, struct arena *a, struct endpoint_settings *s) {
    struct cni_result result;
    if (cni_result_read(c->dirfd, a, &result, NULL) < 0)
        return;
    s->mac_address = result.mac;
    for (size_t i = 0; i < result.addresses.n; i++) {
        const struct cni_address *one = LIST_AT(struct cni_address, &result.addresses, i);
        bool v6 = strchr(one->address, ':');
        split_address(one->address, a, v6 ? &s->global_ipv6_address : &s->ip_address,
                      v6 ? &s->global_ipv6_prefix_len : &s->ip_prefix_len);
        *(v6 ? &s->ipv6_gateway : &s->gateway) = one->gateway;
    }
}

int inspect_network(struct engine *engine, const struct container *c, bool alive, struct arena *a, struct network_settings *ret,
                    struct error *e) {
    struct network_settings s = {.networks = c->record.networking.endpoints};
    const char *mode = c->record.host.network_mode;
    if (mode_is(mode, "") || mode_is(mode, "default"))
        mode = NETWORK_DEFAULT;
    enum network_mode_kind kind = network_mode_kind(mode, NULL);
    bool joins = kind == NETWORK_MODE_CONTAINER || kind == NETWORK_MODE_PATH || c->record.host.left_networks;
    struct endpoint_settings *first = joins ? NULL : add_endpoint(&s.networks, mode, a);
    for (size_t i = 0; alive && i < s.networks.n; i++) {
        struct endpoint_settings *x = LIST_AT(struct endpoint_settings, &s.networks, i);
        if (kind == NETWORK_MODE_CNI)
            fill_cni(c, a, x);
        else if (strcmp(x->key, "none") != 0 && strcmp(x->key, "host") != 0)
            fill_endpoint(engine, c, x->key, a, x);
    }
    if (first && strcmp(first->key, NETWORK_DEFAULT) == 0) {
        s.endpoint_id = first->endpoint_id;
        s.gateway = first->gateway;
        s.ip_address = first->ip_address;
        s.ip_prefix_len = first->ip_prefix_len;
        s.mac_address = first->mac_address;
        s.ipv6_gateway = first->ipv6_gateway;
        s.global_ipv6_address = first->global_ipv6_address;
        s.global_ipv6_prefix_len = first->global_ipv6_prefix_len;
    }
    if (alive && network_mode_path(mode))
        s.sandbox_key = network_mode_path(mode);
    if (alive && kind == NETWORK_MODE_CNI)
        s.sandbox_key = container_run_path(engine, c->id, CONTAINER_NETNS, a);
    int r = alive ? fill_ports(engine, c, a, &s.ports, e) : 0;
    if (r == 0)
        *ret = s;
    return r;
}

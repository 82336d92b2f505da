#include "engine/explain_container.h"

#include <string.h>

#include "engine/container.h"
#include "engine/inspect_network.h"
#include "engine/lookup.h"
#include "engine/start_cni.h"
#include "engine/start_network.h"
#include "model/network_mode.h"
#include "model/port.h"
#include "network/explain.h"
#include "network/listener.h"
#include "network/port.h"
#include "network/store.h"

/* What the mode means where no network of tare's has a part in it; NULL: one has. */
static const char *mode_text(const struct container *c, struct arena *a) {
    const char *argument;
    switch (network_mode_kind(c->record.host.network_mode, &argument)) {
    case NETWORK_MODE_NONE:
        return "it has a network namespace of its own and nothing in it: nobody reaches it, and it reaches nobody";
    case NETWORK_MODE_HOST: return "it lives in the host's network namespace: what it listens at, the host listens at";
    case NETWORK_MODE_PASTA: return "pasta connects its network namespace, with the host's addresses, and publishes its ports";
    case NETWORK_MODE_CONTAINER: return arena_printf(a, "it lives in the network namespace of container %s: see there", argument);
    case NETWORK_MODE_PATH: return arena_printf(a, "it lives in network namespace %s, which tare leaves as it is", argument);
    case NETWORK_MODE_CNI:
        return arena_printf(a, "CNI network %s: plugins of somebody else's made it, and forward its ports", argument);
    case NETWORK_MODE_NAMED: break;
    }
    return NULL;
}

static void explain_cni(struct engine *engine, const struct container *c, struct arena *a, struct buf *out) {
    _cleanup_error_ struct error why = ERROR_INIT;
    if (cni_check(engine, c, a, &why) == 0)
        buf_add_str(out, "  its plugins say that all is as they made it (CHECK)\n");
    else
        buf_printf(out, "BLOCKED, perhaps: %s\n", why.text ? why.text : "its plugins do not answer");
}

static int explain_endpoint(struct engine *engine, const struct endpoint_settings *s, const char *gateway, struct arena *a,
                            struct buf *out, struct error *e) {
    struct network n;
    int r = network_open(engine->roots, s->key, a, &n, e);
    if (r < 0)
        return r;
    bool six = s->global_ipv6_address && *s->global_ipv6_address;
    buf_printf(out, "network %s: address %s%s%s%s\n", n.name, s->ip_address ? s->ip_address : "none", six ? ", " : "",
               six ? s->global_ipv6_address : "",
               n.internal                                ? "; no way out: the network is internal"
               : gateway && strcmp(gateway, n.name) == 0 ? "; its default route goes over this network"
                                                         : "");
    if (network_is_bridge(&n))
        return explain_obstacles(engine->roots, &n, a, out, e);
    buf_printf(
        out,
        "  it stands on the wire of the host's interface %s: whoever is there reaches all of its ports; the host itself does not\n",
        network_option(&n, "parent"));
    return 0;
}

/* The most frequent reason of all: nobody listens inside, or only at loopback. */
static void explain_listener(pid_t pid, const struct port_record *p, struct buf *out) {
    const char *protocol = port_protocol_name(p->protocol);
    switch (listener_look(pid, p->protocol, p->container_port)) {
    case LISTENER_NONE:
        buf_printf(out, "BLOCKED: nothing in the container listens at port %u/%s\n", p->container_port, protocol);
        break;
    case LISTENER_LOOPBACK:
        buf_printf(
            out,
            "BLOCKED: what listens at port %u/%s in the container does so at its loopback address alone; it has to at 0.0.0.0\n",
            p->container_port, protocol);
        break;
    case LISTENER_OPEN:
    case LISTENER_UNKNOWN: break;
    }
}

static int explain_ports(struct engine *engine, const struct container *c, pid_t pid, struct arena *a, struct buf *out,
                         struct error *e) {
    struct list records = {0};
    size_t published = 0;
    int r = port_list(engine->roots, a, &records, e);
    for (size_t i = 0; r == 0 && i < records.n; i++) {
        const struct port_record *p = LIST_AT(struct port_record, &records, i);
        if (strcmp(p->container_id, c->id) != 0)
            continue;
        explain_port(p, out);
        explain_listener(pid, p, out);
        published++;
    }
    if (r == 0 && !published && c->record.host.port_bindings.n)
        buf_add_str(out, "BLOCKED: its published ports are not there: it has no network that leads out\n");
    else if (r == 0 && !published)
        buf_add_str(out, "it publishes no port: from outside and from other networks it is not reached\n");
    return r;
}

/* tare's packet filter has a part in bridges alone. */
static bool has_bridge(const struct network_settings *s, struct engine *engine, struct arena *a) {
    for (size_t i = 0; i < s->networks.n; i++) {
        struct network n;
        if (network_open(engine->roots, LIST_AT(struct endpoint_settings, &s->networks, i)->key, a, &n, NULL) == 0 &&
            network_is_bridge(&n))
            return true;
    }
    return false;
}

static int explain_networks(struct engine *engine, const struct container *c, pid_t pid, struct arena *a, struct buf *out,
                            struct error *e) {
    struct network_settings s;
    const char *gateway = start_network_gateway(engine, c, a);
    int r = inspect_network(engine, c, true, a, &s, e);
    for (size_t i = 0; r == 0 && i < s.networks.n; i++)
        r = explain_endpoint(engine, LIST_AT(struct endpoint_settings, &s.networks, i), gateway, a, out, e);
    if (r < 0)
        return r;
    if (!has_bridge(&s, engine, a))
        return 0;
    explain_table(engine->roots, out);
    return explain_ports(engine, c, pid, a, out, e);
}

int explain_container(struct engine *engine, const char *name, struct arena *a, struct buf *out, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct container_state state;
    int r = container_open(engine, name, a, &c, e);
    if (r >= 0)
        r = container_state(&c, &state, e);
    if (r < 0)
        return r;
    bool alive = container_is_alive(&state);
    const char *mode = mode_text(&c, a);
    buf_printf(out, "container %s (%.12s): %s\n", c.record.name, c.id, status_text(state.status));
    if (mode)
        buf_printf(out, "  %s\n", mode);
    else if (!alive)
        buf_add_str(out, "BLOCKED: it does not run, so it has neither addresses nor ports\n");
    if (alive && network_mode_kind(c.record.host.network_mode, NULL) == NETWORK_MODE_CNI) {
        explain_cni(engine, &c, a, out);
        return c.record.host.port_bindings.n ? explain_ports(engine, &c, state.pid, a, out, e) : 0;
    }
    return mode || !alive ? 0 : explain_networks(engine, &c, state.pid, a, out, e);
}

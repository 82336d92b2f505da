#include "engine/connect.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "engine/hold.h"
#include "engine/resource_events.h"
#include "engine/start_network.h"
#include "engine/start_ports.h"
#include "model/holder.h"
#include "model/network_mode.h"
#include "network/firewall.h"
#include "network/lease.h"
#include "network/plug.h"
#include "network/port.h"
#include "network/rootless.h"
#include "network/source_filter.h"
#include "network/store.h"
#include "runtime/journal.h"
#include "runtime/monitor_client.h"
#include "runtime/relink.h"

#define HOSTS_MAX ((size_t)1 << 20)

static struct endpoint_settings *endpoint_find(const struct networking_config *n, const char *network) {
    for (size_t i = 0; i < n->endpoints.n; i++)
        if (strcmp(LIST_AT(struct endpoint_settings, &n->endpoints, i)->key, network) == 0)
            return LIST_AT(struct endpoint_settings, &n->endpoints, i);
    return NULL;
}

/* The mode names the first network, which need not be among the endpoints: from now on it is, so that all are in one list. */
static void list_first_network(struct container_record *record, struct arena *a) {
    const char *mode = record->host.network_mode;
    if (mode_is(mode, "none"))
        return;
    if (mode_is(mode, "") || mode_is(mode, "default"))
        mode = record->host.network_mode = NETWORK_DEFAULT;
    if (!endpoint_find(&record->networking, mode))
        LIST_ADD(a, struct endpoint_settings, &record->networking.endpoints)->key = mode;
}

static int check_mode(const struct container *c, const char *network, struct error *e) {
    const char *mode = c->record.host.network_mode;
    const enum network_mode_kind kind = network_mode_kind(mode, NULL);
    if (strcmp(network, "host") == 0)
        return error_set(e, -EPERM, "container cannot be disconnected from host network or connected to host network");
    if (network_mode_path(mode))
        return error_set(e, -EPERM, "container in a network namespace of somebody else's (%s) cannot be connected to any network",
                         mode);
    if (kind == NETWORK_MODE_CNI || kind == NETWORK_MODE_PASTA)
        return error_set(e, -EPERM, "container on %s (%s) cannot be connected to any other network",
                         kind == NETWORK_MODE_CNI ? "a CNI network" : "a network of its own", mode);
    if (network_mode_is_foreign(mode))
        return error_set(
            e, -EPERM,
            "container sharing network namespace with another container or host cannot be connected to any other network");
    return 0;
}

/* Addresses and a plan of their use are there: it runs, or waits for its next start by the policy. */
static bool has_run(const struct container_state *state) {
    return container_is_alive(state) || state->status == STATUS_RESTARTING;
}

static int open_netns(const struct container_state *state, struct error *e) {
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", state->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, -errno, "open the container's network namespace");
    return fd;
}

/* --- the container's leases ------------------------------------------------------------------------------------------------ */

/* The container's own leases on one network (struct lease). */
static int own_leases(struct engine *engine, const struct container *c, const char *network, struct arena *a, struct list *ret,
                      struct error *e) {
    struct list all = {0};
    int r = lease_list(engine->roots, network, a, &all, e);
    for (size_t i = 0; r == 0 && i < all.n; i++)
        if (strcmp(LIST_AT(struct lease, &all, i)->owner.container_id, c->id) == 0)
            *LIST_ADD(a, struct lease, ret) = *LIST_AT(struct lease, &all, i);
    return r;
}

static unsigned number_at_end(const char *ifname) {
    const char *p = ifname + strlen(ifname);
    while (p > ifname && isdigit((unsigned char)p[-1]))
        p--;
    return (unsigned)strtoul(p, NULL, 10);
}

static bool index_is_used(struct engine *engine, const struct container *c, unsigned index, struct arena *a) {
    for (size_t i = 0; i < c->record.networking.endpoints.n; i++) {
        struct list leases = {0};
        (void)own_leases(engine, c, LIST_AT(struct endpoint_settings, &c->record.networking.endpoints, i)->key, a, &leases, NULL);
        if (leases.n && number_at_end(LIST_AT(struct lease, &leases, 0)->owner.ifname) == index)
            return true;
    }
    return false;
}

static unsigned free_index(struct engine *engine, const struct container *c, struct arena *a) {
    unsigned i = 0;
    while (i < LINKS_MAX && index_is_used(engine, c, i, a))
        i++;
    return i;
}

/* --- /etc/hosts ------------------------------------------------------------------------------------------------------------ */

/* What is bound into the container is written in place. */
static int rewrite(const struct container *c, const char *name, const struct buf *text, struct error *e) {
    _cleanup_fd_ int fd = openat(c->run_dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : fs_write_all(fd, buf_text(text), text->size);
    if (r == 0 && ftruncate(fd, (off_t)text->size) < 0)
        r = -errno;
    return r < 0 ? error_errno(e, r, "write the container's %s", name) : 0;
}

/* Without lines of `address`, and with one for it unless `hostname` is NULL. */
static int hosts_change(const struct container *c, const char *address, const char *hostname, struct error *e) {
    _cleanup_buf_ struct buf old = BUF_INIT, text = BUF_INIT;
    size_t n = strlen(address);
    int r = fs_read_at(c->run_dirfd, "hosts", HOSTS_MAX, &old, NULL);
    if (r < 0)
        return r == -ENOENT ? 0 : error_errno(e, r, "read the container's hosts"); /* it has the host's own files */
    for (const char *line = buf_text(&old), *end; *line; line = end) {
        end = strchrnul(line, '\n');
        end += *end == '\n';
        if (strncmp(line, address, n) != 0 || (line[n] != '\t' && line[n] != ' '))
            buf_add(&text, line, (size_t)(end - line));
    }
    if (hostname)
        buf_printf(&text, "%s\t%s\n", address, hostname);
    return rewrite(c, "hosts", &text, e);
}

/* --- names ----------------------------------------------------------------------------------------------------------------- */

static bool has_names(const struct container *c) {
    return faccessat(c->run_dirfd, HOLDER_NAMES, F_OK, 0) == 0;
}

/* The networks of the record are those that it has now. The first one of the user's own brings the resolver, which then stays. */
static int names_change(struct engine *engine, const struct container *c, struct arena *a, struct error *e) {
    bool had = has_names(c), internal = true, wanted = had;
    for (size_t i = 0; i < c->record.networking.endpoints.n; i++) {
        struct network n;
        int r = network_open(engine->roots, LIST_AT(struct endpoint_settings, &c->record.networking.endpoints, i)->key, a, &n, e);
        if (r < 0)
            return r;
        wanted = wanted || strcmp(n.name, NETWORK_DEFAULT) != 0;
        internal = internal && n.internal;
    }
    if (!wanted)
        return 0;
    int r = names_file_write(engine, c, internal, e);
    if (r < 0 || had)
        return r;
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    r = monitor_connect(c->run_dirfd, &conn, e);
    if (r == 0)
        r = monitor_names(&conn, e);
    if (r < 0)
        return error_wrap(e, r, "have names answered in the container");
    _cleanup_buf_ struct buf text = BUF_INIT;
    resolv_text(c, true, true, &text);
    r = faccessat(c->run_dirfd, "resolv.conf", F_OK, 0) == 0 ? rewrite(c, "resolv.conf", &text, e) : 0;
    return r;
}

/* `n`: the network whose joining or leaving is told; NULL: none. */
static int record_change(struct engine *engine, const struct container *c, bool runs, const struct network *n, bool connect,
                         struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    _cleanup_fd_ int mark = runs ? openat(c->run_dirfd, STATE_NETWORKS_CHANGED, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (runs && mark < 0)
        return error_errno(e, -errno, "note that the networks are others");
    if (runs && n)
        resources_change(engine, c, n, connect, &change);
    int r = container_record_write(c, true, e);
    if (r == 0 && runs && n)
        resources_changed(c, n, connect, &change);
    return r;
}

/* --- the plan of the next start by its monitor ----------------------------------------------------------------------------- */

static void change_links(const struct list *old, const char *drop, const struct link *add, const struct link *gateway,
                         struct arena *a, struct list *ret) {
    for (size_t i = 0; i < old->n; i++)
        if (!drop || strcmp(LIST_AT(struct link, old, i)->name, drop) != 0)
            *LIST_ADD(a, struct link, ret) = *LIST_AT(struct link, old, i);
    if (add)
        *LIST_ADD(a, struct link, ret) = *add;
    for (size_t i = 0; gateway && i < ret->n; i++) {
        struct link *l = LIST_AT(struct link, ret, i);
        l->n_routes = 0;
        if (strcmp(l->name, gateway->name) != 0)
            continue;
        memcpy(l->routes, gateway->routes, sizeof(l->routes));
        l->n_routes = gateway->n_routes;
    }
}

/* The interface `drop` (a name) goes and `add` comes; `gateway`'s routes are the only ones. NULL: none; the routes stay. When it
 * returns, no start from the old plan is under way. */
static int change_plan(const struct container *c, const char *drop, const struct link *add, const struct link *gateway,
                       struct arena *a, struct error *e) {
    _cleanup_error_ struct error why = ERROR_INIT;
    struct list old = {0}, links = {0};
    int r = relink_settle(c->run_dirfd, e);
    if (r < 0)
        return r;
    r = relink_read(c->run_dirfd, a, &old, &why);
    if (r == 0) {
        change_links(&old, drop, add, gateway, a, &links);
        r = relink_write(c->run_dirfd, &links, has_names(c), &why);
    }
    if (r == -EPROTO && c->record.host.restart.name && strcmp(c->record.host.restart.name, "no") != 0)
        log_warn("container %s was started by another version of tare: its restart policy will start it on the networks of before",
                 c->record.name);
    else if (r < 0 && r != -ENOENT && r != -EPROTO) { /* ENOENT: nobody starts it again */
        error_move(e, &why);
        return r;
    }
    return relink_settle(c->run_dirfd, e);
}

/* --- published ports ------------------------------------------------------------------------------------------------------- */

static void add_way(const struct list *leases, struct port_way *ret) {
    for (size_t i = 0; i < leases->n; i++) {
        const struct ip_address *address = &LIST_AT(struct lease, leases, i)->address;
        *(address->family == IP_V6 ? &ret->target6 : &ret->target4) = *address;
    }
}

/* The first network of the record that can carry them: a bridge that leads out, with translation. */
static int find_way(struct engine *engine, const struct container *c, struct arena *a, struct port_way *ret, struct error *e) {
    const struct list *all = &c->record.networking.endpoints;
    int r = 0;
    *ret = (struct port_way){0};
    for (size_t i = 0; r == 0 && i < all->n && ret->target4.family == IP_NONE && ret->target6.family == IP_NONE; i++) {
        const char *name = LIST_AT(struct endpoint_settings, all, i)->key;
        struct network n;
        struct list leases = {0};
        r = network_open(engine->roots, name, a, &n, e);
        if (r < 0 || !network_is_bridge(&n) || n.internal || network_gateway_mode(&n, IP_V4) == GATEWAY_ROUTED ||
            network_gateway_mode(&n, IP_V6) == GATEWAY_ROUTED)
            continue;
        r = own_leases(engine, c, n.name, a, &leases, e);
        add_way(&leases, ret);
    }
    return r;
}

/* Ports that led `from` one network (nowhere: all IP_NONE) lead to another that the container is on, as with Docker; else nowhere.
 * The last before addresses are free: who has them next must not be reached by this container's ports. */
static int move_ports(struct engine *engine, const struct container *c, const struct port_way *from, struct arena *a,
                      struct error *e) {
    _cleanup_journal_ struct journal more = JOURNAL_INIT;
    struct list old = {0}, new = {0};
    struct port_way to;
    int r = find_way(engine, c, a, &to, e);
    if (r == 0)
        r = port_leading(engine->roots, c->id, from, a, &old, e);
    if (r < 0 || old.n == 0)
        return r;
    port_turn(&old, &to, a, &new);
    ports_journal_elements(engine, c->id, &new, a, &more);
    r = journal_change(c->run_dirfd, "journal", &more, NULL, e);
    if (r == 0)
        r = port_replace(engine->roots, c->id, c->record.name, &old, &new, a, e);
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    if (r == 0 && monitor_connect(c->run_dirfd, &conn, NULL) == 0)
        (void)monitor_ports(&conn, NULL); /* its relays, too */
    if (r == 0 && to.target4.family == IP_NONE && to.target6.family == IP_NONE)
        log_warn("published ports of %s led over the network that it left, and no other can carry them: they lead nowhere until it "
                 "joins one",
                 c->record.name);
    return r;
}

/* --- connect --------------------------------------------------------------------------------------------------------------- */

/* Written down before the interface is made: the end of the container then frees the addresses. */
static int extend_journal(const struct engine *engine, const struct container *c, const struct network_attachment *n,
                          struct arena *a, struct error *e) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    for (size_t i = 0; i < n->leases.n; i++)
        journal_add(&j, JOURNAL_LEASE, n->leases.v[i], c->id);
    sources_journal(engine, c->id, n, &j);
    return journal_change(c->run_dirfd, "journal", &j, NULL, e);
}

/* Into the namespace that it has now. A start that comes after the plan was changed brings the interface by itself. */
static int plug_now(struct container *c, const struct network_attachment *n, const struct container_state *before,
                    struct error *e) {
    struct container_state now, after;
    int r = container_state(c, &now, e);
    if (r < 0 || !container_is_alive(&now))
        return r;
    _cleanup_fd_ int netns = open_netns(&now, e);
    r = netns < 0 ? netns : network_plug(n, netns, e);
    if (r == 0)
        return 0;
    bool came = r == -EEXIST && now.pid != before->pid;
    if (came || (container_state(c, &after, NULL) == 0 && after.pid != now.pid)) {
        error_release(e);
        return 0;
    }
    return r;
}

static int ask_attachment(struct engine *engine, const struct container *c, const struct endpoint_settings *s, struct arena *a,
                          struct network_attachment *n, struct error *e) {
    const char *gateway = start_network_gateway(engine, c, a);
    struct attach_request q = {.container_id = c->id,
                               .container_name = c->record.name,
                               .network = s->key,
                               .index = free_index(engine, c, a),
                               .aliases = &s->aliases,
                               .default_route = gateway && strcmp(gateway, s->key) == 0};
    if (s->ipam) {
        q.ip = s->ipam->ipv4;
        q.ip6 = s->ipam->ipv6;
        q.link_local = &s->ipam->link_local;
    }
    int r = endpoint_ifname(s, &q.ifname, e);
    if (r == 0)
        r = rootless_network_use(engine->roots, true, e);
    return r < 0 ? r : network_attach(engine->roots, &q, a, n, e);
}

static int plug(struct engine *engine, struct container *c, const struct container_state *state, const struct endpoint_settings *s,
                struct arena *a, struct error *e) {
    static const struct list none;
    struct network_attachment n = {0};
    char table[FIREWALL_TABLE_MAX];
    int r = ask_attachment(engine, c, s, a, &n, e);
    if (r < 0)
        return r;
    firewall_table_name(engine->roots, table);
    r = extend_journal(engine, c, &n, a, e);
    if (r == 0)
        r = network_filter_add(engine->roots, n.network, n.unchecked ? &none : &n.sources, a, e);
    if (r == 0)
        r = change_plan(c, NULL, &n.link, n.link.n_routes ? &n.link : NULL, a, e);
    if (r == 0)
        r = plug_now(c, &n, state, e);
    if (r < 0) {
        (void)change_plan(c, n.link.name, NULL, NULL, a, NULL);
        (void)nft_elements_delete(table, n.sources.v, n.sources.n, NULL);
        network_detach(engine->roots, &n);
        return r;
    }
    const char *const addresses[] = {n.ip, n.ip6};
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(addresses); i++)
        if (addresses[i] && *addresses[i] && c->record.config.hostname)
            r = hosts_change(c, addresses[i], c->record.config.hostname, e);
    static const struct port_way nowhere;
    return r < 0 ? r : move_ports(engine, c, &nowhere, a, e);
}

/* Docker's words. `none` is a network for those that have no other. */
static int check_join(struct container_record *record, const char *network, struct error *e) {
    bool none = strcmp(network, "none") == 0, alone = mode_is(record->host.network_mode, "none");
    if (none ? !alone || !record->host.left_networks : alone && !record->host.left_networks)
        return error_set(e, -EPERM,
                         "container cannot be connected to multiple networks with one of the networks in private (none) mode");
    record->host.left_networks = false;
    return 0;
}

static int connect_locked(struct engine *engine, struct container *c, const struct connect_request *q, struct arena *a,
                          struct error *e) {
    struct container_state state;
    struct network n;
    int r = container_state(c, &state, e);
    if (r == 0)
        r = check_mode(c, q->network, e);
    if (r < 0)
        return r;
    r = check_join(&c->record, q->network, e);
    if (r < 0 || strcmp(q->network, "none") == 0)
        return r < 0 ? r : record_change(engine, c, has_run(&state), NULL, false, e);
    r = network_open(engine->roots, q->network, a, &n, e);
    if (r < 0)
        return r;
    list_first_network(&c->record, a);
    if (endpoint_find(&c->record.networking, n.name))
        return error_set(e, -EEXIST, "endpoint with name %s already exists in network %s", c->record.name, n.name);
    if (mode_is(c->record.host.network_mode, "none"))
        c->record.host.network_mode = n.name;
    struct endpoint_settings *s = LIST_ADD(a, struct endpoint_settings, &c->record.networking.endpoints);
    s->key = n.name;
    s->aliases = q->aliases;
    s->gw_priority = q->gw_priority;
    s->driver_opts = q->driver_opts;
    if (q->ip || q->ip6 || q->link_local.n) {
        s->ipam = arena_new(a, struct endpoint_ipam);
        *s->ipam = (struct endpoint_ipam){.ipv4 = q->ip, .ipv6 = q->ip6, .link_local = q->link_local};
    }
    bool runs = has_run(&state);
    if (runs)
        r = plug(engine, c, &state, s, a, e);
    if (r == 0 && runs)
        r = names_change(engine, c, a, e);
    return r < 0 ? r : record_change(engine, c, runs, &n, true, e);
}

int container_connect(struct engine *engine, struct container *c, const struct connect_request *q, struct arena *a,
                      struct error *e) {
    struct container_state state;
    int pending = container_hold(engine, c, PENDING_CHANGE, a, &state, e);
    if (pending < 0)
        return pending;
    int r = connect_locked(engine, c, q, a, e);
    pending_end(engine, c->id, pending);
    return r < 0 ? error_wrap(e, r, "connect container %s to network %s", c->record.name, q->network) : 0;
}

/* --- disconnect ------------------------------------------------------------------------------------------------------------ */

/* While the leases are still ours. The journal's line of them goes with the first lease's. */
static int forget_sources(const struct engine *engine, const struct list *leases, struct arena *a, struct error *e) {
    char table[FIREWALL_TABLE_MAX];
    struct list elements = {0};
    for (size_t i = 0; i < leases->n; i++)
        source_filter_lease(LIST_AT(struct lease, leases, i), LINK_PINNED, a, &elements);
    firewall_table_name(engine->roots, table);
    return nft_elements_delete(table, elements.v, elements.n, e);
}

/* Its interface goes. `next` (NULL: none): the network that the default route goes over from now on. */
static int unplug_now(struct engine *engine, struct container *c, const char *ifname, const char *next, struct arena *a,
                      struct error *e) {
    struct container_state now, after;
    struct link route;
    int r = container_state(c, &now, e);
    if (r < 0 || !container_is_alive(&now))
        return r;
    _cleanup_fd_ int netns = open_netns(&now, e);
    r = netns < 0 ? netns : network_unplug(ifname, netns, e);
    if (r == 0 && next)
        r = network_route(engine->roots, next, c->id, netns, a, &route, e);
    if (r < 0 && container_state(c, &after, NULL) == 0 && after.pid != now.pid) { /* it went with the namespace */
        error_release(e);
        return 0;
    }
    return r;
}

static int give_back(struct engine *engine, const struct container *c, const char *network, const struct list *leases,
                     struct arena *a, struct error *e) {
    int r = forget_sources(engine, leases, a, e);
    _cleanup_fd_ int dir = r < 0 ? -1 : lease_open_dir(engine->roots, network, e);
    if (dir < 0)
        return r < 0 ? r : dir;
    for (size_t i = 0; r == 0 && i < leases->n; i++) {
        char text[IP_TEXT_MAX];
        const struct ip_address *address = &LIST_AT(struct lease, leases, i)->address;
        r = hosts_change(c, ip_format(address, text), NULL, e);
        /* First out of the journal: once it is free it may be another container's, whose lease our end must not remove. */
        if (r == 0)
            r = journal_change(c->run_dirfd, "journal", NULL,
                               arena_printf(a, "%s/leases/%s/%s", engine->roots->run_root, network, text), e);
        if (r == 0)
            r = lease_free(dir, address, e);
    }
    return r;
}

/* `next` as above; the record is without the network by now. */
static int unplug(struct engine *engine, struct container *c, const char *network, const char *next, struct arena *a,
                  struct error *e) {
    struct list leases = {0};
    struct link route = {0};
    struct port_way left = {0};
    int r = rootless_network_use(engine->roots, false, e);
    if (r == 0)
        r = own_leases(engine, c, network, a, &leases, e);
    if (r < 0 || leases.n == 0)
        return r;
    const char *ifname = LIST_AT(struct lease, &leases, 0)->owner.ifname;
    if (next)
        r = network_route(engine->roots, next, c->id, -1, a, &route, e);
    if (r == 0)
        r = change_plan(c, ifname, NULL, next ? &route : NULL, a, e);
    if (r == 0)
        r = unplug_now(engine, c, ifname, next, a, e);
    add_way(&leases, &left);
    if (r == 0)
        r = move_ports(engine, c, &left, a, e);
    return r < 0 ? r : give_back(engine, c, network, &leases, a, e);
}

static void forget_endpoint(struct container_record *record, const char *network, struct arena *a) {
    struct list left = {0};
    for (size_t i = 0; i < record->networking.endpoints.n; i++) {
        const struct endpoint_settings *s = LIST_AT(struct endpoint_settings, &record->networking.endpoints, i);
        if (strcmp(s->key, network) != 0)
            *LIST_ADD(a, struct endpoint_settings, &left) = *s;
    }
    record->networking.endpoints = left;
    if (strcmp(record->host.network_mode, network) == 0)
        record->host.network_mode = left.n ? LIST_AT(struct endpoint_settings, &left, 0)->key : "none";
    record->host.left_networks = left.n == 0;
}

static int disconnect_locked(struct engine *engine, struct container *c, const char *network, bool force, struct arena *a,
                             struct error *e) {
    struct container_state state;
    struct network n = {0};
    int r = container_state(c, &state, e);
    if (r == 0)
        r = check_mode(c, network, e);
    if (r < 0)
        return r;
    if (mode_is(c->record.host.network_mode, "none") && strcmp(network, "none") == 0 && !c->record.host.left_networks) {
        c->record.host.left_networks = true;
        return record_change(engine, c, has_run(&state), NULL, false, e);
    }
    r = network_open(engine->roots, network, a, &n, e);
    if (r < 0 && !force)
        return r;
    if (r < 0)
        error_release(e);
    const char *name = r < 0 ? network : n.name;
    list_first_network(&c->record, a);
    if (!endpoint_find(&c->record.networking, name))
        return error_set(e, -ENOENT, "container %s is not connected to network %s", c->record.name, name);
    bool runs = has_run(&state);
    const char *gateway = start_network_gateway(engine, c, a);
    bool moves = gateway && strcmp(gateway, name) == 0;
    forget_endpoint(&c->record, name, a);
    r = runs ? unplug(engine, c, name, moves ? start_network_gateway(engine, c, a) : NULL, a, e) : 0;
    if (r == 0 && runs)
        r = names_change(engine, c, a, e);
    return r < 0 ? r : record_change(engine, c, runs, name == n.name ? &n : NULL, false, e);
}

int container_disconnect(struct engine *engine, struct container *c, const char *network, bool force, struct arena *a,
                         struct error *e) {
    struct container_state state;
    int pending = container_hold(engine, c, PENDING_CHANGE, a, &state, e);
    if (pending < 0)
        return pending;
    int r = disconnect_locked(engine, c, network, force, a, e);
    pending_end(engine, c->id, pending);
    return r < 0 ? error_wrap(e, r, "disconnect container %s from network %s", c->record.name, network) : 0;
}

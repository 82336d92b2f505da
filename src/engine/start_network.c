#include "engine/start_network.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "engine/lookup.h"
#include "engine/userns.h"
#include "model/holder.h"
#include "model/network_mode.h"
#include "network/files.h"
#include "network/network.h"
#include "network/rootless.h"

#define HOST_FILE_MAX ((size_t)1 << 20)
#define NAMES_SERVER  "127.0.0.11"

/* A mode that is the name of a network; NULL for all others. */
static const char *network_name(const struct host_config *h) {
    const char *mode = h->network_mode;
    bool isolated = h->isolate.n == 0 || strs_has(&h->isolate, "network");
    if (!isolated || network_mode_kind(mode, NULL) != NETWORK_MODE_NAMED)
        return NULL;
    return mode_is(mode, "") || mode_is(mode, "default") ? NETWORK_DEFAULT : mode;
}

static const struct endpoint_settings *endpoint_of(const struct networking_config *n, const char *network) {
    for (size_t i = 0; i < n->endpoints.n; i++)
        if (strcmp(LIST_AT(struct endpoint_settings, &n->endpoints, i)->key, network) == 0)
            return LIST_AT(struct endpoint_settings, &n->endpoints, i);
    return NULL;
}

/* Options of one endpoint, com.docker.network.endpoint.…; one that is not here is refused, not ignored. */
int endpoint_ifname(const struct endpoint_settings *s, const char **ret, struct error *e) {
    for (size_t i = 0; s && i < s->driver_opts.n; i++) {
        const char *value = s->driver_opts.v[i].value;
        if (strcmp(s->driver_opts.v[i].key, "com.docker.network.endpoint.ifname") != 0)
            return error_set(e, -EOPNOTSUPP, "driver-opt %s is not known (com.docker.network.endpoint.ifname is)",
                             s->driver_opts.v[i].key);
        if (!*value || strlen(value) >= IF_NAMESIZE || strpbrk(value, "/ :") || strcmp(value, "lo") == 0)
            return error_set(e, -EINVAL, "\"%s\" is no name for an interface", value);
        *ret = value;
    }
    return 0;
}

const char *start_network_gateway(struct engine *engine, const struct container *c, struct arena *a) {
    const char *first = network_name(&c->record.host);
    const struct list *all = &c->record.networking.endpoints;
    const struct endpoint_settings *s = first ? endpoint_of(&c->record.networking, first) : NULL;
    const char *best = first;
    int64_t priority = s ? s->gw_priority : 0;
    struct network n;
    if (!first || all->n + (s == NULL) < 2) /* nothing to choose */
        return first;
    bool out = network_open(engine->roots, first, a, &n, NULL) == 0 && !n.internal;
    for (size_t i = 0; i < all->n; i++) {
        s = LIST_AT(struct endpoint_settings, all, i);
        if (network_open(engine->roots, s->key, a, &n, NULL) < 0 || n.internal || (out && s->gw_priority <= priority))
            continue;
        best = s->key;
        priority = s->gw_priority;
        out = true;
    }
    return best;
}

static int attach_one(struct engine *engine, const struct container *c, const char *network, const char *gateway, struct arena *a,
                      struct list *to, struct error *e) {
    const struct endpoint_settings *s = endpoint_of(&c->record.networking, network);
    struct attach_request q = {.container_id = c->id,
                               .container_name = c->record.name,
                               .network = network,
                               .index = (unsigned)to->n,
                               .mac = s && s->mac_address && *s->mac_address ? s->mac_address : c->record.config.mac_address,
                               .aliases = s ? &s->aliases : NULL,
                               .default_route = strcmp(network, gateway) == 0};
    int r = endpoint_ifname(s, &q.ifname, e);
    if (r < 0)
        return r;
    if (s && s->ipam) {
        q.ip = s->ipam->ipv4 && *s->ipam->ipv4 ? s->ipam->ipv4 : NULL;
        q.ip6 = s->ipam->ipv6 && *s->ipam->ipv6 ? s->ipam->ipv6 : NULL;
        q.link_local = &s->ipam->link_local;
    }
    struct network_attachment n = {0};
    r = network_attach(engine->roots, &q, a, &n, e);
    if (r == 0)
        *LIST_ADD(a, struct network_attachment, to) = n;
    return r;
}

static int attach_all(struct engine *engine, const struct container *c, struct arena *a, struct list *to, struct error *e) {
    const char *first = network_name(&c->record.host);
    if (!first)
        return 0;
    const char *gateway = start_network_gateway(engine, c, a);
    int r = rootless_network_use(engine->roots, true, e);
    if (r == 0)
        r = attach_one(engine, c, first, gateway, a, to, e);
    for (size_t i = 0; r == 0 && i < c->record.networking.endpoints.n; i++) {
        const char *name = LIST_AT(struct endpoint_settings, &c->record.networking.endpoints, i)->key;
        if (strcmp(name, first) != 0)
            r = attach_one(engine, c, name, gateway, a, to, e);
    }
    return r;
}

/* The container's root may write into it, as with Docker. */
static int write_file(const struct container *c, const char *name, const struct buf *text, struct error *e) {
    _cleanup_fd_ int fd = openat(c->run_dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    const struct id_shift owners = userns_shift(c);
    int r = fd < 0 ? -errno : fs_write_all(fd, buf_text(text), text->size);
    if (r == 0 && id_shift_is_any(&owners))
        r = fchown(fd, id_outside(&owners.uids, 0), id_outside(&owners.gids, 0)) < 0 ? -errno : 0;
    return r < 0 ? error_errno(e, r, "write the container's %s", name) : 0;
}

bool start_network_names(const struct start_context *x) {
    for (size_t i = 0; i < x->attachments.n; i++)
        if (strcmp(LIST_AT(struct network_attachment, &x->attachments, i)->network, NETWORK_DEFAULT) != 0)
            return true;
    return false;
}

static bool is_internal(const struct start_context *x) {
    for (size_t i = 0; i < x->attachments.n; i++)
        if (!LIST_AT(struct network_attachment, &x->attachments, i)->internal)
            return false;
    return true;
}

/* Servers that the resolver asks. The host's own are read by it at each question, from the host's network namespace; in an ordinary
 * user's one a stub at the host's loopback cannot be reached. */
static void name_servers(const struct engine *engine, const struct container *c, struct arena *a, struct strs *ret) {
    _cleanup_buf_ struct buf host = BUF_INIT, fallback = BUF_INIT;
    if (c->record.host.dns.n || !engine->roots->rootless) {
        *ret = c->record.host.dns;
        return;
    }
    (void)fs_read_at(AT_FDCWD, "/etc/resolv.conf", HOST_FILE_MAX, &host, NULL);
    (void)fs_read_at(AT_FDCWD, "/run/systemd/resolve/resolv.conf", HOST_FILE_MAX, &fallback, NULL);
    const struct resolv_request q = {.host = buf_text(&host)};
    resolv_servers(&q, buf_text(&fallback), a, ret);
}

int names_file_write(const struct engine *engine, const struct container *c, bool internal, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct strs servers = {0};
    name_servers(engine, c, &a, &servers);
    if (internal)
        buf_add_str(&text, "internal\n");
    for (size_t i = 0; i < servers.n; i++)
        buf_printf(&text, "nameserver %s\n", servers.v[i]);
    int r = fs_replace_at(c->run_dirfd, HOLDER_NAMES, buf_text(&text), text.size, 0600, FS_NO_SYNC, e);
    return r < 0 ? error_wrap(e, r, "write the container's name servers") : 0;
}

void resolv_text(const struct container *c, bool own_network, bool names, struct buf *out) {
    _cleanup_buf_ struct buf host = BUF_INIT, fallback = BUF_INIT;
    const struct host_config *h = &c->record.host;
    bool no_servers;
    (void)fs_read_at(AT_FDCWD, "/etc/resolv.conf", HOST_FILE_MAX, &host, NULL);
    (void)fs_read_at(AT_FDCWD, "/run/systemd/resolve/resolv.conf", HOST_FILE_MAX, &fallback, NULL);
    const struct resolv_request q = {.host = host.size ? host.data : NULL,
                                     .servers = h->dns,
                                     .search = h->dns_search,
                                     .options = h->dns_options,
                                     .embedded = names ? NAMES_SERVER : NULL,
                                     .host_network = !own_network};
    resolv_conf_build(&q, fallback.size ? fallback.data : NULL, out, &no_servers);
}

/* What a network of somebody else's says goes behind what the user says. */
static int write_told_resolv(const struct container *c, const struct start_context *x, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    const struct host_config *h = &c->record.host;
    const struct resolv_request q = {.servers = x->nameservers,
                                     .search = h->dns_search.n ? h->dns_search : x->search,
                                     .options = h->dns_options.n ? h->dns_options : x->resolv_options};
    resolv_conf_build(&q, NULL, &out, NULL);
    return write_file(c, "resolv.conf", &out, e);
}

static int write_resolv(const struct engine *engine, const struct container *c, const struct start_context *x, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    if (x->nameservers.n && !c->record.host.dns.n)
        return write_told_resolv(c, x, e);
    bool names = start_network_names(x);
    int r = names ? names_file_write(engine, c, is_internal(x), e) : 0;
    if (r < 0)
        return r;
    resolv_text(c, x->input.own_network, names, &out);
    return write_file(c, "resolv.conf", &out, e);
}

/* A container in another one's network namespace has that one's files: its resolver answers there. */
static int copy_files(struct engine *engine, const struct container *c, const char *other, struct error *e) {
    static const char *const names[] = {"resolv.conf", "hosts"};
    struct container of = CONTAINER_INIT;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    int r = container_open(engine, other, &a, &of, e);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        r = fs_read_at(of.run_dirfd, names[i], HOST_FILE_MAX, &text, e);
        if (r == 0)
            r = write_file(c, names[i], &text, e);
    }
    container_release(&of);
    return r < 0 ? error_wrap(e, r, "take the names of container %s", other) : 0;
}

static int write_hosts(const struct container *c, const struct start_context *x, struct arena *a, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct hosts_request q = {.hostname = c->record.config.hostname ? c->record.config.hostname : "",
                              .domainname = c->record.config.domainname ? c->record.config.domainname : "",
                              .addresses = x->addresses,
                              .extra = c->record.host.extra_hosts,
                              .ipv6 = true};
    if (x->gateway)
        strs_add(a, &q.host_gateway, x->gateway);
    for (size_t i = 0; i < x->attachments.n; i++) {
        const struct network_attachment *n = LIST_AT(struct network_attachment, &x->attachments, i);
        if (n->ip && *n->ip)
            strs_add(a, &q.addresses, n->ip);
        if (n->ip6 && *n->ip6)
            strs_add(a, &q.addresses, n->ip6);
        if (n->gateway && *n->gateway && i == 0)
            strs_add(a, &q.host_gateway, n->gateway);
    }
    int r = hosts_build(&q, &out, e);
    return r < 0 ? r : write_file(c, "hosts", &out, e);
}

static int write_hostname(const struct container *c, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    char host[256] = "";
    if (!c->record.config.hostname)
        (void)gethostname(host, sizeof(host) - 1);
    hostname_build(c->record.config.hostname ? c->record.config.hostname : host, &out);
    return write_file(c, "hostname", &out, e);
}

int start_network_files(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x,
                        struct error *e) {
    const char *other = mode_container(c->record.host.network_mode);
    if (!x->input.network_files)
        return 0;
    int r = other ? copy_files(engine, c, other, e) : write_resolv(engine, c, x, e);
    if (r == 0 && !other)
        r = write_hosts(c, x, a, e);
    return r < 0 ? r : write_hostname(c, e);
}

int start_network(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e) {
    const struct host_config *h = &c->record.host;
    const enum network_mode_kind kind = network_mode_kind(h->network_mode, NULL);
    x->input.own_network = kind != NETWORK_MODE_HOST && kind != NETWORK_MODE_CONTAINER;
    x->input.run_dir = container_run_path(engine, c->id, "", a);
    x->pasta = kind == NETWORK_MODE_PASTA;
    if (x->pasta && x->input.id_maps_uid.n)
        return error_set(e, -EOPNOTSUPP,
                         "network pasta: not with --userns %s: its network is made before the container's user namespace, which "
                         "cannot enter it (the default network can be had)",
                         c->record.host.userns_mode);
    if (x->pasta && !engine->roots->rootless)
        return error_set(e, -EOPNOTSUPP, "network pasta is for ordinary users: root has bridges");
    if (kind == NETWORK_MODE_CNI && engine->roots->rootless)
        return error_set(e, -EPERM, "network %s: only root can, the plugins change the host's network", h->network_mode);
    x->input.network_files = h->isolate.n == 0 || strs_has(&h->isolate, "mount");
    if (kind == NETWORK_MODE_CNI) /* its files are written when the addresses are known: cni_start() */
        return 0;
    int r = attach_all(engine, c, a, &x->attachments, e);
    return r < 0 ? r : start_network_files(engine, c, a, x, e);
}

#include "network/port.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/id.h"
#include "network/firewall.h"
#include "network/holder.h"
#include "network/lease.h"
#include "network/port_socket.h"
#include "network/store.h"

#define RECORD_NAME_MAX 96
#define RECORD_MAX      512
#define FILES_BESIDE    256 /* open ones of a command, and of a monitor */

/* --- records -------------------------------------------------------------------------------------------------------------------
 */

static void record_name(const struct published_port *p, char name[RECORD_NAME_MAX]) {
    char ip[IP_TEXT_MAX];

    (void)snprintf(name, RECORD_NAME_MAX, "%s-%s-%u", port_protocol_name(p->protocol),
                   p->host_ip.family == IP_NONE ? "any" : ip_format(&p->host_ip, ip), p->host_port);
}

static void record_text(const struct published_port *p, const char *id, const char *name, char record[RECORD_MAX]) {
    char target4[IP_TEXT_MAX], target6[IP_TEXT_MAX];

    (void)snprintf(record, RECORD_MAX, "%s/%s/%s/%s/%u%s", id, name ? name : "", ip_format(&p->target4, target4),
                   ip_format(&p->target6, target6), p->container_port,
                   p->by_input ? "/" PORT_BY_INPUT
                   : p->left   ? "/" PORT_LEFT
                               : "");
}

static int record_write(const struct roots *roots, const char *id, const char *name, struct published_port *p, struct arena *a,
                        struct error *e) {
    char file[RECORD_NAME_MAX], record[RECORD_MAX], held[RECORD_MAX] = "";
    const char *path;
    ssize_t n;

    record_name(p, file);
    path = arena_printf(a, "%s/" PORT_RECORDS "/%s", roots->run_root, file);
    record_text(p, id, name, record);
    while (symlink(record, path) < 0) {
        char owner[ID_LENGTH + 1] = "", owner_name[NAME_MAX_LENGTH + 1] = "";

        if (errno == ENOENT && mkdirat(roots->run_fd, PORT_RECORDS, 0700) == 0)
            continue;
        if (errno != EEXIST)
            return error_errno(e, -errno, "record port %s", file);
        n = readlink(path, held, sizeof(held) - 1);
        if (n < 0 && errno == ENOENT)
            continue;
        held[n < 0 ? 0 : n] = '\0';
        (void)sscanf(held, "%64[^/]/%128[^/]", owner, owner_name);
        if (strcmp(owner, id) != 0 && lease_owner_exists(roots, owner))
            return error_set(e, -EADDRINUSE, "port %u/%s is in use by container %s", p->host_port, port_protocol_name(p->protocol),
                             owner_name[0] ? owner_name : owner);
        /* We hold the bound socket, so nobody else is at this port: a dead owner's record can simply go. */
        (void)unlink(path);
    }
    p->record = path;
    return 0;
}

void port_forget(const struct roots *roots, const char *container_id, const char *but) {
    lease_forget_in(roots, PORT_RECORDS, '/', container_id, but);
}

/* --- elements ------------------------------------------------------------------------------------------------------------------
 */

static void add_element(struct published_port *p, const struct ip_address *target) {
    if (target->family != IP_NONE && (p->host_ip.family == IP_NONE || p->host_ip.family == target->family))
        firewall_port_element(p->protocol, &p->host_ip, p->host_port, target, p->container_port, &p->elements[p->n_elements++]);
}

static void make_elements(struct published_port *p) {
    p->n_elements = 0;
    if (p->by_input)
        return;
    add_element(p, &p->target4);
    /* ::1 cannot be translated (see the chain inward_local): its relay does all the work. */
    if (!ip_is_loopback(&p->host_ip) || p->host_ip.family != IP_V6)
        add_element(p, &p->target6);
}

static bool is_routed(const struct published_port *p) {
    return p->host_ip.family != IP_NONE && (ip_is_equal(&p->host_ip, &p->target4) || ip_is_equal(&p->host_ip, &p->target6));
}

static struct published_port port_of_record(const struct port_record *record) {
    return (struct published_port){.protocol = record->protocol,
                                   .host_ip = record->host_ip,
                                   .host_port = record->host_port,
                                   .container_port = record->container_port,
                                   .by_input = record->by_input,
                                   .left = record->left,
                                   .target4 = record->target4,
                                   .target6 = record->target6};
}

static bool leads(const struct port_record *p, const struct port_way *way) {
    const struct ip_address *v4 = &p->target4, *v6 = &p->target6;

    if (way->target4.family == IP_NONE && way->target6.family == IP_NONE)
        return v4->family == IP_NONE && v6->family == IP_NONE;
    return (v4->family != IP_NONE && ip_is_equal(v4, &way->target4)) || (v6->family != IP_NONE && ip_is_equal(v6, &way->target6));
}

int port_leading(const struct roots *roots, const char *container_id, const struct port_way *way, struct arena *a, struct list *ret,
                 struct error *e) {
    struct list records = {0};
    int r = port_list(roots, a, &records, e);

    for (size_t i = 0; r == 0 && i < records.n; i++) {
        const struct port_record *record = LIST_AT(struct port_record, &records, i);
        char file[RECORD_NAME_MAX];
        struct published_port *p;

        if (strcmp(record->container_id, container_id) != 0 || !leads(record, way))
            continue;
        p = LIST_ADD(a, struct published_port, ret);
        *p = port_of_record(record);
        make_elements(p);
        record_name(p, file);
        p->record = arena_printf(a, "%s/" PORT_RECORDS "/%s", roots->run_root, file);
    }
    return r;
}

/* What is published at the container's own address (gateway mode `routed`) goes with it. */
void port_turn(const struct list *ports, const struct port_way *to, struct arena *a, struct list *ret) {
    static const struct ip_address none;

    for (size_t i = 0; i < ports->n; i++) {
        struct published_port *p = LIST_ADD(a, struct published_port, ret);

        *p = *LIST_AT(struct published_port, ports, i);
        p->left = p->left || is_routed(p);
        p->target4 = p->left ? none : to->target4;
        p->target6 = p->left ? none : to->target6;
        make_elements(p);
    }
}

/* The record is never missing: what finds none takes the port. */
static int record_replace(const struct published_port *p, const char *id, const char *name, struct arena *a, struct error *e) {
    const char *slash = strrchr(p->record, '/'),
               *next = arena_printf(a, "%.*s/.%s", (int)(slash - p->record), p->record, slash + 1);
    char record[RECORD_MAX];

    record_text(p, id, name, record);
    (void)unlink(next);
    return symlink(record, next) < 0 || rename(next, p->record) < 0 ? error_errno(e, -errno, "record port %s", slash + 1) : 0;
}

/* The records after the old elements: with them these would come back. The sockets are held, so nobody takes a port meanwhile. */
int port_replace(const struct roots *roots, const char *container_id, const char *container_name, const struct list *from,
                 const struct list *to, struct arena *a, struct error *e) {
    struct list old = {0}, new = {0};
    char table[FIREWALL_TABLE_MAX];
    int r;

    firewall_table_name(roots, table);
    port_elements(from, a, &old);
    port_elements(to, a, &new);
    r = nft_elements_delete(table, old.v, old.n, e);
    for (size_t i = 0; r == 0 && i < to->n; i++)
        r = record_replace(LIST_AT(struct published_port, to, i), container_id, container_name, a, e);
    if (r == 0)
        r = nft_elements_add(table, new.v, new.n, e);
    return r < 0 ? error_wrap(e, r, "have published ports lead elsewhere") : 0;
}

int port_recorded_elements(const struct roots *roots, struct arena *a, struct list *ret, struct error *e) {
    struct list records = {0};
    int r = port_list(roots, a, &records, e);

    for (size_t i = 0; r == 0 && i < records.n; i++) {
        const struct port_record *record = LIST_AT(struct port_record, &records, i);
        struct published_port p = port_of_record(record);

        if (!lease_owner_exists(roots, record->container_id))
            continue;
        make_elements(&p);
        for (unsigned k = 0; k < p.n_elements; k++)
            *LIST_ADD(a, struct nft_element, ret) = p.elements[k];
    }
    return r;
}

/* --- taking --------------------------------------------------------------------------------------------------------------- */

/* Whose is it? A container of these roots is known by its record; anybody else by his socket. */
static int in_use(const struct roots *roots, const struct port_mapping *m, struct arena *a, struct error *e) {
    struct list records = {0};

    (void)port_list(roots, a, &records, NULL);
    for (size_t i = 0; i < records.n; i++) {
        const struct port_record *record = LIST_AT(struct port_record, &records, i);

        if (record->protocol == m->protocol && record->host_port == m->host_first &&
            lease_owner_exists(roots, record->container_id))
            return error_set(e, -EADDRINUSE, "port %u/%s is in use by container %s", m->host_first, port_protocol_name(m->protocol),
                             record->container_name);
    }
    return holder_error(m->protocol, m->host_first, e);
}

static int hold(struct published_port *p, uint16_t port) {
    struct port_sockets s;
    int r = port_sockets_open(p->protocol, &p->host_ip, port, p->relay_all, &s);

    if (r < 0)
        return r;
    p->fd4 = s.fd4;
    p->fd6 = s.fd6;
    p->host_port = s.port;
    return 0;
}

static int hold_one_of(const struct roots *roots, struct published_port *p, const struct port_mapping *m, struct arena *a,
                       struct error *e) {
    char ip[IP_TEXT_MAX];
    int r = -EADDRINUSE;

    for (uint32_t port = m->host_first; port <= m->host_last && r == -EADDRINUSE; port++)
        r = hold(p, (uint16_t)port);
    if (r == 0)
        return 0;
    if (r == -EPROTONOSUPPORT && m->protocol == IPPROTO_SCTP) {
        error_set(e, r, "a free port cannot be chosen: this kernel has no SCTP sockets, by which it would be seen");
        return error_hint(e, "name the host's port: -p HOST:%u/sctp; or modprobe sctp", m->container_port);
    }
    if (r == -EADDRINUSE && m->host_first == m->host_last && m->host_first)
        return in_use(roots, m, a, e);
    if (r == -EADDRINUSE)
        return error_set(e, r, "every port of %u-%u is in use", m->host_first, m->host_last);
    if (r == -EACCES)
        return error_errno(e, r, "take port %u: ports below net.ipv4.ip_unprivileged_port_start need privileges", m->host_first);
    return error_errno(e, r, "take port %u/%s at %s", m->host_first, port_protocol_name(m->protocol),
                       m->host_ip.family == IP_NONE ? "all addresses" : ip_format(&m->host_ip, ip));
}

static int start_relay(struct published_port *p, struct error *e) {
    int r;

    p->relay = p->fd6 >= 0 && !p->relay_all && !p->held && port_is_relayed(p->protocol, &p->host_ip, &p->target6);
    if (!p->relay && !p->relay_all)
        return 0;
    r = port_sockets_relay(p->protocol, p->relay_all ? p->fd4 : -1, p->fd6);
    return r < 0 ? error_errno(e, r, "prepare port %u", p->host_port) : 0;
}

static bool overlaps(const struct ip_address *a, const struct ip_address *b) {
    if (a->family == IP_NONE || b->family == IP_NONE)
        return true;
    return a->family == b->family && (ip_is_unspecified(a) || ip_is_unspecified(b) || ip_is_equal(a, b));
}

/* Where no socket says that the port is taken (SCTP, in a kernel without it), the records do: ours is there by now. */
static int check_records(const struct roots *roots, const struct published_port *p, struct arena *a, struct error *e) {
    struct list records = {0};
    char own[RECORD_NAME_MAX], other[RECORD_NAME_MAX];
    int r = port_list(roots, a, &records, e);

    record_name(p, own);
    for (size_t i = 0; r == 0 && i < records.n; i++) {
        const struct port_record *record = LIST_AT(struct port_record, &records, i);
        const struct published_port its = port_of_record(record);

        record_name(&its, other);
        if (its.protocol == p->protocol && its.host_port == p->host_port && strcmp(own, other) != 0 &&
            overlaps(&its.host_ip, &p->host_ip) && lease_owner_exists(roots, record->container_id))
            r = error_set(e, -EADDRINUSE, "port %u/%s is in use by container %s", p->host_port, port_protocol_name(p->protocol),
                          record->container_name);
    }
    return r;
}

static int publish(const struct roots *roots, const char *id, const char *name, const struct port_mapping *m,
                   struct published_port *p, struct arena *a, struct error *e) {
    bool routed = is_routed(p);
    int r = 0;

    if (p->relay_all && p->protocol == IPPROTO_SCTP)
        return error_set(e, -EOPNOTSUPP,
                         "publish port %u/sctp: only root can, and not in publish mode input: a relay has no such protocol",
                         m->container_port);
    if (routed)
        p->host_port = m->container_port;
    else
        r = hold_one_of(roots, p, m, a, e);
    if (r == 0)
        r = record_write(roots, id, name, p, a, e);
    if (r == 0 && !routed && p->fd4 < 0 && p->fd6 < 0)
        r = check_records(roots, p, a, e);
    if (r == 0)
        r = start_relay(p, e);
    if (r < 0)
        return error_wrap(e, r, "publish port %u/%s", m->container_port, port_protocol_name(m->protocol));
    make_elements(p);
    return 0;
}

/* --- which, and where ------------------------------------------------------------------------------------------------------ */

struct publishing {
    bool rootless;
    enum publish_mode mode;
    struct ip_address target4, target6; /* the container's */
    bool routed4, routed6;
    struct ip_address address; /* of the host, where the user names none */
};

static void add(const struct publishing *w, const struct port_mapping *m, const struct ip_address *host_ip, struct arena *a,
                struct list *ret) {
    struct published_port *p = LIST_ADD(a, struct published_port, ret);

    *p = (struct published_port){.protocol = m->protocol,
                                 .container_port = m->container_port,
                                 .host_ip = *host_ip,
                                 .target4 = w->target4,
                                 .target6 = w->target6,
                                 .fd4 = -1,
                                 .fd6 = -1,
                                 .mapping = m};
    if (is_routed(p))
        return;
    p->held = w->mode == PUBLISH_HELD;
    p->by_input = !w->rootless && w->mode == PUBLISH_INPUT;
    p->relay_all = w->rootless || p->by_input;
    /* Of what is routed nothing leads there from the host's own addresses. */
    if (w->routed4)
        p->target4 = (struct ip_address){0};
    if (w->routed6)
        p->target6 = (struct ip_address){0};
}

/* A mapping of both families is two or three where one of them is routed. */
static void add_mapping(const struct publishing *w, const struct port_mapping *m, struct arena *a, struct list *ret) {
    static const struct ip_address all4 = {.family = IP_V4}, all6 = {.family = IP_V6};
    const struct ip_address *at = m->host_ip.family == IP_NONE ? &w->address : &m->host_ip;
    bool four = at->family != IP_V6, six = at->family != IP_V4;

    if (four && w->routed4)
        add(w, m, &w->target4, a, ret);
    if (six && w->routed6)
        add(w, m, &w->target6, a, ret);
    if (at->family == IP_NONE && w->routed4 != w->routed6)
        add(w, m, w->routed4 ? &all6 : &all4, a, ret);
    else if ((four && !w->routed4) || (six && !w->routed6))
        add(w, m, at, a, ret);
}

static void plan_publishing(const struct roots *roots, const struct network_attachment *n, enum publish_mode mode,
                            struct publishing *ret) {
    *ret = (struct publishing){.rootless = roots->rootless, .mode = mode};
    if (n->ip && *n->ip)
        (void)ip_parse(n->ip, &ret->target4, NULL);
    if (n->ip6 && *n->ip6)
        (void)ip_parse(n->ip6, &ret->target6, NULL);
    ret->routed4 = n->routed4 && ret->target4.family != IP_NONE;
    ret->routed6 = n->routed6 && ret->target6.family != IP_NONE;
    if (n->publish_address && ip_parse(n->publish_address, &ret->address, NULL) == 0 && ip_is_unspecified(&ret->address))
        ret->address = (struct ip_address){0};
}

static int open_uplinks(const struct roots *roots, const struct publishing *w, const struct list *published, struct arena *a,
                        struct error *e) {
    bool from_outside = false;
    int r = 0;

    for (size_t i = 0; i < published->n && w->mode == PUBLISH_NAT; i++)
        from_outside |= !ip_is_loopback(&LIST_AT(struct published_port, published, i)->host_ip);
    if (from_outside)
        r = network_open_uplinks(roots, w->target6.family != IP_NONE, a, e);
    return r < 0 ? error_wrap(e, r, "publish ports") : 0;
}

/* Two sockets a port pass the usual limit of 1,024 files early. */
static void make_room(size_t ports) {
    const rlim_t wanted = 2 * ports + FILES_BESIDE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = MIN_OF(limit.rlim_max, wanted);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int port_publish(const struct roots *roots, const char *container_id, const char *container_name, const struct list *mappings,
                 const struct network_attachment *attachment, enum publish_mode mode, struct arena *a, struct list *ret,
                 struct error *e) {
    struct list published = {0};
    struct publishing w;
    int r;

    if (mappings->n > PORTS_MAX)
        return error_set(e, -E2BIG, "a container can publish %d ports at most", PORTS_MAX);
    make_room(mappings->n);
    plan_publishing(roots, attachment, mode, &w);
    for (size_t i = 0; i < mappings->n; i++)
        add_mapping(&w, LIST_AT(struct port_mapping, mappings, i), a, &published);
    r = open_uplinks(roots, &w, &published, a, e);
    for (size_t i = 0; r == 0 && i < published.n; i++) {
        struct published_port *p = LIST_AT(struct published_port, &published, i);

        r = publish(roots, container_id, container_name, p->mapping, p, a, e);
    }
    if (r < 0)
        port_release(&published);
    else
        *ret = published;
    return r;
}

void port_close(const struct list *published) {
    for (size_t i = 0; i < published->n; i++) {
        struct published_port *p = LIST_AT(struct published_port, published, i);

        p->fd4 = fd_close(p->fd4);
        p->fd6 = fd_close(p->fd6);
    }
}

void port_elements(const struct list *published, struct arena *a, struct list *ret) {
    for (size_t i = 0; i < published->n; i++) {
        const struct published_port *p = LIST_AT(struct published_port, published, i);

        for (unsigned k = 0; k < p->n_elements; k++)
            *LIST_ADD(a, struct nft_element, ret) = p->elements[k];
    }
}

void port_release(const struct list *published) {
    port_close(published);
    for (size_t i = 0; i < published->n; i++) {
        struct published_port *p = LIST_AT(struct published_port, published, i);

        if (p->record)
            (void)unlink(p->record);
        p->record = NULL;
    }
}

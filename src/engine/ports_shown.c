#include "engine/ports_shown.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "model/port.h"
#include "network/port.h"

/* --- of one container ------------------------------------------------------------------------------------------------------ */

/* IPv4 first. */
static int by_address(const char *x, const char *y) {
    struct ip_address a = {0}, b = {0};

    (void)ip_parse(x, &a, NULL);
    (void)ip_parse(y, &b, NULL);
    return a.family != b.family ? (int)a.family - (int)b.family : memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

static int by_port(const void *a, const void *b) {
    const struct port_shown *x = a, *y = b;
    int order = x->container_port - y->container_port;

    order = order ? order : strcmp(x->protocol, y->protocol);
    order = order ? order : by_address(x->host_ip, y->host_ip);
    return order ? order : x->host_port - y->host_port;
}

static void add(const struct port_record *p, const char *host_ip, struct arena *a, struct list *ret) {
    *LIST_ADD(a, struct port_shown, ret) = (struct port_shown){.container_port = p->container_port,
                                                               .host_port = p->host_port,
                                                               .protocol = port_protocol_name(p->protocol),
                                                               .host_ip = arena_strdup(a, host_ip)};
}

/* Every address: those of IPv6 too, by a relay where the container has none; SCTP has no relay, nor has what leads nowhere. */
static bool answers_at_ipv6(const struct port_record *p) {
    return p->target6.family != IP_NONE ||
           (p->target4.family != IP_NONE && p->protocol != IPPROTO_SCTP && faccessat(AT_FDCWD, "/proc/net/if_inet6", F_OK, 0) == 0);
}

void ports_shown(const struct list *records, const char *container_id, struct arena *a, struct list *ret) {
    for (size_t i = 0; i < records->n; i++) {
        const struct port_record *p = LIST_AT(struct port_record, records, i);
        char ip[IP_TEXT_MAX];

        if (strcmp(p->container_id, container_id) != 0)
            continue;
        if (p->host_ip.family != IP_NONE) {
            add(p, ip_format(&p->host_ip, ip), a, ret);
            continue;
        }
        add(p, "0.0.0.0", a, ret);
        if (answers_at_ipv6(p))
            add(p, "::", a, ret);
    }
    if (ret->n > 1)
        qsort(ret->v, ret->n, sizeof(struct port_shown), by_port);
}

/* --- a line ---------------------------------------------------------------------------------------------------------------- */

/* What stands beside each other in the line: first ports that are the same on both sides or merely exposed, then the others. */
struct run {
    const char *host_ip; /* "" = exposed */
    const char *protocol;
    unsigned first, last;
    unsigned host_port; /* of one that is another on the host; 0 */
};

static const char *address_text(const char *ip, struct arena *a) {
    return strchr(ip, ':') ? arena_printf(a, "[%s]", ip) : ip;
}

static void print_run(const struct run *r, struct arena *a, struct buf *out) {
    char range[32];

    (void)snprintf(range, sizeof(range), r->first == r->last ? "%u" : "%u-%u", r->first, r->last);
    buf_add_str(out, out->size ? ", " : "");
    if (r->host_port)
        buf_printf(out, "%s:%u->", address_text(r->host_ip, a), r->host_port);
    else if (*r->host_ip)
        buf_printf(out, "%s:%s->", address_text(r->host_ip, a), range);
    buf_printf(out, "%s/%s", range, r->protocol);
}

static void extend(struct list *runs, const struct run *r, struct arena *a) {
    for (size_t i = runs->n; i-- > 0;) {
        struct run *last = LIST_AT(struct run, runs, i);

        if (strcmp(last->host_ip, r->host_ip) != 0 || strcmp(last->protocol, r->protocol) != 0 || last->last + 1 != r->first)
            continue;
        last->last = r->last;
        return;
    }
    *LIST_ADD(a, struct run, runs) = *r;
}

static int by_number(const void *a, const void *b) {
    const struct run *x = a, *y = b;
    int order = (int)x->first - (int)y->first;

    order = order ? order : strcmp(x->host_ip, y->host_ip);
    order = order ? order : (int)x->host_port - (int)y->host_port;
    return order ? order : strcmp(x->protocol, y->protocol);
}

static void add_exposed(const char *exposed, const struct list *shown, struct arena *a, struct list *to) {
    struct list ports = {0};

    (void)port_parse_exposed(exposed, a, &ports, NULL);
    for (size_t i = 0; i < ports.n; i++) {
        const struct port_mapping *m = LIST_AT(struct port_mapping, &ports, i);
        const char *protocol = port_protocol_name(m->protocol);
        bool published = false;

        for (size_t k = 0; k < shown->n && !published; k++)
            published = LIST_AT(struct port_shown, shown, k)->container_port == m->container_port &&
                        strcmp(LIST_AT(struct port_shown, shown, k)->protocol, protocol) == 0;
        if (!published)
            *LIST_ADD(a, struct run, to) = (struct run){"", protocol, m->container_port, m->container_port, 0};
    }
}

const char *ports_text(const struct list *shown, const struct strs *exposed, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct list all = {0}, same = {0};

    for (size_t i = 0; i < shown->n; i++) {
        const struct port_shown *p = LIST_AT(struct port_shown, shown, i);

        *LIST_ADD(a, struct run, &all) = (struct run){p->host_ip, p->protocol, p->container_port, p->container_port,
                                                      p->host_port != p->container_port ? p->host_port : 0};
    }
    for (size_t i = 0; i < exposed->n; i++)
        add_exposed(exposed->v[i], shown, a, &all);
    if (all.n > 1)
        qsort(all.v, all.n, sizeof(struct run), by_number);
    for (size_t i = 0; i < all.n; i++)
        if (!LIST_AT(struct run, &all, i)->host_port)
            extend(&same, LIST_AT(struct run, &all, i), a);
    for (size_t i = 0; i < same.n; i++)
        print_run(LIST_AT(struct run, &same, i), a, &text);
    for (size_t i = 0; i < all.n; i++)
        if (LIST_AT(struct run, &all, i)->host_port)
            print_run(LIST_AT(struct run, &all, i), a, &text);
    return arena_strdup(a, buf_text(&text));
}

#include "engine/start_ports.h"

#include <string.h>

#include "base/log.h"
#include "engine/start_cni.h"
#include "engine/start_network.h"
#include "model/config.h"
#include "model/network_mode.h"
#include "model/port.h"
#include "network/firewall.h"
#include "network/port.h"

static int gather_bindings(const struct host_config *h, struct arena *a, struct list *ret, struct error *e) {
    for (size_t i = 0; i < h->port_bindings.n; i++) {
        const struct json_objs *of = LIST_AT(struct json_objs, &h->port_bindings, i);
        for (size_t k = 0; k < of->items.n; k++) {
            const struct port_binding *b = LIST_AT(struct port_binding, &of->items, k);
            int r = port_parse_binding(of->key, b->host_ip, b->host_port, a, ret, e);
            if (r < 0)
                return error_wrap(e, r, "publish port %s", of->key);
        }
    }
    return 0;
}

/* -P: every exposed port that is not published already gets a free one of the host. */
static int gather_exposed(const struct container_record *record, struct arena *a, struct list *ret, struct error *e) {
    for (size_t i = 0; i < record->config.exposed_ports.n; i++) {
        struct list exposed = {0};
        int r = port_parse_exposed(record->config.exposed_ports.v[i], a, &exposed, e);
        if (r < 0)
            return r;
        for (size_t k = 0; k < exposed.n; k++) {
            const struct port_mapping *m = LIST_AT(struct port_mapping, &exposed, k);
            bool known = false;
            for (size_t j = 0; j < ret->n && !known; j++)
                known = LIST_AT(struct port_mapping, ret, j)->protocol == m->protocol &&
                        LIST_AT(struct port_mapping, ret, j)->container_port == m->container_port;
            if (!known)
                *LIST_ADD(a, struct port_mapping, ret) = *m;
        }
    }
    return 0;
}

/* Translation leads to an address behind a bridge: without one (host network, macvlan) there is nothing to publish. */
static const struct network_attachment *bridged(const struct start_context *x) {
    for (size_t i = 0; i < x->attachments.n; i++) {
        const struct network_attachment *n = LIST_AT(struct network_attachment, &x->attachments, i);
        if (n->link.kind == LINK_VETH && !n->internal)
            return n;
    }
    return NULL;
}

static bool is_internal(const struct start_context *x) {
    for (size_t i = 0; i < x->attachments.n; i++)
        if (LIST_AT(struct network_attachment, &x->attachments, i)->internal)
            return true;
    return false;
}

/* What the user says, else the network, else the configuration. */
static int choose_mode(const struct engine *engine, const struct host_config *h, const struct network_attachment *n,
                       enum publish_mode *ret, struct error *e) {
    const char *asked = h->publish_mode && *h->publish_mode ? h->publish_mode : NULL;
    if (asked && engine->roots->rootless && strcmp(asked, "nat") == 0)
        return error_set(e, -EOPNOTSUPP,
                         "--publish-mode nat: only root can; an ordinary user's ports are relays, behind the host's "
                         "input rules");
    if (asked || n->publish_mode)
        return publish_mode_parse(asked ? asked : n->publish_mode, ret, e);
    if (!engine->config)
        return 0;
    int r = publish_mode_parse(engine->config->publish_mode, ret, e);
    return r < 0 ? error_wrap(e, r, "tare.conf: publish_mode") : 0;
}

int ports_take(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e) {
    static const struct network_attachment none;
    const struct network_attachment *n = x->pasta ? &none : bridged(x);
    struct list mappings = {0};
    int r = gather_bindings(&c->record.host, a, &mappings, e);
    if (r == 0 && c->record.host.publish_all_ports)
        r = gather_exposed(&c->record, a, &mappings, e);
    if (r == 0 && network_mode_kind(c->record.host.network_mode, NULL) == NETWORK_MODE_CNI)
        return cni_take(engine, c, &mappings, a, x, e);
    if (r < 0 || mappings.n == 0)
        return r;
    if (!n) {
        /* As Docker does: the flag has no meaning there, and scripts give it all the same. */
        log_warn("published ports are discarded: %s",
                 is_internal(x) ? "the container's networks are internal" : "the container has no bridge network of its own");
        return 0;
    }
    enum publish_mode mode = PUBLISH_NAT;
    r = choose_mode(engine, &c->record.host, n, &mode, e);
    return r < 0 ? r : port_publish(engine->roots, c->id, c->record.name, &mappings, n, mode, a, &x->ports, e);
}

/* Many in a line, which is one transaction when it is undone. */
static void elements_journal(const struct engine *engine, const char *record, const char *id, const struct list *elements,
                             struct journal *j) {
    char table[FIREWALL_TABLE_MAX], text[NFT_ELEMENT_TEXT_MAX];
    _cleanup_buf_ struct buf line = BUF_INIT;
    firewall_table_name(engine->roots, table);
    for (size_t i = 0; i < elements->n; i++) {
        nft_element_format(LIST_AT(struct nft_element, elements, i), text);
        buf_printf(&line, "%s%s", line.size ? ";" : "", text);
        if ((i + 1) % JOURNAL_ELEMENTS_MAX && i + 1 < elements->n)
            continue;
        journal_add(j, JOURNAL_PORT, record, id, table, buf_text(&line));
        buf_clear(&line);
    }
}

void ports_journal_elements(const struct engine *engine, const char *id, const struct list *ports, struct arena *a,
                            struct journal *j) {
    struct list elements = {0};
    port_elements(ports, a, &elements);
    if (ports->n)
        elements_journal(engine, LIST_AT(struct published_port, ports, 0)->record, id, &elements, j);
}

void ports_journal(const struct engine *engine, const char *id, const struct list *ports, struct arena *a, struct journal *j) {
    for (size_t i = 0; i < ports->n; i++)
        journal_add(j, JOURNAL_LEASE, LIST_AT(struct published_port, ports, i)->record, id);
    ports_journal_elements(engine, id, ports, a, j);
}

void sources_journal(const struct engine *engine, const char *id, const struct network_attachment *n, struct journal *j) {
    if (n->leases.n)
        elements_journal(engine, n->leases.v[0], id, &n->sources, j);
}

/* Checks of sources and published ports, all in one transaction. */
static int add_elements(const struct engine *engine, const struct start_context *x, struct arena *a, struct error *e) {
    const char *network = "";
    struct list elements = {0};
    for (size_t i = 0; i < x->attachments.n; i++) {
        const struct network_attachment *n = LIST_AT(struct network_attachment, &x->attachments, i);
        for (size_t k = 0; k < n->sources.n && !n->unchecked; k++)
            *LIST_ADD(a, struct nft_element, &elements) = *LIST_AT(struct nft_element, &n->sources, k);
        network = n->link.kind == LINK_VETH ? n->network : network;
    }
    port_elements(&x->ports, a, &elements);
    return network_filter_add(engine->roots, network, &elements, a, e);
}

int ports_activate(const struct engine *engine, struct start_context *x, struct arena *a, struct error *e) {
    if (x->pasta) /* it has them since the namespace was made */
        return 0;
    int r = add_elements(engine, x, a, e);
    return r < 0 ? error_wrap(e, r, "set up networks") : 0;
}

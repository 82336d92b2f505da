#include "network/subnet.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/link.h"

/* Shorter prefixes are ways to say "everything" (VPNs route 0.0.0.0/1 and 128.0.0.0/1): avoiding them would leave nothing. */
#define ROUTE_LENGTH_MIN 4

struct gathering {
    struct arena *arena;
    struct list *uses;
    unsigned except;
};

static void add_use(struct gathering *g, const struct ip_prefix *prefix, const char *what, unsigned index) {
    for (size_t i = 0; i < g->uses->n; i++) {
        const struct ip_prefix *known = &LIST_AT(struct subnet_use, g->uses, i)->prefix;

        if (known->length == prefix->length && ip_is_equal(&known->address, &prefix->address))
            return;
    }
    *LIST_ADD(g->arena, struct subnet_use, g->uses) = (struct subnet_use){*prefix, what, index};
}

const char *subnet_use_text(const struct subnet_use *use, struct arena *a) {
    char name[IF_NAMESIZE];

    return use->index && link_name(use->index, name) ? arena_printf(a, "%s of interface %s", use->what, name) : use->what;
}

static int take_route(const struct link_route_info *route, void *arg) {
    struct gathering *g = arg;

    /* Addresses have their own list; what is multicast or link-local is nobody's subnet. */
    if (route->to.length < ROUTE_LENGTH_MIN || route->type == RTN_LOCAL || route->type == RTN_BROADCAST ||
        route->type == RTN_MULTICAST)
        return 0;
    if (route->to.address.family == IP_V6 && (route->to.address.bytes[0] == 0xff || route->to.address.bytes[0] == 0xfe))
        return 0;
    if (!route->index || route->index != g->except)
        add_use(g, &route->to, "the route", route->index);
    return 0;
}

static int take_address(const struct link_address_info *address, void *arg) {
    struct gathering *g = arg;

    if (!ip_is_loopback(&address->prefix.address) && address->index != g->except)
        add_use(g, &address->prefix, "the address", address->index);
    return 0;
}

static void take_name_servers(struct gathering *g, const char *text) {
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char address[IP_TEXT_MAX];
        struct ip_prefix prefix;

        if (sscanf(line, "nameserver %63s", address) == 1 && ip_prefix_parse(address, &prefix, NULL) == 0 &&
            !ip_is_loopback(&prefix.address))
            add_use(g, &prefix, "the host's name server", 0);
    }
}

int subnet_host_uses(struct arena *a, unsigned except_index, const char *resolv_conf, struct list *uses, struct error *e) {
    struct gathering g = {a, uses, except_index};
    int r = link_each_route(take_route, &g, e);

    if (r == 0)
        r = link_each_address(take_address, &g, e);
    if (r == 0 && resolv_conf)
        take_name_servers(&g, resolv_conf);
    return r;
}

const struct subnet_use *subnet_conflict(const struct list *uses, const struct ip_prefix *prefix) {
    for (size_t i = 0; i < uses->n; i++) {
        const struct subnet_use *use = LIST_AT(struct subnet_use, uses, i);

        if (ip_prefix_overlaps(&use->prefix, prefix))
            return use;
    }
    return NULL;
}

int subnet_choose(const struct list *uses, struct ip_prefix *ret, struct error *e) {
    static const struct {
        uint8_t first[4];
        uint8_t length;
        unsigned count;
    } pools[] = {{{172, 17, 0, 0}, 16, 15}, {{192, 168, 0, 0}, 20, 16}, {{10, 192, 0, 0}, 24, 16384}};

    for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
        struct ip_prefix candidate = {{.family = IP_V4}, pools[i].length};

        memcpy(candidate.address.bytes, pools[i].first, 4);
        for (unsigned k = 0; k < pools[i].count; k++) {
            if (!subnet_conflict(uses, &candidate)) {
                *ret = candidate;
                return 0;
            }
            candidate.address = ip_add(&candidate.address, ip_prefix_size(&candidate));
        }
    }
    error_set(e, -EADDRNOTAVAIL, "every subnet that networks are made from is in use on this host");
    return error_hint(e, "name one that is free: tare network create --subnet 10.64.0.0/24 NAME");
}

struct ip_prefix subnet_unique_local(const char *id) {
    struct ip_prefix p = {{.family = IP_V6}, 64};

    p.address.bytes[0] = 0xfd;
    for (unsigned i = 0; i < 7 && id[2 * i] && id[2 * i + 1]; i++) {
        char digits[3] = {id[2 * i], id[2 * i + 1], '\0'};

        p.address.bytes[1 + i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return p;
}

/* Networks of containers: files under <root>/networks/, one each, named like the network. Attaching a container to one takes an
 * address (a lease) and says, as data, which interface has to be made; the runtime makes it a plan step.
 *
 * `host` and `none` are networks without a file: network_attach() is not called for them, nor for `container:…` and `ns:…`. */
#pragma once

#include "base/arena.h"
#include "base/roots.h"
#include "kernel/link.h"
#include "model/ip.h"
#include "model/network.h"

/* Reads a network by name, id, or unambiguous prefix of an id. The default network `bridge` is made by its first use. -ENOENT when
 * there is none; -EBADMSG: its file is damaged. */
int network_open(const struct roots *roots, const char *name_or_id, struct arena *a, struct network *ret, struct error *e);

struct attach_request {
    const char *container_id;   /* owner of the lease: the name of its run directory and of its pending file */
    const char *container_name; /* for name look-ups and `network inspect` */
    const char *network;        /* name, id or prefix; NULL = "bridge" */
    const char *ifname;         /* inside the container; NULL = "eth" (or the network's own prefix) and the index */
    unsigned index;
    const struct strs *link_local; /* further addresses, 169.254.0.0/16 or fe80::/10; NULL = none */
    const char *ip, *ip6, *mac;    /* asked for by the user; NULL = chosen */
    const struct strs *aliases;    /* further names on this network; NULL = none */
    bool default_route;            /* this network gives the container its default routes (the first one, or by gateway priority) */
};

struct network_attachment {
    struct link link; /* what link_create() and link_configure() are to make */
    /* The same in text, as Docker's inspect shows it (EndpointSettings); "" when absent. */
    const char *network, *network_id, *endpoint_id;
    const char *mac;
    const char *ip, *gateway; /* IPv4 without prefix length */
    const char *ip6, *gateway6;
    uint32_t ip_prefix, ip6_prefix;
    struct strs aliases;
    bool internal;               /* no way out: name queries are not forwarded either */
    const char *publish_mode;    /* what the network says of it: "nat", "input"; NULL = nothing */
    const char *publish_address; /* where ports that name no address of the host are published; NULL = at all */
    bool routed4, routed6;       /* gateway mode `routed`: ports are published at the container's own address */
    bool unchecked;              /* there is no table for `sources`: they are written down, and not added (FIREWALL_UNCHECKED) */
    struct list sources; /* struct nft_element, for nft_elements_add(), JOURNAL_PORT each under the first lease: source_filter.h */
    struct strs leases;  /* absolute paths: one JOURNAL_LEASE each in the RUN journal, written before the first step */
};

/* Takes addresses for the container and makes sure that the network's bridge and the nftables table are there (one cheap look; put
 * back from the files when not). On failure nothing stays taken. The caller holds <run_root>/pending/<container_id>. */
int network_attach(const struct roots *roots, const struct attach_request *request, struct arena *a, struct network_attachment *ret,
                   struct error *e);
/* Adds what an attachment needs in the packet filter: its sources, its published ports (struct nft_element). Puts the tables back
 * that somebody has flushed since network_attach(). */
int network_filter_add(const struct roots *roots, const char *network, const struct list *elements, struct arena *a,
                       struct error *e);
/* Gives the addresses back: for a start that fails before its journal is written. */
void network_detach(const struct roots *roots, const struct network_attachment *attachment);

/* Removes what these roots put into the host's network stack: bridges, the nftables table, forwarding switches, leases. For
 * `system reset`; containers must be gone. Absent things are success. */
int network_teardown(const struct roots *roots, struct error *e);

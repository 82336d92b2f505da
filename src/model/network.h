/* A network as users know it: Docker's inspect form. Files under <root>/networks/ hold the same document. */
#pragma once

#include "base/arena.h"
#include "base/json.h"

#define NETWORK_FORMAT_VERSION 1
#define NETWORK_DEFAULT        "bridge"
#define NETWORK_PASTA          "pasta" /* a namespace that pasta(1) connects: an ordinary user's */

struct network_subnet { /* one entry of IPAM.Config */
    const char *subnet;
    const char *ip_range;
    const char *gateway;
    struct map auxiliary; /* name -> address that is never given out */
};

struct network_ipam {
    const char *driver; /* "default" */
    struct map options;
    struct list config; /* struct network_subnet */
};

struct network_endpoint {                               /* of a running container, in inspect's "Containers" */
    const char *key;                                    /* container id */
    const char *name, *endpoint_id, *mac, *ipv4, *ipv6; /* addresses with prefix length */
};

struct network {
    const char *name, *id;
    const char *created; /* RFC 3339 */
    const char *scope;   /* "local" */
    const char *driver;  /* bridge, macvlan, ipvlan, host, null */
    bool ipv4, ipv6;
    struct network_ipam ipam;
    bool internal, attachable, ingress;
    struct list containers; /* struct network_endpoint; filled for inspect only */
    struct map options, labels;
    uint32_t format;  /* NETWORK_FORMAT_VERSION in files; 0 and left out in answers */
    bool auto_subnet; /* chosen by us: may be chosen again when the host has taken it meanwhile; files only */
};

extern const struct json_table network_table;

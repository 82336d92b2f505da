/* The three files that tell a container about names: /etc/resolv.conf, /etc/hosts, /etc/hostname. Pure: texts in, text out; the
 * engine reads the host's and writes the container's. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "model/ip.h"

struct resolv_request {
    const char *host; /* text of the host's resolv.conf; NULL = none */
    /* Asked for by the user; an empty list means the host's. */
    struct strs servers;  /* --dns */
    struct strs search;   /* --dns-search; a single "." means none */
    struct strs options;  /* --dns-option */
    const char *embedded; /* "127.0.0.11": the resolver inside the container is the only server; NULL = none */
    bool host_network;    /* the container shares the host's network: its loopback resolvers are reachable, nothing is filtered */
    bool ipv6;            /* the container has IPv6: servers with IPv6 addresses are kept */
};
/* Servers on loopback addresses are left out: inside they would be the container itself. Where the host has no others
 * (systemd-resolved), `fallback` is the text of a file that lists the real ones (/run/systemd/resolve/resolv.conf; NULL = none);
 * and if that has none either, no server is written and *ret_none (NULL allowed) is set: the caller says so. */
void resolv_conf_build(const struct resolv_request *request, const char *fallback, struct buf *out, bool *ret_none);
/* The servers that resolv_conf_build() would list without `embedded`: where the embedded resolver forwards to. */
void resolv_servers(const struct resolv_request *request, const char *fallback, struct arena *a, struct strs *ret);

struct hosts_entry {
    const char *address;
    struct strs names;
};
struct hosts_request {
    const char *hostname, *domainname; /* of the container; domainname "" = none */
    struct strs addresses;             /* of the container, in the order of its networks */
    struct strs extra;                 /* --add-host: "name:address", "name=address", address "host-gateway" */
    struct strs host_gateway;          /* what host-gateway stands for: the default network's gateways */
    struct list more;                  /* struct hosts_entry: links, and so on */
    bool ipv6;
};
/* -EINVAL: an --add-host is wrong; the message names it. */
int hosts_build(const struct hosts_request *request, struct buf *out, struct error *e);
/* Checks one --add-host and splits it: name and address (not resolved: may be "host-gateway"). */
int hosts_parse_extra(const char *text, struct arena *a, const char **ret_name, const char **ret_address, struct error *e);
void hostname_build(const char *hostname, struct buf *out);

/* CNI: networks of somebody else's, made by programs (plugins) that a configuration in /etc/cni/net.d names. Source: the Container
 * Network Interface specification, 0.3.0 to 1.1.0.
 *
 * A container's *attachment* is one JSON file: the configuration that counted, what was asked for, and what the plugins answered.
 * It is written before the first plugin runs, so that whoever undoes it later (the container's monitor, a start after a reboot)
 * needs nothing but this file and the program tare-cni, which alone runs plugins: `tare-cni add|check|undo FILE`. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define CNI_PROGRAM   "tare-cni"
#define CNI_FILE      "cni" /* in the container's own directory: plugins may keep leases over a reboot */
#define CNI_CONF_DIRS "/etc/cni/net.d"

struct cni_port {
    const char *protocol; /* tcp, udp, sctp */
    const char *host_ip;  /* "" = all */
    uint16_t host_port, container_port;
};
struct cni_request {
    const char *network; /* the name in the configuration */
    struct strs conf_dirs, plugin_dirs;
    const char *container_id, *ifname;
    const char *netns; /* path */
    /* Each of these needs a plugin that says it can: "capabilities" portMappings, ips, mac, aliases. */
    struct list ports; /* struct cni_port */
    struct strs ips;   /* with prefix length or without */
    const char *mac;   /* NULL = chosen */
    struct strs aliases;
};
/* The text of an attachment that has yet to be made. -ENOENT: no configuration of that name (those that there are, are named);
 * -EOPNOTSUPP: a version that is not known, or no plugin can what is asked for. */
int cni_attachment(const struct cni_request *q, struct buf *ret, struct error *e);

struct cni_address {
    const char *address; /* with prefix length */
    const char *gateway; /* "" = none */
};
struct cni_result {
    struct list addresses; /* struct cni_address */
    const char *mac;       /* of the interface inside; "" = not told */
    struct strs nameservers, search, options;
    const char *domain; /* "" = none */
};
/* What the plugins answered. -ENODATA: they have not, yet. */
int cni_result_read(int dirfd, struct arena *a, struct cni_result *ret, struct error *e);

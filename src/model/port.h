/* Published ports: the grammar of -p and --expose, as values. Docker's rules: [[ip:]host:]container[/protocol], IPv6 addresses in
 * brackets, ranges of equal length on both sides, or a range of host ports for one container port (any one of it). */
#pragma once

#include "base/arena.h"
#include "model/ip.h"

#define PORT_RANGE_MAX 65535

struct port_mapping {
    uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
    uint16_t container_port;
    struct ip_address host_ip;      /* IP_NONE: every address of the host */
    uint16_t host_first, host_last; /* one of these; 0 and 0: any free one */
};

/* Appends a struct port_mapping for each pair of ports of the text. -EINVAL, with Docker's words. */
int port_parse(const char *text, struct arena *a, struct list *ret, struct error *e);
/* "80", "80/udp", "8000-8010/tcp": appends mappings with only protocol and container_port set. */
int port_parse_exposed(const char *text, struct arena *a, struct list *ret, struct error *e);
/* The host side as it stands in Docker's PortBindings: HostIp ("" = all) and HostPort ("", "8080", "8000-8010") of one "80/tcp". */
int port_parse_binding(const char *container, const char *host_ip, const char *host_port, struct arena *a, struct list *ret,
                       struct error *e);

const char *port_protocol_name(uint8_t protocol); /* "tcp"; NULL when unknown */
int port_protocol_parse(const char *name, size_t n, uint8_t *ret, struct error *e);

/* How packets for a published port get to the container. */
enum publish_mode {
    PUBLISH_NAT,   /* translated and forwarded: the container sees its clients' addresses; the host's input rules are not asked */
    PUBLISH_HELD,  /* a program of somebody else's gets them there: the host's port is held, and no more */
    PUBLISH_INPUT, /* a relay of the host's takes them, after the host's own input rules; the container sees the relay */
};
/* "nat" or "input"; -EINVAL. */
int publish_mode_parse(const char *text, enum publish_mode *ret, struct error *e);

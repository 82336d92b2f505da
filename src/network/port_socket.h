/* The sockets that hold a published port of the host, one for each family: so that nobody else takes it unnoticed. */
#pragma once

#include "model/port.h"

struct port_sockets {
    uint16_t port;
    int fd4, fd6; /* -1: not wanted, or the host does not know it (SCTP without its module, a host without IPv6) */
};
/* Binds at `port` (0: any that is free for both families). `relay`: the IPv4 one will listen, too. -EADDRINUSE; -EPROTONOSUPPORT:
 * the host knows neither. */
int port_sockets_open(uint8_t protocol, const struct ip_address *host_ip, uint16_t port, bool relay, struct port_sockets *ret);
/* What the sockets of a relay need beside: they listen, or tell to which address a datagram came. */
int port_sockets_relay(uint8_t protocol, int fd4, int fd6);
/* Must the IPv6 socket listen and relay, because translation cannot do it: for ::1, and for a container without IPv6? */
bool port_is_relayed(uint8_t protocol, const struct ip_address *host_ip, const struct ip_address *target6);

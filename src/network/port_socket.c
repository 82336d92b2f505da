#include "network/port_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define RANDOM_TRIES_MAX 64 /* until a port is free for both families */

static int socket_type(uint8_t protocol) {
    return protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
}

static int bind_port(uint8_t protocol, const struct ip_address *ip, bool v6, uint16_t port, bool relay) {
    _cleanup_fd_ int fd = socket(v6 ? AF_INET6 : AF_INET, socket_type(protocol) | SOCK_CLOEXEC, protocol);
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int one = 1;

    if (fd < 0)
        return -errno;
    if (ip->family == IP_V4)
        memcpy(&four.sin_addr, ip->bytes, 4);
    if (ip->family == IP_V6)
        memcpy(&six.sin6_addr, ip->bytes, 16);
    if (v6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    /* A relay's connections end here and rest in TIME_WAIT, which would keep the port from being published again for a minute. Only
     * for what will listen: a socket that listens is exclusive in spite of it, one that is merely bound would not be. */
    if ((v6 || relay) && protocol == IPPROTO_TCP)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    /* An address that an interface gets later (a VPN, a moved service address) can be published on before. */
    if (ip->family != IP_NONE)
        (void)setsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one));
    if (bind(fd, v6 ? (const struct sockaddr *)&six : (const struct sockaddr *)&four, v6 ? sizeof(six) : sizeof(four)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static uint16_t bound_port(int fd) {
    struct sockaddr_in6 address = {0};
    socklen_t n = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &n) == 0 ? ntohs(address.sin6_port) : 0; /* at the same place for IPv4 */
}

static bool unsupported(int r) {
    return r == -EAFNOSUPPORT || r == -EPROTONOSUPPORT || r == -ESOCKTNOSUPPORT;
}

int port_sockets_open(uint8_t protocol, const struct ip_address *host_ip, uint16_t port, bool relay, struct port_sockets *ret) {
    bool want4 = host_ip->family != IP_V6, want6 = host_ip->family != IP_V4;

    for (int tries = 0;; tries++) {
        _cleanup_fd_ int fd4 = -1, fd6 = -1;
        uint16_t found = port;

        fd4 = want4 ? bind_port(protocol, host_ip, false, port, relay) : -1;
        if (want4 && fd4 < 0 && !unsupported(fd4))
            return fd4;
        if (fd4 >= 0 && !found)
            found = bound_port(fd4);
        fd6 = want6 ? bind_port(protocol, host_ip, true, found, relay) : -1;
        if (want6 && fd6 < 0 && !unsupported(fd6)) {
            if (port || fd6 != -EADDRINUSE || tries == RANDOM_TRIES_MAX)
                return fd6;
            continue;
        }
        if (fd6 >= 0 && !found)
            found = bound_port(fd6);
        if (!found)
            return -EPROTONOSUPPORT;
        ret->port = found;
        ret->fd4 = fd4 >= 0 ? TAKE_FD(fd4) : -1;
        ret->fd6 = fd6 >= 0 ? TAKE_FD(fd6) : -1;
        return 0;
    }
}

int port_sockets_relay(uint8_t protocol, int fd4, int fd6) {
    int one = 1;

    if (protocol != IPPROTO_UDP)
        return (fd4 >= 0 && listen(fd4, SOMAXCONN) < 0) || (fd6 >= 0 && listen(fd6, SOMAXCONN) < 0) ? -errno : 0;
    /* Answers come from the address that was asked. */
    return (fd4 >= 0 && setsockopt(fd4, SOL_IP, IP_PKTINFO, &one, sizeof(one)) < 0) ||
                   (fd6 >= 0 && setsockopt(fd6, SOL_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) < 0)
               ? -errno
               : 0;
}

bool port_is_relayed(uint8_t protocol, const struct ip_address *host_ip, const struct ip_address *target6) {
    if (protocol == IPPROTO_SCTP || host_ip->family == IP_V4)
        return false;
    return host_ip->family != IP_V6 || ip_is_loopback(host_ip) || target6->family == IP_NONE;
}

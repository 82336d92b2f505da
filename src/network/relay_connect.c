/* The way from a relay to a container. With the client's own address as source, the packets that come back are for an address that
 * is not ours: they carry a mark, by which the packet filter and a policy rule lead them here (firewall.c, netns_catch_mark()). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/netns_make.h"
#include "network/holder_process.h"
#include "network/rootless.h"

static const struct in6_addr *v6_of(const struct sockaddr_storage *a) {
    return &((const struct sockaddr_in6 *)a)->sin6_addr;
}

/* Can it be the source of packets on a bridge? A loopback address cannot; a link-local one means another link there. */
static bool is_usable(const struct sockaddr_storage *client, bool v6) {
    if (v6)
        return client->ss_family == AF_INET6 && !IN6_IS_ADDR_LOOPBACK(v6_of(client)) && !IN6_IS_ADDR_LINKLOCAL(v6_of(client)) &&
               !IN6_IS_ADDR_V4MAPPED(v6_of(client));
    return client->ss_family == AF_INET && ntohl(((const struct sockaddr_in *)client)->sin_addr.s_addr) >> 24 != 127;
}

/* Failure leaves the kernel's own choice of a source: the container is reached all the same. The client's port is kept where it is
 * free; else another of the same address. */
static void pretend(int fd, const struct sockaddr_storage *client, bool v6) {
    struct sockaddr_storage source = *client;
    in_port_t *port = v6 ? &((struct sockaddr_in6 *)&source)->sin6_port : &((struct sockaddr_in *)&source)->sin_port;
    socklen_t size = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    uint32_t mark = MARK_OUT;
    int one = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
        setsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &one, sizeof(one)) < 0)
        return;
    if (v6)
        ((struct sockaddr_in6 *)&source)->sin6_scope_id = 0;
    if (bind(fd, (struct sockaddr *)&source, size) == 0)
        return;
    *port = 0;
    (void)bind(fd, (struct sockaddr *)&source, size);
}

int relay_connect(const struct holder_socket *to, int type, const struct sockaddr_storage *client) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(to->target_port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(to->target_port)};
    bool v6 = to->target.family == IP_V6;
    _cleanup_fd_ int fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (to->transparent && is_usable(client, v6))
        pretend(fd, client, v6);
    memcpy(v6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr, to->target.bytes, v6 ? 16 : 4);
    if (connect(fd, v6 ? (const struct sockaddr *)&six : (const struct sockaddr *)&four, v6 ? sizeof(six) : sizeof(four)) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return TAKE_FD(fd);
}

#include "runtime/holder.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd_message.h"
#include "kernel/netns.h"
#include "kernel/nft.h"

#define NAMES_ADDRESS 0x7f00000bU /* 127.0.0.11 */
#define NAMES_PORT    53
#define NAMES_TABLE   "tare-names"
#define NAMES_MAP     "at4"
#define TCP_BACKLOG   16

int holder_send(int holder_fd, enum holder_word word, const int *fds, size_t n) {
    FD_ROOM(HOLDER_NAMES_FDS) room;
    char byte = (char)word;
    struct iovec data = {&byte, 1};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

    if (n > HOLDER_NAMES_FDS)
        return -EINVAL;
    fd_message_put(&header, &room, fds, n);
    return sendmsg(holder_fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void add_translation(struct netlink_batch *b, uint8_t protocol, uint16_t to) {
    struct nft_element element = {.set = NAMES_MAP};
    const uint32_t address = htonl(NAMES_ADDRESS);
    const uint16_t from = htons(NAMES_PORT);

    nft_element_key(&element, &address, sizeof(address));
    nft_element_key(&element, &protocol, sizeof(protocol));
    nft_element_key(&element, &from, sizeof(from));
    nft_element_data(&element, &address, sizeof(address));
    nft_element_data(&element, &to, sizeof(to));
    nft_add_element(b, NAMES_TABLE, &element);
}

/* Ports in network order. `is_again`: whatever table is there goes with it. A deletion costs a grace period
 * (nft_elements_delete()), so the first time is without. */
static int make_table(bool is_again, uint16_t udp_port, uint16_t tcp_port) {
    static const struct nft_set map = {.name = NAMES_MAP,
                                       .key_type = NFT_CONCAT3(NFT_TYPE_IPV4, NFT_TYPE_PROTO, NFT_TYPE_PORT),
                                       .key_size = 12,
                                       .data_type = NFT_CONCAT2(NFT_TYPE_IPV4, NFT_TYPE_PORT),
                                       .data_size = 8};
    static const struct nft_chain chain = {
        .name = "output", .type = "nat", .hook = NF_INET_LOCAL_OUT, .priority = NF_IP_PRI_NAT_DST};
    static const struct nft_rule rule = {"output", {{.kind = TERM_DNAT_AT, .name = NAMES_MAP, .value = 4}}};
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;

    nft_begin(&b);
    if (is_again) {
        nft_add_table(&b, 0, NAMES_TABLE, NULL, false); /* so that the deletion cannot fail */
        nft_delete_table(&b, 0, NAMES_TABLE);
    }
    nft_add_table(&b, 0, NAMES_TABLE, NULL, true);
    nft_add_set(&b, NAMES_TABLE, &map);
    nft_add_chain(&b, NAMES_TABLE, &chain);
    nft_add_rule(&b, NAMES_TABLE, &rule);
    add_translation(&b, IPPROTO_UDP, udp_port);
    add_translation(&b, IPPROTO_TCP, tcp_port);
    return nft_commit(&b, NULL);
}

/* A resolver that was killed had other ports, and its table is still there. */
static int translate(uint16_t udp_port, uint16_t tcp_port) {
    int r = make_table(false, udp_port, tcp_port);

    return r == -EEXIST ? make_table(true, udp_port, tcp_port) : r;
}

static int open_socket(int type, uint16_t *ret_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(NAMES_ADDRESS)};
    socklen_t size = sizeof(address);
    _cleanup_fd_ int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return -errno;
    if (type == SOCK_STREAM && listen(fd, TCP_BACKLOG) < 0)
        return -errno;
    *ret_port = address.sin_port;
    return TAKE_FD(fd);
}

/* The child may not have done it yet. To a namespace without any address IP_FREEBIND is no help: it takes the address for a
 * broadcast one, and answers go out from 127.0.0.1. */
static int loopback_up(void) {
    _cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

    return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

struct opening {
    pid_t pid;
    int fds[HOLDER_NAMES_FDS];
};

/* On the caller's memory and among its descriptors: see netns_errand(). */
static int open_inside(void *arg) {
    struct opening *o = arg;
    char path[32];
    uint16_t udp_port = 0, tcp_port = 0;
    int netns, r;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", o->pid);
    netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0)
        return -errno;
    r = setns(netns, CLONE_NEWNET) < 0 ? -errno : loopback_up();
    (void)fd_close(netns);
    if (r < 0)
        return r;
    o->fds[0] = open_socket(SOCK_DGRAM, &udp_port);
    o->fds[1] = open_socket(SOCK_STREAM, &tcp_port);
    if (o->fds[0] < 0 || o->fds[1] < 0)
        return MIN_OF(o->fds[0], o->fds[1]);
    return translate(udp_port, tcp_port);
}

int names_open(pid_t pid, int ret[HOLDER_NAMES_FDS], struct error *e) {
    struct opening o = {pid, {-1, -1}};
    const int networks = netns_used();
    int r;

    netns_use(NETNS_OWN); /* the child's, whatever namespace networks are in */
    r = netns_errand(open_inside, &o);
    netns_use(networks);
    if (r < 0) {
        for (size_t i = 0; i < HOLDER_NAMES_FDS; i++)
            (void)fd_close(o.fds[i]);
        return error_errno(e, r, "open the resolver in the container's network namespace");
    }
    memcpy(ret, o.fds, sizeof(o.fds));
    return 0;
}

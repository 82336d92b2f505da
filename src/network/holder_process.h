/* tare-net: the small process that holds a container's published ports while it lives, and relays what the kernel cannot translate
 * (connections to [::1], and from IPv6 to a container without it).
 *
 * It is told everything over one connection (file descriptor 3), in messages of at most HOLDER_BATCH ports with their sockets
 * beside them, and ends when that connection does: its other end is with the container's monitor. It has no privileges once it
 * has left the caller's control group (argument 2: the container's, beside which it goes), but the one to use a client's address in
 * an ordinary user's network namespace.
 *
 * With a killed monitor it ends too, and one that is adopted has none: translation goes on (the kernel does it), but the relay at
 * [::1] does not answer and the host's ports are not held until the container is started anew. */
#pragma once

#include <sys/socket.h>

#include "model/ip.h"

#define HOLDER_FD    3
#define HOLDER_BATCH 128 /* sockets in one message; the kernel passes 253 descriptors at most */

enum holder_use {
    HOLDER_KEEP,      /* nothing but held */
    HOLDER_RELAY_TCP, /* listens: accept and connect to `target` */
    HOLDER_RELAY_UDP, /* its datagrams go to `target`, the answers back */
};
struct holder_socket {
    uint8_t use;      /* enum holder_use */
    bool transparent; /* the target sees the client's own address: an ordinary user's network (network/rootless.h) */
    uint16_t target_port;
    struct ip_address target;
};

struct holder_message {
    uint32_t n; /* sockets, in the order of the descriptors; 0 = that was all */
    struct holder_socket sockets[HOLDER_BATCH];
};

/* relay.c. Serves until the connection `control` ends. `listeners` is borrowed; their sockets are closed by the caller. */
struct relay_listener {
    int fd;
    struct holder_socket socket;
};
int relay_serve(int control, const struct relay_listener *listeners, size_t n, struct error *e);

/* relay_connect.c: a socket that is connected (or, for TCP, about to be) to where the listener leads, with `client` as its source
 * where that is wanted and possible. Negative errno. */
int relay_connect(const struct holder_socket *to, int type, const struct sockaddr_storage *client);

/* relay_udp.c: the clients of datagram sockets. Each has a socket of its own towards the container, for as long as something comes.
 */
struct udp_relay;
struct udp_relay *udp_relay_new(int epoll_fd);
/* Something can be read: from a client at the listener, or from the container for a client (`flow`, the event's pointer). */
void udp_relay_take(struct udp_relay *u, const struct relay_listener *l);
void udp_relay_answer(struct udp_relay *u, void *flow);
/* Ends what has been silent; to be called now and then. Returns milliseconds until the next call makes sense, -1 = none. */
int udp_relay_expire(struct udp_relay *u);

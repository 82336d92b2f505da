/* tare-net in the role `ports`: the small process beside a container's monitor that holds its published ports while it lives,
 * relays what the kernel cannot translate (connections to [::1], from IPv6 to a container without it, everything of an ordinary
 * user), and answers names (network/resolver.h). It speaks with strangers, so it has no privileges once it has begun, but the one
 * to use a client's address in an ordinary user's network namespace.
 *
 * What it is given is in model/holder.h. The ports' records say what their sockets are for, and which are to be bound anew because
 * they came with none. When the monitor was killed while the container lives, it goes on, and waits at the socket HOLDER_SOCKET in
 * the container's run directory for the next one. */
#pragma once

#include <sys/socket.h>

#include "model/ip.h"

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

/* relay.c. */
struct relay_listener {
    int fd;
    struct holder_socket socket;
};
struct connection;
struct udp_relay;
struct relay {
    const struct relay_listener *listeners;
    int epoll_fd; /* readable: relay_turn() has work */
    size_t connections;
    struct connection *dead; /* freed after the round of events that may still name them */
    struct udp_relay *udp;
};
/* `listeners` is borrowed; their sockets are closed by the caller. */
int relay_open(struct relay *r, const struct relay_listener *listeners, size_t n, struct error *e);
void relay_turn(struct relay *r);
/* Ends what has been silent; milliseconds until the next call makes sense, -1 = none. */
int relay_expire(struct relay *r);

/* relay_connect.c: a socket that is connected (or, for TCP, about to be) to where the listener leads, with `client` as its source
 * where that is wanted and possible. Negative errno. */
int relay_connect(const struct holder_socket *to, int type, const struct sockaddr_storage *client);

/* relay_udp.c: the clients of datagram sockets. Each has a socket of its own towards the container, for as long as something comes.
 */
struct udp_relay *udp_relay_new(int epoll_fd);
/* Something can be read: from a client at the listener, or from the container for a client (`flow`, the event's pointer). */
void udp_relay_take(struct udp_relay *u, const struct relay_listener *l);
void udp_relay_answer(struct udp_relay *u, void *flow);
/* Ends what has been silent; to be called now and then. Returns milliseconds until the next call makes sense, -1 = none. */
int udp_relay_expire(struct udp_relay *u);

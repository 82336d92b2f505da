/* tare-net: the small process that holds a container's published ports while it lives, and relays what the kernel cannot translate
 * (connections to [::1], and from IPv6 to a container without it).
 *
 * It is told everything over one connection (file descriptor 3), in messages of at most HOLDER_BATCH ports with their sockets
 * beside them, and ends when that connection does: its other end is with the container's monitor. It has no privileges once it
 * has left the caller's control group (argument 1: the container's, beside which it goes).
 *
 * With a killed monitor it ends too, and one that is adopted has none: translation goes on (the kernel does it), but the relay at
 * [::1] does not answer and the host's ports are not held until the container is started anew. */
#pragma once

#include "model/ip.h"

#define HOLDER_FD      3
#define HOLDER_BATCH   64 /* ports in one message; the kernel passes 253 descriptors at most */
#define HOLDER_FDS_MAX (2 * HOLDER_BATCH)
#define HOLDER_PROGRAM "tare-net"

struct holder_port {
    uint8_t n_fds; /* 0 to 2 sockets of the message belong to it; the last one is the relay's */
    bool relay;    /* listens: accept and connect to `target` */
    uint16_t target_port;
    struct ip_address target;
};

struct holder_message {
    uint32_t n; /* ports; 0 = that was all */
    struct holder_port ports[HOLDER_BATCH];
};

/* relay.c. Serves until the connection `control` ends. `listeners` is borrowed; their sockets are closed at the end. */
struct relay_listener {
    int fd;
    struct ip_address target;
    uint16_t port;
};
int relay_serve(int control, const struct relay_listener *listeners, size_t n, struct error *e);

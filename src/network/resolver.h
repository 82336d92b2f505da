/* The resolver of one container, in tare-net: answers the names of its networks (network/names.h) and hands every other question on
 * to name servers (network/upstream.h), by UDP and TCP.
 *
 * Its two sockets lie in the container's network namespace, at 127.0.0.11 and a high port, with port 53 translated to them there:
 * the monitor makes them (runtime/names.h), so tare-net needs no privileges. They pin that namespace, and are closed when the
 * container's first process has ended.
 *
 * What a hostile container can make it do is bounded: RESOLVER_… below. A question that is handed on gets a random id and a socket
 * of its own at a random port, connected, so that only the server asked is heard; the answer must repeat the question. */
#pragma once

#include "network/names.h"
#include "network/net_loop.h"
#include "network/upstream.h"

#define RESOLVER_ASKED_MAX   256   /* questions handed on at a time; further ones are dropped, and asked again by the client */
#define RESOLVER_STREAMS_MAX 16    /* connections by TCP */
#define RESOLVER_RATE        20000 /* messages a second; beyond that they wait in the sockets */

struct resolver {
    struct net_loop *loop;
    struct names names;
    struct upstream upstream;
    struct net_watch udp, tcp; /* fd -1: not open */
    struct asked *asked;       /* list, oldest first */
    struct stream *streams;
    unsigned n_asked, n_streams;
    unsigned budget;  /* messages left in this slice of time */
    int64_t slice_ns; /* its end */
    bool resting;     /* nothing is read until then */
    int64_t used_ns;  /* the last look-up; 0 = the memory for look-ups is given back */
};

/* run_fd and run_dirfd (RUN_ROOT, and the container's directory in it) are borrowed, as is the id. */
void resolver_init(struct resolver *r, struct net_loop *loop, int run_fd, int run_dirfd, const char *container_id);
/* Takes the sockets over; those before are closed. */
int resolver_open(struct resolver *r, int udp_fd, int tcp_fd);
/* Closes everything that lies in the container's namespace, at once. */
void resolver_close(struct resolver *r);
/* For struct net_loop.tick. */
int64_t resolver_tick(void *resolver, int64_t now_ns);

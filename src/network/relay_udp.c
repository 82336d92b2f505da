/* Datagrams: what a client sends goes out by a socket of his own, so that the answers tell whose they are. */
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "network/holder_process.h"

#define FLOWS_MAX    2048 /* of one container; what further clients send is lost until one of these falls silent */
#define BUCKETS      1024
#define SILENCE_S    60 /* as connection tracking counts datagrams without an answer and with one: 30 and 120 */
#define DATAGRAM_MAX 65535
#define AT_ONCE_MAX  64 /* datagrams of one socket before the others have their turn */
#define FLOW_BIT     2  /* see relay.c */

struct flow {
    struct flow *next;          /* in its bucket */
    struct flow *older, *newer; /* by when something came last */
    const struct relay_listener *listener;
    struct sockaddr_storage client;
    socklen_t client_size;
    struct in6_pktinfo to6; /* the address of ours that he wrote to: answers come from it */
    struct in_pktinfo to4;
    int fd;
    time_t last;
};

struct udp_relay {
    int epoll_fd;
    size_t n;
    struct flow *bucket[BUCKETS];
    struct flow *oldest, *newest;
    uint8_t data[DATAGRAM_MAX];
};

static time_t now(void) {
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return t.tv_sec;
}

struct udp_relay *udp_relay_new(int epoll_fd) {
    struct udp_relay *u = calloc(1, sizeof(*u));

    if (u)
        u->epoll_fd = epoll_fd;
    return u;
}

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static size_t bucket_of(const struct relay_listener *l, const struct sockaddr_storage *client, socklen_t size) {
    uint32_t hash = 2166136261U ^ (uint32_t)l->fd;

    for (socklen_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)client)[i]) * 16777619U;
    return hash % BUCKETS;
}

static void unlink_age(struct udp_relay *u, struct flow *f) {
    *(f->older ? &f->older->newer : &u->oldest) = f->newer;
    *(f->newer ? &f->newer->older : &u->newest) = f->older;
    f->older = f->newer = NULL;
}

static void link_newest(struct udp_relay *u, struct flow *f) {
    f->last = now();
    f->older = u->newest;
    *(u->newest ? &u->newest->newer : &u->oldest) = f;
    u->newest = f;
}

static void flow_end(struct udp_relay *u, struct flow *f) {
    struct flow **at = &u->bucket[bucket_of(f->listener, &f->client, f->client_size)];

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    unlink_age(u, f);
    (void)fd_close(f->fd);
    free(f);
    u->n--;
}

static struct flow *flow_get(struct udp_relay *u, const struct relay_listener *l, const struct sockaddr_storage *client,
                             socklen_t size) {
    size_t bucket = bucket_of(l, client, size);
    struct epoll_event ev = {.events = EPOLLIN};
    struct flow *f;

    for (f = u->bucket[bucket]; f; f = f->next)
        if (f->listener == l && f->client_size == size && memcmp(&f->client, client, size) == 0) {
            unlink_age(u, f);
            link_newest(u, f);
            return f;
        }
    if (u->n >= FLOWS_MAX)
        return NULL; /* nobody is thrown out in the middle of a round of events: they end by their silence */
    f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->listener = l;
    f->client = *client;
    f->client_size = size;
    f->fd = relay_connect(&l->socket, SOCK_DGRAM, client);
    ev.data.u64 = (uintptr_t)f | FLOW_BIT;
    if (f->fd < 0 || epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, f->fd, &ev) < 0) {
        (void)fd_close(f->fd);
        free(f);
        return NULL;
    }
    f->next = u->bucket[bucket];
    u->bucket[bucket] = f;
    link_newest(u, f);
    u->n++;
    return f;
}

/* --- datagrams ---------------------------------------------------------------------------------------------------------------- */

union control {
    struct cmsghdr head;
    uint8_t room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void note_address(struct flow *f, struct msghdr *m) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&f->to4, CMSG_DATA(c), sizeof(f->to4));
            f->to4.ipi_spec_dst = f->to4.ipi_addr;
            f->to4.ipi_ifindex = 0;
        }
        if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO)
            memcpy(&f->to6, CMSG_DATA(c), sizeof(f->to6));
    }
}

void udp_relay_take(struct udp_relay *u, const struct relay_listener *l) {
    for (int i = 0; i < AT_ONCE_MAX; i++) {
        struct sockaddr_storage client = {0};
        struct iovec data = {u->data, sizeof(u->data)};
        union control control = {0};
        struct msghdr m = {.msg_name = &client,
                           .msg_namelen = sizeof(client),
                           .msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(l->fd, &m, MSG_DONTWAIT);
        struct flow *f = n < 0 ? NULL : flow_get(u, l, &client, m.msg_namelen);

        if (n < 0)
            return;
        if (!f)
            continue; /* a datagram may be lost */
        note_address(f, &m);
        (void)send(f->fd, u->data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static void add_control(struct msghdr *m, int level, int type, const void *p, size_t size) {
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), p, size);
    m->msg_controllen = CMSG_SPACE(size);
}

void udp_relay_answer(struct udp_relay *u, void *flow) {
    struct flow *f = flow;

    for (int i = 0; i < AT_ONCE_MAX; i++) {
        ssize_t n = recv(f->fd, u->data, sizeof(u->data), MSG_DONTWAIT);
        struct iovec data = {u->data, (size_t)n};
        union control control = {0};
        struct msghdr m = {.msg_name = &f->client,
                           .msg_namelen = f->client_size,
                           .msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};

        if (n < 0)
            return; /* nothing more, or nobody listens there (ECONNREFUSED is reported once, and then gone) */
        if (f->client.ss_family == AF_INET)
            add_control(&m, SOL_IP, IP_PKTINFO, &f->to4, sizeof(f->to4));
        else
            add_control(&m, SOL_IPV6, IPV6_PKTINFO, &f->to6, sizeof(f->to6));
        (void)sendmsg(f->listener->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        unlink_age(u, f);
        link_newest(u, f);
    }
}

int udp_relay_expire(struct udp_relay *u) {
    time_t t = u->n ? now() : 0;

    while (u->oldest && t - u->oldest->last >= SILENCE_S)
        flow_end(u, u->oldest);
    return u->oldest ? (int)(SILENCE_S - (t - u->oldest->last)) * 1000 : -1;
}

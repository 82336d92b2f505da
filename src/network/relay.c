/* Copying between two sockets, many pairs in one process: nothing but readiness, a buffer for each direction, and half-closing as
 * TCP does it. */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "network/holder_process.h"

#define BUFFER_SIZE     65536
#define CONNECTIONS_MAX 4096 /* of one container; further clients wait in the listener's queue */
#define EVENTS_MAX      64

struct side {
    int fd;
    bool connecting;
    bool eof;                  /* nothing more comes from here */
    bool shut;                 /* nothing more goes out here */
    uint8_t data[BUFFER_SIZE]; /* read here, not yet written to the other side */
    size_t start, size;
};

struct connection {
    struct side side[2]; /* client, container */
    struct connection *next_dead;
    bool dead;
};

/* epoll's data: a listener's number and both bits (small); a connection's address, whose lowest bit
 * says which side; a flow's of datagrams, with the second bit. */
enum { SIDE_BIT = 1, FLOW_BIT = 2, DATA_BITS = SIDE_BIT | FLOW_BIT };

static void bury(struct relay *r, struct connection *c) {
    if (c->dead)
        return;
    c->dead = true;
    for (int i = 0; i < 2; i++)
        c->side[i].fd = fd_close(c->side[i].fd);
    c->next_dead = r->dead;
    r->dead = c;
    r->connections--;
}

static void watch(const struct relay *r, struct connection *c, int which, int op) {
    const struct side *s = &c->side[which], *other = &c->side[!which];
    struct epoll_event ev = {.data.u64 = (uintptr_t)c | (which ? SIDE_BIT : 0)};

    if (!s->eof && s->size < BUFFER_SIZE && !s->connecting)
        ev.events |= EPOLLIN;
    if (s->connecting || other->size)
        ev.events |= EPOLLOUT;
    (void)epoll_ctl(r->epoll_fd, op, s->fd, &ev);
}

static int pull(struct side *s) {
    if (s->start && s->size) {
        memmove(s->data, s->data + s->start, s->size);
    }
    s->start = 0;
    while (!s->eof && s->size < BUFFER_SIZE) {
        ssize_t n = read(s->fd, s->data + s->size, BUFFER_SIZE - s->size);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
            s->eof = true;
        s->size += (size_t)n;
    }
    return 0;
}

static int push(struct side *from, struct side *to) {
    while (from->size) {
        ssize_t n = send(to->fd, from->data + from->start, from->size, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        from->start += (size_t)n;
        from->size -= (size_t)n;
    }
    if (from->eof && !to->shut) {
        to->shut = true;
        (void)shutdown(to->fd, SHUT_WR);
    }
    return 0;
}

static int finish_connect(struct side *s) {
    int problem = 0;
    socklen_t n = sizeof(problem);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &problem, &n) < 0 || problem)
        return -ECONNREFUSED;
    s->connecting = false;
    return 0;
}

static void serve(struct relay *r, struct connection *c, int which, uint32_t events) {
    struct side *s = &c->side[which], *other = &c->side[!which];
    int result = 0;

    if (c->dead)
        return;
    if (s->connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        result = finish_connect(s);
    if (result == 0 && !s->connecting)
        result = pull(s);
    if (result == 0 && !other->connecting)
        result = push(s, other);
    if (result == 0 && !s->connecting)
        result = push(other, s);
    if (result < 0 || (s->shut && other->shut)) {
        bury(r, c);
        return;
    }
    watch(r, c, 0, EPOLL_CTL_MOD);
    watch(r, c, 1, EPOLL_CTL_MOD);
}

static void take_client(struct relay *r, const struct relay_listener *l) {
    struct sockaddr_storage client = {0};
    socklen_t size = sizeof(client);
    _cleanup_fd_ int fd = accept4(l->fd, (struct sockaddr *)&client, &size, SOCK_NONBLOCK | SOCK_CLOEXEC), to = -1;
    struct connection *c;

    if (fd < 0)
        return;
    to = relay_connect(&l->socket, SOCK_STREAM, &client);
    c = to < 0 || r->connections >= CONNECTIONS_MAX ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return; /* closed: the client sees a reset or an end */
    c->side[0].fd = TAKE_FD(fd);
    c->side[1] = (struct side){.fd = TAKE_FD(to), .connecting = true};
    r->connections++;
    watch(r, c, 0, EPOLL_CTL_ADD);
    watch(r, c, 1, EPOLL_CTL_ADD);
}

static void take(struct relay *r, const struct relay_listener *l) {
    if (l->socket.use == HOLDER_RELAY_UDP)
        udp_relay_take(r->udp, l);
    else
        take_client(r, l);
}

static void free_dead(struct relay *r) {
    while (r->dead) {
        struct connection *c = r->dead;

        r->dead = c->next_dead;
        free(c);
    }
}

int relay_open(struct relay *r, const struct relay_listener *listeners, size_t n, struct error *e) {
    struct epoll_event ev = {.events = EPOLLIN};

    *r = (struct relay){.listeners = listeners, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    r->udp = udp_relay_new(r->epoll_fd);
    if (!r->udp || r->epoll_fd < 0)
        return error_set(e, -ENOMEM, "relay ports");
    for (size_t i = 0; i < n; i++) {
        ev.data.u64 = (uint64_t)i << 2 | DATA_BITS;
        if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, listeners[i].fd, &ev) < 0)
            return error_errno(e, -errno, "watch a port");
    }
    return 0;
}

void relay_turn(struct relay *r) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(r->epoll_fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++) {
        uint64_t data = events[i].data.u64;
        void *of = (void *)(uintptr_t)(data & ~(uint64_t)DATA_BITS);

        if ((data & DATA_BITS) == DATA_BITS)
            take(r, &r->listeners[data >> 2]);
        else if (data & FLOW_BIT)
            udp_relay_answer(r->udp, of);
        else
            serve(r, of, (int)(data & SIDE_BIT), events[i].events);
    }
    free_dead(r);
}

int relay_expire(struct relay *r) {
    return udp_relay_expire(r->udp);
}

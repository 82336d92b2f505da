/* The servers' side of the resolver. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "network/resolver_state.h"

#define NS_PER_MS      1000000LL
#define SERVER_WAIT_NS (1500 * NS_PER_MS) /* three servers within the five seconds that a client waits */
#define TRIES_MIN      2
#define PREFER_NS      (60000 * NS_PER_MS) /* a server that answered for a silent one is asked first so long */

static void give_up(struct asked *a);
static bool ask_next(struct asked *a);

void asked_forget(struct asked *a) {
    struct resolver *r = a->resolver;
    struct asked **at = &r->asked;

    net_watch_close(r->loop, &a->watch);
    while (*at && *at != a)
        at = &(*at)->next;
    if (*at)
        *at = a->next;
    if (a->stream)
        a->stream->asked = NULL;
    free(a->answer);
    a->answer = NULL;
    r->n_asked--;
    net_loop_free(r->loop, &a->mortal);
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

static void hand_back(struct asked *a, uint8_t *p, size_t n) {
    struct resolver *r = a->resolver;
    struct stream *stream = a->stream;

    dns_set_id(p, a->client_id);
    if (!stream && n > a->query.udp_size)
        n = dns_truncate(p, &a->query);
    if (!stream && r->udp.fd >= 0)
        (void)sendto(r->udp.fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&a->client, sizeof(a->client));
    if (a->tries > 1) { /* those before it were silent */
        r->upstream.first = a->server;
        r->upstream.first_until_ns = clock_monotonic_ns() + PREFER_NS;
    }
    if (stream) {
        stream->asked = NULL; /* the connection may end with the answer */
        a->stream = NULL;
        stream_answer(stream, p, n);
    }
    asked_forget(a);
}

/* An answer that says that this server cannot tell is not the last word while there are others. */
static bool is_useless(const struct asked *a, int code) {
    return (code == DNS_SERVER_FAILURE || code == DNS_REFUSED || code == DNS_NOT_IMPLEMENTED) && a->tries < a->resolver->upstream.n;
}

static void take_answer(struct asked *a, uint8_t *p, size_t n) {
    int code = dns_answer_check(p, n, a->message + 2, &a->query);

    if (code < 0)
        return; /* somebody's guess: the true one may still come */
    if (is_useless(a, code) && ask_next(a))
        return;
    hand_back(a, p, n);
}

static void udp_ready(struct net_watch *w, uint32_t events _unused_) {
    struct asked *a = w->owner;
    uint8_t p[DNS_UDP_MAX];
    ssize_t n = recv(w->fd, p, sizeof(p), MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0 && errno != EAGAIN && errno != EINTR) { /* refused: nobody is there */
        if (!ask_next(a))
            give_up(a);
        return;
    }
    if (n > (ssize_t)sizeof(p)) /* more than the client takes, and than it was asked for */
        n = dns_answer_check(p, sizeof(p), a->message + 2, &a->query) < 0 ? 0 : (ssize_t)dns_truncate(p, &a->query);
    if (n > 0)
        take_answer(a, p, (size_t)n);
}

static void tcp_failed(struct asked *a) {
    if (!ask_next(a))
        give_up(a);
}

static void tcp_ready(struct net_watch *w, uint32_t events) {
    struct asked *a = w->owner;
    size_t whole = a->have >= 2 ? 2u + (size_t)(a->answer[0] << 8 | a->answer[1]) : 2;
    ssize_t n;

    if (events & EPOLLOUT) { /* connected, or not */
        if (send(w->fd, a->message, 2 + a->size, MSG_NOSIGNAL) != (ssize_t)(2 + a->size))
            tcp_failed(a);
        else
            net_watch_change(a->resolver->loop, w, EPOLLIN);
        return;
    }
    if (!a->answer)
        a->answer = malloc(2 + DNS_TCP_MAX);
    n = a->answer ? recv(w->fd, a->answer + a->have, whole - a->have, MSG_DONTWAIT) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        tcp_failed(a);
        return;
    }
    a->have += (size_t)n;
    whole = a->have >= 2 ? 2u + (size_t)(a->answer[0] << 8 | a->answer[1]) : 2;
    if (a->have < whole || whole == 2)
        return;
    if (dns_answer_check(a->answer + 2, whole - 2, a->message + 2, &a->query) < 0)
        tcp_failed(a);
    else
        take_answer(a, a->answer + 2, whole - 2);
}

/* --- questions ------------------------------------------------------------------------------------------------------------- */

static int connect_to(const struct asked *a, const struct sockaddr_storage *server) {
    int type = a->stream ? SOCK_STREAM : SOCK_DGRAM;
    _cleanup_fd_ int fd = socket(server->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || (connect(fd, (const struct sockaddr *)server, upstream_size(server)) < 0 && errno != EINPROGRESS))
        return -1;
    if (!a->stream && send(fd, a->message + 2, a->size, MSG_NOSIGNAL) < 0)
        return -1;
    return TAKE_FD(fd);
}

/* false: every server has had its turn. */
static bool ask_next(struct asked *a) {
    struct resolver *r = a->resolver;
    const struct upstream *u = &r->upstream;
    uint16_t id;

    while (a->tries < MAX_OF(u->n, (unsigned)TRIES_MIN) && u->n) {
        if (getrandom(&id, sizeof(id), 0) != sizeof(id))
            return false;
        net_watch_close(r->loop, &a->watch);
        a->have = 0;
        a->server = (a->tries++ ? a->server + 1 : u->first) % u->n;
        dns_set_id(a->message + 2, id);
        a->watch =
            (struct net_watch){.fd = connect_to(a, &u->servers[a->server]), .ready = a->stream ? tcp_ready : udp_ready, .owner = a};
        if (a->watch.fd < 0 || net_watch_add(r->loop, &a->watch, a->stream ? EPOLLOUT : EPOLLIN) < 0)
            continue;
        a->until_ns = clock_monotonic_ns() + SERVER_WAIT_NS;
        return true;
    }
    return false;
}

static void give_up(struct asked *a) {
    uint8_t out[DNS_NAME_MAX + DNS_HEADER_SIZE + DNS_UDP_SIZE];
    struct dns_answer answer;

    dns_answer_begin(&answer, a->message + 2, &a->query, out, sizeof(out));
    a->tries = 0; /* nobody answered: nobody is preferred */
    hand_back(a, out, dns_answer_end(&answer, DNS_SERVER_FAILURE));
}

void ask(struct resolver *r, const uint8_t *query, size_t n, const struct dns_query *q, const struct sockaddr_in *client,
         struct stream *stream) {
    struct asked *a = r->n_asked < RESOLVER_ASKED_MAX && n <= DNS_QUERY_MAX ? calloc(1, sizeof(*a)) : NULL, **at = &r->asked;

    if (!a)
        return;
    if (r->upstream.first && r->upstream.first_until_ns < clock_monotonic_ns())
        r->upstream.first = 0;
    a->resolver = r;
    a->watch.fd = -1;
    a->client_id = q->id;
    if (client)
        a->client = *client;
    a->stream = stream;
    a->query = *q;
    a->size = n;
    a->message[0] = (uint8_t)(n >> 8);
    a->message[1] = (uint8_t)n;
    memcpy(a->message + 2, query, n);
    while (*at)
        at = &(*at)->next;
    *at = a;
    r->n_asked++;
    if (stream)
        stream->asked = a;
    if (!ask_next(a))
        give_up(a);
}

int64_t asked_tick(struct resolver *r, int64_t now_ns) {
    int64_t next = 0;

    for (struct asked *a = r->asked, *following; a; a = following) {
        following = a->next;
        if (a->until_ns <= now_ns && !ask_next(a))
            give_up(a);
        else if (!next || a->until_ns < next)
            next = a->until_ns;
    }
    return next;
}

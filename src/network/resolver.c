#include "network/resolver.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "network/resolver_state.h"

#define NS_PER_MS    1000000LL
#define STREAM_NS    (10000 * NS_PER_MS) /* between two questions on one connection */
#define FORGET_NS    (2000 * NS_PER_MS)  /* without a question: the table of names is read again when wanted */
#define SLICE_NS     (50 * NS_PER_MS)
#define SLICE_BUDGET (RESOLVER_RATE / 20)
#define ROUND_MAX    64 /* datagrams read before others have their turn */

/* --- one question ---------------------------------------------------------------------------------------------------------- */

/* The answer's size; 0: none is given; -EAGAIN: it has to be handed on (*q is filled). */
static ssize_t answer(struct resolver *r, const uint8_t *query, size_t n, bool by_tcp, struct dns_query *q, uint8_t *out,
                      size_t room) {
    struct dns_answer refusal;
    size_t size;
    int code = dns_query_parse(query, n, q);

    r->used_ns = clock_monotonic_ns();
    if (code < 0)
        return 0;
    if (code > 0)
        return (ssize_t)dns_refuse(query, n, (enum dns_code)code, out);
    room = by_tcp ? room : MIN_OF(room, (size_t)q->udp_size);
    size = names_answer(&r->names, query, q, out, room);
    if (size)
        return (ssize_t)size;
    upstream_refresh(&r->upstream);
    if (!r->upstream.internal)
        return -EAGAIN;
    dns_answer_begin(&refusal, query, q, out, room);
    return (ssize_t)dns_answer_end(&refusal, DNS_NO_NAME);
}

/* false: enough for this slice of time; what comes next waits in the sockets, whose buffers the kernel bounds. */
static bool may_work(struct resolver *r) {
    int64_t now = clock_monotonic_ns();

    if (now >= r->slice_ns) {
        r->slice_ns = now + SLICE_NS;
        r->budget = SLICE_BUDGET;
    }
    if (r->budget) {
        r->budget--;
        return true;
    }
    r->resting = true;
    net_watch_change(r->loop, &r->udp, 0);
    net_watch_change(r->loop, &r->tcp, 0);
    return false;
}

/* --- UDP ------------------------------------------------------------------------------------------------------------------- */

static void udp_ready(struct net_watch *w, uint32_t events _unused_) {
    struct resolver *r = w->owner;
    uint8_t query[DNS_QUERY_MAX], out[DNS_UDP_MAX];

    for (int i = 0; i < ROUND_MAX && w->fd >= 0 && may_work(r); i++) {
        struct sockaddr_in client = {0};
        socklen_t size = sizeof(client);
        struct dns_query q;
        ssize_t n = recvfrom(w->fd, query, sizeof(query), MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&client, &size), m;

        if (n < 0)
            return;
        if ((size_t)n > sizeof(query))
            continue;
        m = answer(r, query, (size_t)n, false, &q, out, sizeof(out));
        if (m > 0)
            (void)sendto(w->fd, out, (size_t)m, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&client, size);
        else if (m == -EAGAIN)
            ask(r, query, (size_t)n, &q, &client, NULL);
    }
}

/* --- TCP ------------------------------------------------------------------------------------------------------------------- */

static void stream_close(struct stream *s) {
    struct resolver *r = s->resolver;
    struct stream **at = &r->streams;

    if (s->watch.fd < 0)
        return;
    if (s->asked)
        asked_forget(s->asked);
    net_watch_close(r->loop, &s->watch);
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    free(s->out);
    r->n_streams--;
    net_loop_free(r->loop, &s->mortal);
}

/* What is left of the answer. */
static void stream_write(struct stream *s) {
    while (s->sent < s->out_size) {
        ssize_t n = send(s->watch.fd, s->out + s->sent, s->out_size - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            net_watch_change(s->resolver->loop, &s->watch, EPOLLOUT);
            return;
        }
        if (n < 0) {
            stream_close(s);
            return;
        }
        s->sent += (size_t)n;
    }
    free(s->out);
    s->out = NULL;
    s->have = 0;
    s->until_ns = clock_monotonic_ns() + STREAM_NS;
    net_watch_change(s->resolver->loop, &s->watch, EPOLLIN);
}

void stream_answer(struct stream *s, const uint8_t *p, size_t n) {
    s->out = n && n <= DNS_TCP_MAX ? malloc(2 + n) : NULL;
    if (!s->out) {
        stream_close(s);
        return;
    }
    s->out[0] = (uint8_t)(n >> 8);
    s->out[1] = (uint8_t)n;
    memcpy(s->out + 2, p, n);
    s->out_size = 2 + n;
    s->sent = 0;
    stream_write(s);
}

static void stream_question(struct stream *s) {
    struct resolver *r = s->resolver;
    size_t n = s->have - 2, room = DNS_TCP_MAX;
    uint8_t *out = malloc(room);
    struct dns_query q;
    ssize_t m = out ? answer(r, s->in + 2, n, true, &q, out, room) : 0;

    net_watch_change(r->loop, &s->watch, 0);
    if (m == -EAGAIN) {
        ask(r, s->in + 2, n, &q, NULL, s);
        if (!s->asked && !s->out && s->have) /* no room for one more */
            stream_close(s);
    } else {
        stream_answer(s, out, (size_t)MAX_OF(m, 0));
    }
    free(out);
}

static void stream_ready(struct net_watch *w, uint32_t events _unused_) {
    struct stream *s = w->owner;
    size_t whole = s->have >= 2 ? 2u + (size_t)(s->in[0] << 8 | s->in[1]) : 2;
    ssize_t n;

    if (s->out) {
        stream_write(s);
        return;
    }
    if (!may_work(s->resolver)) {
        stream_close(s);
        return;
    }
    n = s->asked ? 0 : recv(w->fd, s->in + s->have, whole - s->have, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        stream_close(s);
        return;
    }
    s->have += (size_t)n;
    whole = s->have >= 2 ? 2u + (size_t)(s->in[0] << 8 | s->in[1]) : 2;
    if (whole > sizeof(s->in) || (s->have == 2 && whole == 2))
        stream_close(s);
    else if (s->have > 2 && s->have == whole)
        stream_question(s);
}

static void tcp_ready(struct net_watch *w, uint32_t events _unused_) {
    struct resolver *r = w->owner;
    int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct stream *s = fd >= 0 && r->n_streams < RESOLVER_STREAMS_MAX && may_work(r) ? calloc(1, sizeof(*s)) : NULL;

    if (!s) {
        (void)fd_close(fd);
        return;
    }
    s->resolver = r;
    s->watch = (struct net_watch){.fd = fd, .ready = stream_ready, .owner = s};
    s->until_ns = clock_monotonic_ns() + STREAM_NS;
    if (net_watch_add(r->loop, &s->watch, EPOLLIN) < 0) {
        free(s);
        return;
    }
    s->next = r->streams;
    r->streams = s;
    r->n_streams++;
}

/* --- its life -------------------------------------------------------------------------------------------------------------- */

void resolver_init(struct resolver *r, struct net_loop *loop, int run_fd, int run_dirfd, const char *container_id) {
    *r = (struct resolver){.loop = loop,
                           .names = {.container_id = container_id, .arena = ARENA_INIT},
                           .upstream.run_dirfd = run_dirfd,
                           .udp.fd = -1,
                           .tcp.fd = -1};
    r->names.roots.run_fd = run_fd;
}

int resolver_open(struct resolver *r, int udp_fd, int tcp_fd) {
    int result;

    resolver_close(r);
    r->udp = (struct net_watch){.fd = udp_fd, .ready = udp_ready, .owner = r};
    r->tcp = (struct net_watch){.fd = tcp_fd, .ready = tcp_ready, .owner = r};
    result = net_watch_add(r->loop, &r->udp, EPOLLIN);
    return result < 0 ? result : net_watch_add(r->loop, &r->tcp, EPOLLIN);
}

void resolver_close(struct resolver *r) {
    while (r->streams)
        stream_close(r->streams);
    while (r->asked)
        asked_forget(r->asked);
    net_watch_close(r->loop, &r->udp);
    net_watch_close(r->loop, &r->tcp);
    names_forget(&r->names);
}

static void wake(struct resolver *r) {
    r->resting = false;
    net_watch_change(r->loop, &r->udp, EPOLLIN);
    net_watch_change(r->loop, &r->tcp, EPOLLIN);
}

static void earlier(int64_t *next, int64_t when) {
    if (when && (!*next || when < *next))
        *next = when;
}

int64_t resolver_tick(void *resolver, int64_t now_ns) {
    struct resolver *r = resolver;
    int64_t next = asked_tick(r, now_ns);

    for (struct stream *s = r->streams, *following; s; s = following) {
        following = s->next;
        if (s->until_ns <= now_ns)
            stream_close(s);
        else
            earlier(&next, s->until_ns);
    }
    if (r->resting && r->slice_ns <= now_ns)
        wake(r);
    if (r->resting)
        earlier(&next, r->slice_ns);
    if (r->used_ns && r->used_ns + FORGET_NS <= now_ns) {
        names_forget(&r->names);
        r->used_ns = 0;
    }
    earlier(&next, r->used_ns ? r->used_ns + FORGET_NS : 0);
    return next;
}

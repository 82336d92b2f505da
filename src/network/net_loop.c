#include "network/net_loop.h"

#include <stdlib.h>

#include "base/clock.h"

#define EVENTS_MAX 64
#define NS_PER_MS  1000000

int net_loop_init(struct net_loop *l, struct error *e) {
    *l = (struct net_loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    return l->epoll_fd < 0 ? error_errno(e, -errno, "make an epoll") : 0;
}

int net_watch_add(struct net_loop *l, struct net_watch *w, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.ptr = w};
    int r;

    w->events = events;
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) == 0)
        return 0;
    r = -errno;
    w->fd = fd_close(w->fd);
    return r;
}

void net_watch_change(struct net_loop *l, struct net_watch *w, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.ptr = w};

    if (w->fd < 0 || w->events == events)
        return;
    w->events = events;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
}

void net_watch_close(struct net_loop *l, struct net_watch *w) {
    if (w->fd < 0)
        return;
    /* Explicitly: a copy of the descriptor elsewhere would keep the registration alive. */
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->fd = fd_close(w->fd);
}

void net_loop_free(struct net_loop *l, struct net_mortal *m) {
    m->next = l->dead;
    l->dead = m;
}

static void free_dead(struct net_loop *l) {
    while (l->dead) {
        struct net_mortal *m = l->dead;

        l->dead = m->next;
        free(m);
    }
}

/* Milliseconds until the deadline, rounded up; -1 = none: an idle process never wakes up. */
static int timeout_of(const struct net_loop *l) {
    int64_t now = clock_monotonic_ns(), due = l->tick ? l->tick(l->tick_arg, now) : 0;

    return due == 0 ? -1 : due <= now ? 0 : (int)((due - now + NS_PER_MS - 1) / NS_PER_MS);
}

void net_loop_run(struct net_loop *l) {
    struct epoll_event events[EVENTS_MAX];

    while (!l->over) {
        int n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, timeout_of(l));

        for (int i = 0; i < n; i++) {
            struct net_watch *w = events[i].data.ptr;

            if (w->fd >= 0) /* an earlier event of this round may have closed it */
                w->ready(w, events[i].events);
        }
        free_dead(l);
    }
}

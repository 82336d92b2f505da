#include "runtime/monitor/monitor.h"

#include "base/clock.h"

#define EVENTS_MAX 16

int loop_init(struct monitor *m, struct error *e) {
    m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (m->epoll_fd < 0)
        return error_errno(e, -errno, "make an epoll");
    signals_init(m);
    return 0;
}

int loop_add(struct monitor *m, struct source *s, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.ptr = s};

    s->events = events;
    return epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) < 0 ? -errno : 0;
}

void loop_change(struct monitor *m, struct source *s, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.ptr = s};

    if (s->fd < 0 || s->events == events)
        return;
    s->events = events;
    (void)epoll_ctl(m->epoll_fd, s->resting ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &ev);
    s->resting = false;
}

void loop_rest(struct monitor *m, struct source *s) {
    (void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    s->events = 0;
    s->resting = true;
}

void loop_remove(struct monitor *m, struct source *s) {
    if (s->fd < 0)
        return;
    /* Explicitly: a copy of the descriptor (the keeper's) would keep the registration alive. */
    (void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    s->fd = fd_close(s->fd);
}

static void on_kill(struct monitor *m) {
    (void)payload_signal(m, SIGKILL);
    payload_kill_all(m);
}

static void on_linger(struct monitor *m) {
    for (struct client *c = m->clients; c; c = c->next)
        if (!c->primary)
            c->dead = m->client_died = true;
}

static void (*const on_deadline[DEADLINES])(struct monitor *) = {
    [DEADLINE_KILL] = on_kill,
    [DEADLINE_RESTART] = restart_now,
    [DEADLINE_HEALTH] = health_due,
    [DEADLINE_HEALTH_TIMEOUT] = health_timeout,
    [DEADLINE_SETTLE] = monitor_settle_late,
    [DEADLINE_HOLDER] = holder_ensure,
    [DEADLINE_LINGER] = on_linger,
};

/* Milliseconds until the next deadline, rounded up; -1 = none: an idle monitor never wakes up. */
static int next_timeout(const struct monitor *m) {
    int64_t first = 0, left;

    for (int i = 0; i < DEADLINES; i++)
        if (m->deadline[i] && (!first || m->deadline[i] < first))
            first = m->deadline[i];
    if (!first)
        return -1;
    left = first - clock_monotonic_ns();
    if (left <= 0)
        return 0;
    return (int)MIN_OF((left + 999999) / 1000000, 3600 * 1000);
}

static void run_deadlines(struct monitor *m) {
    int64_t now = clock_monotonic_ns();

    for (int i = 0; i < DEADLINES; i++) {
        if (!m->deadline[i] || m->deadline[i] > now)
            continue;
        m->deadline[i] = 0;
        on_deadline[i](m);
    }
}

static bool has_deadline(const struct monitor *m) {
    for (int i = 0; i < DEADLINES; i++)
        if (m->deadline[i])
            return true;
    return false;
}

static int wait_events(struct monitor *m, struct epoll_event *events) {
    int n;

    if (m->wants_idle) { /* nothing more to do at once? Then give memory back before sleeping. */
        n = epoll_wait(m->epoll_fd, events, EVENTS_MAX, 0);
        if (n != 0)
            return n;
        log_idle(m->log);
        stdio_idle();
        m->wants_idle = false;
    }
    return epoll_wait(m->epoll_fd, events, EVENTS_MAX, next_timeout(m));
}

void loop_run(struct monitor *m) {
    while (m->phase != PHASE_LINGERING || !clients_all_served(m)) {
        struct epoll_event events[EVENTS_MAX];
        int n = wait_events(m, events);

        for (int i = 0; i < n; i++) {
            struct source *s = events[i].data.ptr;

            if (s->fd >= 0) /* an earlier event of this round may have closed it */
                s->ready(m, s, events[i].events);
        }
        if (has_deadline(m))
            run_deadlines(m);
        if (m->client_died)
            clients_reap(m);
    }
}

/* tare-net: see network/holder_process.h. */
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "kernel/capability.h"
#include "kernel/cgroup_own.h"
#include "kernel/netns.h"
#include "model/holder.h"
#include "network/holder_process.h"
#include "network/keeper.h"
#include "network/port.h"
#include "network/port_socket.h"
#include "network/resolver.h"
#include "network/rootless.h"

#define SOCKETS_MAX  (2 * PORTS_MAX)
#define WORD_FDS_MAX 2

struct holder {
    const char *cgroup, *run_root, *container_id;
    int run_fd, run_dirfd;
    int *fds; /* every port's socket */
    size_t n_fds;
    struct relay_listener *listeners;
    size_t n_listeners;
    struct net_loop loop;
    bool transparent; /* one of them needs the right to use its clients' addresses */
    bool in_own_cgroup;
    struct relay relay;
    struct net_watch relaying;
    struct resolver resolver;
    struct net_watch control; /* the monitor; fd -1: it was killed */
    struct net_watch waiting; /* the next one connects here */
    struct net_watch life;    /* pidfd of the container's first process; watched without a monitor only */
    int pidfd;                /* the same; -1 = nothing runs */
};

/* --- ports ----------------------------------------------------------------------------------------------------------------- */

static void *grown(void *p, size_t n, size_t size) {
    void *more = reallocarray(p, n + 1, size);

    if (!more)
        _exit(1);
    return more;
}

static void keep_socket(struct holder *h, int fd, const struct holder_socket *socket) {
    if (h->n_fds == SOCKETS_MAX)
        _exit(1);
    h->transparent |= socket->transparent;
    h->fds = grown(h->fds, h->n_fds, sizeof(*h->fds));
    h->fds[h->n_fds++] = fd;
    if (socket->use == HOLDER_KEEP)
        return;
    h->listeners = grown(h->listeners, h->n_listeners, sizeof(*h->listeners));
    h->listeners[h->n_listeners++] = (struct relay_listener){fd, *socket};
}

/* A message with descriptors beside it. Its size; 0 at the end, negative on failure. */
static ssize_t receive(int from, void *p, size_t size, int *fds, size_t fds_max, size_t *ret_n) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * HOLDER_BATCH)];
    } control;
    struct iovec data = {p, size};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(from, &header, MSG_CMSG_CLOEXEC);
    int got[HOLDER_BATCH];
    size_t n_got = 0;

    if (n > 0 && header.msg_controllen >= CMSG_LEN(sizeof(int)) && control.head.cmsg_type == SCM_RIGHTS) {
        n_got = (control.head.cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(got, CMSG_DATA(&control.head), n_got * sizeof(int));
    }
    for (size_t i = 0; i < n_got; i++) {
        if (i < fds_max)
            fds[i] = got[i];
        else
            (void)fd_close(got[i]);
    }
    *ret_n = MIN_OF(n_got, fds_max);
    return n;
}

/* Everything that the starter hands over. */
static void receive_ports(struct holder *h) {
    static struct holder_message m;
    int fds[HOLDER_BATCH];
    size_t n;

    while (receive(HOLDER_FD, &m, sizeof(m), fds, HOLDER_BATCH, &n) == sizeof(m) && m.n)
        for (size_t i = 0; i < n && i < m.n; i++)
            keep_socket(h, fds[i], &m.sockets[i]);
}

/* How the port's socket of one family was used by the one that was killed (port_hold()). */
static struct holder_socket use_again(const struct port_record *p, bool v6, bool rootless) {
    const bool relay_all = rootless || p->by_input;
    const struct ip_address *own = v6 ? &p->target6 : &p->target4;
    bool leads = p->target4.family != IP_NONE || p->target6.family != IP_NONE;
    bool relayed = leads && (relay_all || (v6 && port_is_relayed(p->protocol, &p->host_ip, &p->target6)));

    if (!relay_all || own->family == IP_NONE)
        own = p->target4.family != IP_NONE ? &p->target4 : &p->target6;
    return (struct holder_socket){
        .use = !relayed                     ? HOLDER_KEEP
               : p->protocol == IPPROTO_UDP ? HOLDER_RELAY_UDP
                                            : HOLDER_RELAY_TCP,
        .transparent = rootless && (v6 ? p->target6 : p->target4).family != IP_NONE,
        .target = *own,
        .target_port = p->container_port,
    };
}

static void bind_port(struct holder *h, const struct port_record *p, bool rootless) {
    const struct holder_socket use4 = use_again(p, false, rootless), use6 = use_again(p, true, rootless);
    struct port_sockets s;

    if (port_sockets_open(p->protocol, &p->host_ip, p->host_port, rootless || p->by_input, &s) < 0)
        return;
    (void)port_sockets_relay(p->protocol, use4.use == HOLDER_KEEP ? -1 : s.fd4, use6.use == HOLDER_KEEP ? -1 : s.fd6);
    if (s.fd4 >= 0)
        keep_socket(h, s.fd4, &use4);
    if (s.fd6 >= 0)
        keep_socket(h, s.fd6, &use6);
}

/* In the place of one that was killed. A port that somebody else has taken meanwhile is his: translation goes on regardless. An
 * ordinary user's ports are the host's, and lead into the namespace of his networks, where names are looked up, too. */
static void bind_again(struct holder *h) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_fd_ int netns = openat(h->run_fd, NETNS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool rootless = netns >= 0 && netns_is(netns);
    struct roots roots = {.run_fd = h->run_fd};
    const char *own = h->container_id;
    struct list records = {0};

    (void)port_list(&roots, &a, &records, NULL);
    for (size_t i = 0; i < records.n; i++)
        if (strcmp(LIST_AT(struct port_record, &records, i)->container_id, own) == 0 &&
            !port_is_routed(LIST_AT(struct port_record, &records, i)))
            bind_port(h, LIST_AT(struct port_record, &records, i), rootless);
    if (rootless && setns(netns, CLONE_NEWNET) < 0)
        _exit(1); /* its relays would lead nowhere */
}

/* --- the monitor ----------------------------------------------------------------------------------------------------------- */

static void end(struct holder *h) {
    h->loop.over = true;
}

static void life_ready(struct net_watch *w, uint32_t events _unused_) {
    end(w->owner);
}

/* Not at the beginning: each way costs a grace period (version 2), and a container often lives for a moment only. Its files are
 * root's own, as we are: no capability is needed. */
static void leave_caller(struct holder *h) {
    h->in_own_cgroup = own_cgroup_enter(h->cgroup) == 0;
}

/* Without a monitor: on, while there is something to hold on to. */
static void monitor_gone(struct holder *h) {
    struct pollfd dead = {.fd = h->pidfd, .events = POLLIN};

    if (h->pidfd < 0 || h->waiting.fd < 0 || poll(&dead, 1, 0) != 0) {
        end(h);
        return;
    }
    leave_caller(h);
    net_watch_close(&h->loop, &h->control);
    h->life = (struct net_watch){.fd = fcntl(h->pidfd, F_DUPFD_CLOEXEC, 0), .ready = life_ready, .owner = h};
    if (h->life.fd < 0 || net_watch_add(&h->loop, &h->life, EPOLLIN) < 0)
        end(h);
}

static void hear(struct holder *h, char word, int *fds, size_t n) {
    switch (word) {
    case HOLDER_STARTED:
        if (n != 1)
            break;
        h->pidfd = fd_close(h->pidfd);
        h->pidfd = TAKE_FD(fds[0]);
        break;
    case HOLDER_RESOLVE:
        if (n == 2)
            (void)resolver_open(&h->resolver, TAKE_FD(fds[0]), TAKE_FD(fds[1]));
        break;
    case HOLDER_SETTLED: leave_caller(h); break;
    case HOLDER_ENDED:
        h->pidfd = fd_close(h->pidfd);
        resolver_close(&h->resolver);
        (void)send(h->control.fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    default: break; /* of a newer monitor */
    }
}

static void control_ready(struct net_watch *w, uint32_t events _unused_) {
    struct holder *h = w->owner;
    int fds[WORD_FDS_MAX] = {-1, -1};
    char word;
    size_t n = 0;
    ssize_t size = receive(w->fd, &word, 1, fds, WORD_FDS_MAX, &n);

    if (size == 1)
        hear(h, word, fds, n);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        monitor_gone(h);
    for (size_t i = 0; i < WORD_FDS_MAX; i++)
        (void)fd_close(fds[i]);
}

static void waiting_ready(struct net_watch *w, uint32_t events _unused_) {
    struct holder *h = w->owner;
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0 || h->control.fd >= 0) { /* two monitors there never are: the lock sees to that */
        (void)fd_close(fd);
        return;
    }
    net_watch_close(&h->loop, &h->life);
    h->control.fd = fd;
    if (net_watch_add(&h->loop, &h->control, EPOLLIN) < 0)
        monitor_gone(h);
}

static void wait_for_monitors(struct holder *h) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" HOLDER_SOCKET, h->run_dirfd);
    (void)unlinkat(h->run_dirfd, HOLDER_SOCKET, 0);
    h->waiting = (struct net_watch){
        .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .ready = waiting_ready, .owner = h};
    if (h->waiting.fd < 0 || bind(h->waiting.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(h->waiting.fd, 1) < 0) {
        h->waiting.fd = fd_close(h->waiting.fd);
        return;
    }
    (void)net_watch_add(&h->loop, &h->waiting, EPOLLIN);
}

/* --- its life -------------------------------------------------------------------------------------------------------------- */

/* It carries bytes between sockets and reads what strangers send: nothing of that needs a right, unless it is to use its clients'
 * addresses. */
static void drop_privileges(bool transparent) {
    static const struct capability_sets none;
    uint64_t kept = CAPABILITY_BIT(CAP_NET_ADMIN) | CAPABILITY_BIT(CAP_NET_BIND_SERVICE);
    const struct capability_sets some = {.permitted = kept, .effective = kept};

    (void)capability_bound(0, NULL);
    (void)capability_apply(transparent ? &some : &none, NULL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int open_dirs(struct holder *h) {
    char path[sizeof("containers/") + 256];

    (void)snprintf(path, sizeof(path), "containers/%.255s", h->container_id);
    h->run_fd = open(h->run_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h->run_dirfd = h->run_fd < 0 ? -1 : openat(h->run_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return h->run_dirfd < 0 ? -errno : 0;
}

static void relay_ready(struct net_watch *w, uint32_t events _unused_) {
    relay_turn(w->owner);
}

static int64_t tick(void *arg, int64_t now_ns) {
    struct holder *h = arg;
    int64_t next = resolver_tick(&h->resolver, now_ns);
    int ms = h->relaying.fd >= 0 ? relay_expire(&h->relay) : -1;
    int64_t expiry = now_ns + ms * INT64_C(1000000);

    return ms >= 0 && (!next || expiry < next) ? expiry : next;
}

static int serve(struct holder *h) {
    int r = net_loop_init(&h->loop, NULL);

    if (r == 0 && h->n_listeners) {
        r = relay_open(&h->relay, h->listeners, h->n_listeners, NULL);
        h->relaying = (struct net_watch){.fd = h->relay.epoll_fd, .ready = relay_ready, .owner = &h->relay};
        if (r == 0)
            r = net_watch_add(&h->loop, &h->relaying, EPOLLIN);
    }
    if (r < 0)
        return r;
    resolver_init(&h->resolver, &h->loop, h->run_fd, h->run_dirfd, h->container_id);
    h->loop.tick = tick;
    h->loop.tick_arg = h;
    h->control = (struct net_watch){.fd = HOLDER_FD, .ready = control_ready, .owner = h};
    r = net_watch_add(&h->loop, &h->control, EPOLLIN);
    if (r == 0) {
        wait_for_monitors(h);
        net_loop_run(&h->loop);
    }
    return r;
}

static int ports_main(int argc, char **argv) {
    static struct holder h = {
        .pidfd = -1, .control.fd = HOLDER_FD, .waiting.fd = -1, .life.fd = -1, .relaying.fd = -1, .relay.epoll_fd = -1};
    bool is_again;
    int r;

    if (argc < 3)
        return 2;
    h.cgroup = argv[0];
    h.run_root = argv[1];
    h.container_id = argv[2];
    is_again = argc > 3 && strcmp(argv[3], HOLDER_AGAIN) == 0;
    if (is_again)
        leave_caller(&h);
    r = open_dirs(&h);
    if (r == 0 && is_again)
        bind_again(&h);
    else if (r == 0)
        receive_ports(&h);
    drop_privileges(h.transparent);
    if (r == 0)
        r = serve(&h);
    /* The ports and the group first, then the connection, whose end tells the monitor that we are out. */
    for (size_t i = 0; i < h.n_fds; i++)
        (void)fd_close(h.fds[i]);
    if (h.in_own_cgroup)
        own_cgroup_leave(h.cgroup);
    (void)fd_close(h.control.fd);
    return r < 0;
}

int main(int argc, char **argv) {
    const char *role = argc > 1 ? argv[1] : "";

    if (strcmp(role, HOLDER_ROLE) == 0)
        return ports_main(argc - 2, argv + 2);
    if (strcmp(role, "keep") == 0)
        return keeper_main(argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL);
    if (strcmp(role, "pasta") == 0 && argc > 3)
        return keeper_pasta(argv[2], argv + 3);
    return 2; /* started by hand */
}

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

#include "base/fd_message.h"
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

#define SOCKETS_MAX (2 * PORTS_MAX)

struct inherited {
    int fd;
    uint8_t protocol;
    uint16_t port;
    struct ip_address address;
};

struct holder {
    const char *cgroup, *run_root, *container_id;
    int run_fd, run_dirfd;
    int *fds; /* every port's socket */
    size_t n_fds;
    struct inherited *inherited; /* what came with the start and no record has been seen for */
    size_t n_inherited;
    struct relay_listener *listeners;
    size_t n_listeners;
    struct net_loop loop;
    bool transparent; /* one of them needs the right to use its clients' addresses */
    bool in_own_cgroup;
    struct relay relay;
    struct net_watch relaying;
    struct resolver resolver;
    int names[HOLDER_NAMES_FDS]; /* for it, from the start; -1 = none */
    struct net_watch control;    /* the monitor; fd -1: it was killed */
    struct net_watch waiting;    /* the next one connects here */
    struct net_watch life;       /* pidfd of the container's first process; watched without a monitor only */
    int pidfd;                   /* the same; -1 = nothing runs */
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

/* A word with descriptors beside it. Its size; 0 at the end, negative on failure. */
static ssize_t receive(int from, char *word, int fds[HOLDER_NAMES_FDS], size_t *ret_n) {
    FD_ROOM(HOLDER_NAMES_FDS) room;
    struct iovec data = {word, 1};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
    ssize_t n = recvmsg(from, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    *ret_n = n > 0 ? fd_message_take(&header, fds, HOLDER_NAMES_FDS) : 0;
    return n;
}

/* What the port's socket of one family is for. One that listens and leads nowhere takes its clients to be rid of them. */
static struct holder_socket use_of(const struct port_record *p, bool v6, bool rootless, bool listens) {
    const bool relay_all = rootless || p->by_input;
    const struct ip_address *own = v6 ? &p->target6 : &p->target4;
    bool leads = p->target4.family != IP_NONE || p->target6.family != IP_NONE;
    bool relayed = leads && (relay_all || (v6 && port_is_relayed(p->protocol, &p->host_ip, &p->target6)));

    if (!relay_all || own->family == IP_NONE)
        own = p->target4.family != IP_NONE ? &p->target4 : &p->target6;
    return (struct holder_socket){
        .use = !relayed && !listens         ? HOLDER_KEEP
               : p->protocol == IPPROTO_UDP ? HOLDER_RELAY_UDP
                                            : HOLDER_RELAY_TCP,
        .transparent = rootless && (v6 ? p->target6 : p->target4).family != IP_NONE,
        .target = *own,
        .target_port = p->container_port,
    };
}

static bool listens(int fd) {
    int value = 0;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value;
}

static void use_socket(struct holder *h, const struct port_record *p, int fd, bool v6, bool rootless) {
    const struct holder_socket use = use_of(p, v6, rootless, listens(fd));

    if (use.use != HOLDER_KEEP)
        (void)port_sockets_relay(p->protocol, v6 ? -1 : fd, v6 ? fd : -1);
    keep_socket(h, fd, &use);
}

/* One that came with the start; -1: none. */
static int take_inherited(struct holder *h, const struct port_record *p, bool v6) {
    const struct ip_address all = {.family = v6 ? IP_V6 : IP_V4}, *wanted = p->host_ip.family == IP_NONE ? &all : &p->host_ip;

    for (size_t i = 0; i < h->n_inherited; i++) {
        const struct inherited *one = &h->inherited[i];

        if (one->port == p->host_port && one->protocol == p->protocol && ip_is_equal(&one->address, wanted)) {
            int fd = one->fd;

            h->inherited[i] = h->inherited[--h->n_inherited];
            return fd;
        }
    }
    return -1;
}

/* A port that came with none is bound anew: our monitor has taken over from one that was killed. One that somebody else has taken
 * meanwhile is his: translation goes on regardless. */
static void hold_port(struct holder *h, const struct port_record *p, bool rootless) {
    struct port_sockets s = {.fd4 = take_inherited(h, p, false), .fd6 = take_inherited(h, p, true)};

    if (s.fd4 < 0 && s.fd6 < 0 && port_sockets_open(p->protocol, &p->host_ip, p->host_port, rootless || p->by_input, &s) < 0)
        return;
    if (s.fd4 >= 0)
        use_socket(h, p, s.fd4, false, rootless);
    if (s.fd6 >= 0)
        use_socket(h, p, s.fd6, true, rootless);
}

/* An ordinary user's ports are the host's, and lead into the namespace of his networks, where names are looked up, too. */
static void hold_ports(struct holder *h) {
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
            hold_port(h, LIST_AT(struct port_record, &records, i), rootless);
    while (h->n_inherited)
        (void)fd_close(h->inherited[--h->n_inherited].fd);
    if (rootless && setns(netns, CLONE_NEWNET) < 0)
        _exit(1); /* its relays would lead nowhere */
}

static bool describe(int fd, struct inherited *ret) {
    union {
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {0};
    socklen_t size = sizeof(address), protocol_size = sizeof(int);
    int protocol = 0;
    bool v6;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_size) < 0)
        return false;
    v6 = address.four.sin_family == AF_INET6;
    *ret = (struct inherited){fd, (uint8_t)protocol, ntohs(address.four.sin_port), {.family = v6 ? IP_V6 : IP_V4}};
    memcpy(ret->address.bytes, v6 ? (void *)&address.six.sin6_addr : (void *)&address.four.sin_addr, v6 ? 16 : 4);
    return v6 || address.four.sin_family == AF_INET;
}

/* Everything below `highest` that is for nothing else. */
static void take_over_sockets(struct holder *h, int highest) {
    for (int fd = HOLDER_FIRST_FD; fd <= highest; fd++) {
        struct inherited one;

        if (fd == h->names[0] || fd == h->names[1] || !describe(fd, &one))
            continue;
        h->inherited = grown(h->inherited, h->n_inherited, sizeof(*h->inherited));
        h->inherited[h->n_inherited++] = one;
    }
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
    int fds[HOLDER_NAMES_FDS] = {-1, -1};
    char word;
    size_t n = 0;
    ssize_t size = receive(w->fd, &word, fds, &n);

    if (size == 1)
        hear(h, word, fds, n);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        monitor_gone(h);
    for (size_t i = 0; i < HOLDER_NAMES_FDS; i++)
        (void)fd_close(fds[i]);
}

/* The lock sees to it that there are no two monitors: ours is dead, whether we have heard of it or not. */
static void waiting_ready(struct net_watch *w, uint32_t events _unused_) {
    struct holder *h = w->owner;
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (h->control.fd >= 0)
        net_watch_close(&h->loop, &h->control);
    net_watch_close(&h->loop, &h->life);
    h->control.fd = fd;
    if (net_watch_add(&h->loop, &h->control, EPOLLIN) < 0)
        monitor_gone(h);
}

static void wait_for_monitors(struct holder *h) {
    h->waiting.ready = waiting_ready;
    h->waiting.owner = h;
    if (h->waiting.fd >= 0)
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
    h->run_fd = open(h->run_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC); // NOLINT(clang-analyzer-core.NonNullParamChecker): argc
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
    if (h->names[0] >= 0)
        (void)resolver_open(&h->resolver, h->names[0], h->names[1]);
    h->control.ready = control_ready;
    h->control.owner = h;
    r = net_watch_add(&h->loop, &h->control, EPOLLIN);
    if (r == 0) {
        const char awake = HOLDER_AWAKE;

        (void)send(h->control.fd, &awake, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        wait_for_monitors(h);
        net_loop_run(&h->loop);
    }
    return r;
}

static int ports_main(int argc, char **argv) {
    static struct holder h = {.pidfd = -1, .life.fd = -1, .relaying.fd = -1, .relay.epoll_fd = -1};
    int highest, r;

    if (argc < 4 || sscanf(argv[3], HOLDER_FDS, &h.control.fd, &h.pidfd, &h.names[0], &h.names[1], &h.waiting.fd, &highest) != 6)
        return 2;
    h.cgroup = argv[0];
    h.run_root = argv[1];
    h.container_id = argv[2];
    take_over_sockets(&h, highest);
    r = open_dirs(&h);
    if (r == 0)
        hold_ports(&h);
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

/* tare-net: see network/holder_process.h. */
#include <linux/capability.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/capability.h"
#include "kernel/cgroup_own.h"
#include "network/holder_process.h"
#include "network/keeper.h"

#define PORTS_MAX       8192
#define ENTER_TRIES_MAX 50
#define ENTER_PAUSE_MS  10

struct holder {
    int *fds; /* every socket, in order */
    size_t n_fds;
    struct relay_listener *listeners;
    size_t n_listeners;
    bool transparent; /* one of them needs the right to */
};

static void *grown(void *p, size_t n, size_t size) {
    void *more = reallocarray(p, n + 1, size);

    if (!more)
        _exit(1);
    return more;
}

static void keep(struct holder *h, const struct holder_message *m, const int *fds, size_t n) {
    for (size_t i = 0; i < n && i < m->n && i < HOLDER_BATCH && h->n_fds < PORTS_MAX; i++) {
        h->transparent |= m->sockets[i].transparent;
        h->fds = grown(h->fds, h->n_fds, sizeof(*h->fds));
        h->fds[h->n_fds++] = fds[i];
        if (m->sockets[i].use == HOLDER_KEEP)
            continue;
        h->listeners = grown(h->listeners, h->n_listeners, sizeof(*h->listeners));
        h->listeners[h->n_listeners++] = (struct relay_listener){fds[i], m->sockets[i]};
    }
}

/* One message; false at the end (or on nonsense). */
static bool receive(struct holder *h) {
    static struct holder_message m;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * HOLDER_BATCH)];
    } control;
    struct iovec data = {&m, sizeof(m)};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int fds[HOLDER_BATCH];
    size_t n = 0;

    if (recvmsg(HOLDER_FD, &header, MSG_CMSG_CLOEXEC) != sizeof(m) || m.n == 0)
        return false;
    if (header.msg_controllen >= CMSG_LEN(sizeof(int)) && control.head.cmsg_type == SCM_RIGHTS) {
        n = (control.head.cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(&control.head), n * sizeof(int));
    }
    keep(h, &m, fds, n);
    return true;
}

/* We are started before the container: the first one of these roots makes the group that ours lies in a moment later; or its start
 * fails before, and our connection ends. */
static void leave_caller(const char *cgroup) {
    struct pollfd end = {.fd = HOLDER_FD, .events = POLLRDHUP};

    for (int i = 0; own_cgroup_enter(cgroup) == -ENOENT && i < ENTER_TRIES_MAX; i++)
        if (poll(&end, 1, ENTER_PAUSE_MS) > 0)
            return;
}

/* It copies bytes between sockets, and needs nothing for that, unless it is to use its clients' addresses. */
static void drop_privileges(bool transparent) {
    static const struct capability_sets none;
    uint64_t kept = CAPABILITY_BIT(CAP_NET_ADMIN) | CAPABILITY_BIT(CAP_NET_BIND_SERVICE);
    const struct capability_sets some = {.permitted = kept, .effective = kept};

    (void)capability_bound(0, NULL);
    (void)capability_apply(transparent ? &some : &none, NULL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int ports_main(const char *cgroup) {
    struct holder h = {0};
    int r;

    leave_caller(cgroup);
    while (receive(&h))
        ;
    drop_privileges(h.transparent);
    r = relay_serve(HOLDER_FD, h.listeners, h.n_listeners, NULL);
    /* The ports and the group first, then the connection, whose end tells the monitor that we are out. The files of the group are
     * root's own, as we are: no capability is needed. */
    for (size_t i = 0; i < h.n_fds; i++)
        (void)fd_close(h.fds[i]);
    own_cgroup_leave(cgroup);
    (void)fd_close(HOLDER_FD);
    return r < 0;
}

int main(int argc, char **argv) {
    const char *role = argc > 1 ? argv[1] : "", *cgroup = argc > 2 ? argv[2] : NULL;

    if (strcmp(role, "ports") == 0)
        return ports_main(cgroup);
    if (strcmp(role, "keep") == 0)
        return keeper_main(cgroup, argc > 3 ? argv[3] : NULL);
    return 2; /* started by hand */
}

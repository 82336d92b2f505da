/* tare-net: see network/holder_process.h. */
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/capability.h"
#include "kernel/cgroup_own.h"
#include "network/holder_process.h"

#define PORTS_MAX       8192
#define ENTER_TRIES_MAX 50
#define ENTER_PAUSE_MS  10

struct holder {
    int *fds; /* every socket, in order */
    size_t n_fds, room;
    struct relay_listener *listeners;
    size_t n_listeners;
};

static void keep(struct holder *h, const struct holder_message *m, const int *fds, size_t n) {
    size_t at = 0;

    for (uint32_t i = 0; i < m->n && i < HOLDER_BATCH; i++) {
        const struct holder_port *p = &m->ports[i];

        at += p->n_fds;
        if (p->relay && p->n_fds && at <= n) {
            struct relay_listener *more = reallocarray(h->listeners, h->n_listeners + 1, sizeof(*more));

            if (!more)
                _exit(1);
            h->listeners = more;
            h->listeners[h->n_listeners++] = (struct relay_listener){fds[at - 1], p->target, p->target_port};
        }
    }
    for (size_t i = 0; i < n && h->n_fds < PORTS_MAX; i++) {
        int *more = reallocarray(h->fds, h->n_fds + 1, sizeof(*more));

        if (!more)
            _exit(1);
        h->fds = more;
        h->fds[h->n_fds++] = fds[i];
    }
}

/* One message; false at the end (or on nonsense). */
static bool receive(struct holder *h) {
    static struct holder_message m;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * HOLDER_FDS_MAX)];
    } control;
    struct iovec data = {&m, sizeof(m)};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int fds[HOLDER_FDS_MAX];
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

/* It copies bytes between sockets and needs nothing for that. */
static void drop_privileges(void) {
    static const struct capability_sets none;

    (void)capability_bound(0, NULL);
    (void)capability_apply(&none, NULL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int main(int argc, char **argv) {
    const char *cgroup = argc > 1 ? argv[1] : NULL;
    struct holder h = {0};
    int r;

    leave_caller(cgroup);
    drop_privileges();
    while (receive(&h))
        ;
    r = relay_serve(HOLDER_FD, h.listeners, h.n_listeners, NULL);
    /* The ports and the group first, then the connection, whose end tells the monitor that we are out. The files of the group are
     * root's own, as we are: no capability is needed. */
    for (size_t i = 0; i < h.n_fds; i++)
        (void)fd_close(h.fds[i]);
    own_cgroup_leave(cgroup);
    (void)fd_close(HOLDER_FD);
    return r < 0;
}

/* Handing a container's published ports over to tare-net. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netns.h"
#include "network/helper.h"
#include "network/holder_process.h"
#include "network/port.h"

static int send_batch(int fd, const struct holder_message *m, const int *fds, size_t n, struct error *e) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * HOLDER_BATCH)];
    } control = {0};
    struct iovec data = {(void *)(uintptr_t)m, sizeof(*m)};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

    if (n) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * n), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * n);
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL) < 0 ? error_errno(e, -errno, "hand over published ports") : 0;
}

struct sending {
    int to;
    struct holder_message message;
    int fds[HOLDER_BATCH];
};

static int flush(struct sending *s, struct error *e) {
    int r = send_batch(s->to, &s->message, s->fds, s->message.n, e);

    s->message = (struct holder_message){0};
    return r;
}

static int add_socket(struct sending *s, const struct published_port *p, int fd, bool relay, const struct ip_address *target,
                      struct error *e) {
    bool none = target->family == IP_NONE;
    const struct ip_address *to = !none ? target : p->target4.family != IP_NONE ? &p->target4 : &p->target6;

    if (fd < 0)
        return 0;
    s->fds[s->message.n] = fd;
    s->message.sockets[s->message.n++] = (struct holder_socket){
        .use = !relay                       ? HOLDER_KEEP
               : p->protocol == IPPROTO_UDP ? HOLDER_RELAY_UDP
                                            : HOLDER_RELAY_TCP,
        .transparent = p->relay_all && !p->by_input && !none,
        .target = *to,
        .target_port = p->container_port,
    };
    return s->message.n == HOLDER_BATCH ? flush(s, e) : 0;
}

static int send_ports(int fd, const struct list *published, struct error *e) {
    static const struct ip_address any = {0};
    struct sending s = {.to = fd};
    int r = 0;

    for (size_t i = 0; r == 0 && i < published->n; i++) {
        const struct published_port *p = LIST_AT(struct published_port, published, i);

        r = add_socket(&s, p, p->fd4, p->relay_all, &p->target4, e);
        if (r == 0)
            r = add_socket(&s, p, p->fd6, p->relay || p->relay_all, p->relay_all ? &p->target6 : &any, e);
    }
    if (r == 0 && s.message.n)
        r = flush(&s, e);
    return r < 0 ? r : flush(&s, e);
}

int port_hold(const struct roots *roots, const char *container_id, const struct list *published, const char *cgroup, int *ret_fd,
              struct error *e) {
    char *const argv[] = {(char[]){HELPER_PROGRAM}, (char[]){HOLDER_ROLE},           (char *)(uintptr_t)cgroup,
                          roots->run_root,          (char *)(uintptr_t)container_id, NULL};
    _cleanup_fd_ int ours = -1, theirs = -1;
    int pair[2], r;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a connection to %s", HELPER_PROGRAM);
    ours = pair[0];
    theirs = pair[1];
    pid = helper_start(argv, &theirs, 1, netns_used(), e);
    if (pid < 0)
        return pid;
    r = send_ports(ours, published, e);
    if (r == 0)
        *ret_fd = TAKE_FD(ours);
    return r;
}

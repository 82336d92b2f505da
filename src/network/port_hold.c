/* Handing a container's published ports over to tare-net. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/self.h"
#include "network/holder_process.h"
#include "network/port.h"

static int send_batch(int fd, const struct holder_message *m, const int *fds, size_t n, struct error *e) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * HOLDER_FDS_MAX)];
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

static int send_ports(int fd, const struct list *published, struct error *e) {
    struct holder_message m = {0};
    int fds[HOLDER_FDS_MAX], r = 0;
    size_t n = 0;

    for (size_t i = 0; r == 0 && i < published->n; i++) {
        const struct published_port *p = LIST_AT(struct published_port, published, i);
        struct holder_port *to = &m.ports[m.n++];

        *to = (struct holder_port){
            .relay = p->relay, .target = p->target4.family != IP_NONE ? p->target4 : p->target6, .target_port = p->container_port};
        if (p->fd4 >= 0)
            fds[n + to->n_fds++] = p->fd4;
        if (p->fd6 >= 0)
            fds[n + to->n_fds++] = p->fd6;
        n += to->n_fds;
        if (m.n == HOLDER_BATCH || i + 1 == published->n) {
            r = send_batch(fd, &m, fds, n, e);
            m = (struct holder_message){0};
            n = 0;
        }
    }
    return r < 0 ? r : send_batch(fd, &m, NULL, 0, e);
}

/* Shares the caller's memory until it has exec'ed: touches nothing but its own descriptors. */
static void become(int program, int socket_fd, char *cgroup) {
    char *const argv[] = {(char[]){HOLDER_PROGRAM}, cgroup, NULL}, *const envp[] = {NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    program = fcntl(program, F_DUPFD_CLOEXEC, 10);
    socket_fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, 10);
    null = fcntl(null, F_DUPFD_CLOEXEC, 10);
    if (program < 0 || socket_fd < 0 || null < 0 || chdir("/") < 0)
        _exit(127);
    for (int fd = 0; fd < HOLDER_FD; fd++)
        (void)dup2(null, fd);
    (void)dup2(socket_fd, HOLDER_FD);
    (void)syscall(SYS_close_range, HOLDER_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    _exit(127);
}

static __attribute__((noinline)) pid_t start(int program, int socket_fd, char *cgroup) {
    pid_t pid = vfork();

    if (pid == 0)
        become(program, socket_fd, cgroup);
    return pid;
}

int port_hold(const struct list *published, const char *cgroup, int *ret_fd, struct error *e) {
    _cleanup_fd_ int program = -1, ours = -1, theirs = -1;
    int pair[2], r;
    pid_t pid;

    if (published->n == 0) {
        *ret_fd = -1;
        return 0;
    }
    program = self_open_program(HOLDER_PROGRAM, e);
    if (program < 0)
        return program;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a connection to %s", HOLDER_PROGRAM);
    ours = pair[0];
    theirs = pair[1];
    pid = start(program, theirs, (char *)(uintptr_t)cgroup);
    if (pid < 0)
        return error_errno(e, -errno, "start %s", HOLDER_PROGRAM);
    r = send_ports(ours, published, e);
    if (r == 0)
        *ret_fd = TAKE_FD(ours);
    return r;
}

#include "runtime/monitor/log_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "kernel/cgroup_own.h"
#include "runtime/log_format.h"

#define CLOSE_WAIT_MS 5000
#define RESTART_NS    NS_PER_SEC /* between two that were killed */

struct log_message { /* the head of a record in it */
    int64_t sec;
    int32_t nsec;
    uint16_t stream, size; /* LOG_LINE_MAX at most */
};

struct log_process {
    struct log_sink sink;
    size_t buffer_size;
    int dirfd, keep; /* borrowed */
    char *cgroup;    /* owned */
    int fd;          /* -1: it was killed */
    pid_t pid;
    int64_t not_before; /* monotonic: of the next start */
};

/* --- in the process ---------------------------------------------------------------------------------------------------------- */

static void take(const struct log_sink *sink, const char *p, size_t n) {
    while (n >= sizeof(struct log_message)) {
        struct log_message m;

        memcpy(&m, p, sizeof(m));
        if (m.size > n - sizeof(m))
            return;
        sink->record(sink->arg, m.stream, (struct timespec){m.sec, m.nsec}, p + sizeof(m), m.size);
        p += sizeof(m) + m.size;
        n -= sizeof(m) + m.size;
    }
}

static void serve(const struct log_sink *sink, int fd) {
    static char room[LOG_MESSAGE_MAX];
    bool idle = true;

    for (;;) {
        ssize_t n = recv(fd, room, sizeof(room), idle ? 0 : MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            sink->pause(sink->arg);
            idle = true;
            continue;
        }
        if (n <= 0) /* the monitor ended, or let go */
            return;
        idle = false;
        take(sink, room, (size_t)n);
    }
}

/* The only descriptors that stay: a copy of a FIFO or of a lock would outlive the monitor. They keep their numbers where others
 * know them. */
static void close_others(const struct log_process *p, int fd) {
    int stay[] = {fd, p->dirfd, p->keep};
    unsigned from = 0;

    for (size_t i = 0; i < ARRAY_SIZE(stay); i++)
        for (size_t k = i + 1; k < ARRAY_SIZE(stay); k++)
            if (stay[k] < stay[i]) {
                int lower = stay[k];

                stay[k] = stay[i];
                stay[i] = lower;
            }
    for (size_t i = 0; i < ARRAY_SIZE(stay); i++) {
        if (stay[i] < 0)
            continue;
        if ((unsigned)stay[i] > from)
            (void)syscall(SYS_close_range, from, (unsigned)stay[i] - 1, 0);
        from = (unsigned)stay[i] + 1;
    }
    (void)syscall(SYS_close_range, from, ~0U, 0);
}

static _Noreturn void live(const struct log_process *p, int fd) {
    (void)prctl(PR_SET_NAME, "tare-log");
    close_others(p, fd);
    if (chdir("/") < 0)
        _exit(1);
    if (p->cgroup)
        (void)own_cgroup_enter(p->cgroup);
    p->sink.begin(p->sink.arg);
    serve(&p->sink, fd);
    p->sink.end(p->sink.arg);
    if (p->cgroup)
        own_cgroup_leave(p->cgroup);
    _exit(0);
}

/* --- in the monitor ---------------------------------------------------------------------------------------------------------- */

/* Without privilege no more than net.core.wmem_max is given. */
static void set_buffer(int fd, size_t size) {
    int n = (int)MIN_OF(MAX_OF(size, 2 * LOG_MESSAGE_MAX), (size_t)INT32_MAX / 2);

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof(n)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

static int start(struct log_process *p) {
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    set_buffer(pair[0], p->buffer_size);
    /* A fork without an exit signal: waiting for the container's processes does not meet it. */
    p->pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (p->pid == 0)
        live(p, pair[1]);
    (void)fd_close(pair[1]);
    if (p->pid < 0) {
        (void)fd_close(pair[0]);
        return -EAGAIN;
    }
    p->fd = pair[0];
    return 0;
}

int log_process_start(const struct log_sink *sink, size_t buffer_size, int dirfd, int keep, const char *cgroup,
                      struct log_process **ret, struct error *e) {
    struct log_process *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return error_errno(e, -ENOMEM, "start the log's process");
    *p = (struct log_process){.sink = *sink,
                              .buffer_size = buffer_size,
                              .dirfd = dirfd,
                              .keep = keep,
                              .cgroup = cgroup ? strdup(cgroup) : NULL,
                              .fd = -1};
    r = start(p);
    if (r < 0) {
        free(p->cgroup);
        free(p);
        return error_errno(e, r, "start the log's process");
    }
    p->keep = -1; /* one that is started again makes its own connection */
    *ret = p;
    return 0;
}

static int start_again(struct log_process *p) {
    int64_t now = clock_monotonic_ns();

    p->fd = fd_close(p->fd);
    if (p->pid > 0)
        (void)waitpid(p->pid, NULL, __WCLONE);
    p->pid = 0;
    if (now < p->not_before)
        return -EAGAIN;
    p->not_before = now + RESTART_NS;
    return start(p);
}

size_t log_process_room(size_t n) {
    return sizeof(struct log_message) + n;
}

void log_process_add(struct buf *message, int stream, struct timespec t, const char *p, size_t n) {
    const struct log_message m = {.sec = t.tv_sec, .nsec = (int32_t)t.tv_nsec, .stream = (uint16_t)stream, .size = (uint16_t)n};

    buf_add(message, &m, sizeof(m));
    buf_add(message, p, n);
}

int log_process_send(struct log_process *p, const void *message, size_t n) {
    for (int tries = 0; tries < 2; tries++) {
        if (p->fd >= 0 && send(p->fd, message, n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (p->fd >= 0 && (errno == EAGAIN || errno == ENOBUFS))
            return -EAGAIN;
        if (start_again(p) < 0)
            return -EPIPE;
    }
    return -EPIPE;
}

int log_process_fd(const struct log_process *p) {
    return p->fd;
}

struct log_process *log_process_close(struct log_process *p) {
    if (!p)
        return NULL;
    p->fd = fd_close(p->fd);
    if (p->pid > 0) {
        struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, p->pid, 0), .events = POLLIN};

        if (end.fd >= 0 && poll(&end, 1, CLOSE_WAIT_MS) == 0)
            (void)kill(p->pid, SIGKILL);
        (void)fd_close(end.fd);
        (void)waitpid(p->pid, NULL, __WCLONE);
    }
    free(p->cgroup);
    free(p);
    return NULL;
}

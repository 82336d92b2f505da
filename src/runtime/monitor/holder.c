/* tare-net, which answers names and relays what the kernel cannot translate. It is started when somebody wants something of it:
 * until then its sockets are held and watched here. Beside a container that lives longer than a moment stands a fork of ours that
 * holds them as well: it becomes tare-net when something comes, or when we were killed. */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "runtime/holder.h"

#define ANSWER_WAIT_MS 100
#define AGAIN_NS       NS_PER_SEC /* between two starts of one that does not stay */
#define FDS_TEXT_MAX   96

static bool has_names(const struct monitor *m) {
    return faccessat(m->l.run_dirfd, HOLDER_NAMES, F_OK, 0) == 0;
}

/* Not with a pasta of the container's own, which has the ports. */
static bool is_wanted(const struct monitor *m) {
    return !m->is_exec && m->phase != PHASE_LINGERING && m->l.holder_program && *m->l.holder_program &&
           (m->l.publishes || m->holder.names[0] >= 0 || has_names(m));
}

/* Of one that we took over from, nothing has come to us: tare-net binds the ports anew. */
static bool holds_ports(const struct monitor *m) {
    return !m->l.publishes || m->holder.n_sockets;
}

/* --- the child ---------------------------------------------------------------------------------------------------------------- */

static int listen_for_monitors(const struct monitor *m) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" HOLDER_SOCKET, m->l.run_dirfd);
    (void)unlinkat(m->l.run_dirfd, HOLDER_SOCKET, 0);
    return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0 ? TAKE_FD(fd) : -1;
}

struct legacy {
    int fds[5]; /* as in HOLDER_FDS */
    int traffic;
    const struct holder *holder;
};

static bool is_left(const struct legacy *l, int fd) {
    for (size_t i = 0; i < ARRAY_SIZE(l->fds); i++)
        if (l->fds[i] == fd)
            return true;
    for (size_t i = 0; i < l->holder->n_sockets; i++)
        if (l->holder->sockets[i] == fd)
            return true;
    return false;
}

/* Only what is left is kept, now and over exec; the epoll until then. Returns the highest. */
static int close_others(const struct legacy *l) {
    int highest = l->traffic;

    for (size_t i = 0; i < ARRAY_SIZE(l->fds); i++)
        highest = MAX_OF(highest, l->fds[i]);
    for (size_t i = 0; i < l->holder->n_sockets; i++)
        highest = MAX_OF(highest, l->holder->sockets[i]);
    for (int fd = HOLDER_FIRST_FD; fd <= highest; fd++)
        if (is_left(l, fd))
            (void)fcntl(fd, F_SETFD, 0);
        else if (fd != l->traffic)
            (void)close(fd);
    (void)syscall(SYS_close_range, highest + 1, ~0U, 0);
    return highest;
}

static _Noreturn void be_child(const struct monitor *m, int control, bool at_once) {
    const struct legacy l = {
        {control, m->pidfd, m->holder.names[0], m->holder.names[1], listen_for_monitors(m)}, m->holder.traffic.fd, &m->holder};
    struct pollfd p[] = {{.fd = control}, {.fd = l.traffic, .events = POLLIN}};
    char run_root[PATH_MAX] = "", link[32], fds[FDS_TEXT_MAX];
    char *const argv[] = {(char[]){HOLDER_PROGRAM},
                          (char[]){HOLDER_ROLE},
                          (char *)(uintptr_t)m->l.cgroup,
                          run_root,
                          (char *)(uintptr_t)m->l.id,
                          fds,
                          NULL};
    char *const envp[] = {NULL};
    sigset_t none;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", m->l.run_root_fd);
    (void)!readlink(link, run_root, sizeof(run_root) - 1);
    (void)snprintf(fds, sizeof(fds), HOLDER_FDS, l.fds[0], l.fds[1], l.fds[2], l.fds[3], l.fds[4], close_others(&l));
    (void)prctl(PR_SET_NAME, "tare-net wait");
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    while (!at_once && poll(p, ARRAY_SIZE(p), -1) < 0 && errno == EINTR)
        ;
    (void)execve(m->l.holder_program, argv, envp);
    _exit(127);
}

static void forget_child(struct monitor *m) {
    loop_remove(m, &m->holder.child);
    m->holder.awake = m->holder.names_elsewhere = false;
}

static void child_ready(struct monitor *m, struct source *s, uint32_t events) {
    char word;

    (void)events;
    if (recv(s->fd, &word, 1, MSG_DONTWAIT) > 0) {
        m->holder.awake |= word == HOLDER_AWAKE; /* else an answer that came too late */
        return;
    }
    forget_child(m);
    m->deadline[DEADLINE_HOLDER] = MAX_OF(clock_monotonic_ns(), m->holder.began_ns + AGAIN_NS);
}

static int watch_child(struct monitor *m, int fd) {
    m->holder.child = (struct source){.fd = fd, .ready = child_ready};
    return loop_add(m, &m->holder.child, EPOLLIN);
}

/* A child watches for itself. */
static void child_start(struct monitor *m, bool at_once) {
    struct holder *h = &m->holder;
    int pair[2] = {-1, -1};
    pid_t pid;

    h->began_ns = clock_monotonic_ns();
    h->awake = false;
    if (h->traffic.fd >= 0 && !h->traffic.resting)
        loop_rest(m, &h->traffic);
    pid = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -1 : fork();
    if (pid == 0)
        be_child(m, pair[1], at_once);
    (void)fd_close(pair[1]);
    if (pid < 0 || watch_child(m, pair[0]) < 0) {
        (void)fd_close(pair[0]);
        h->child.fd = -1;
        m->deadline[DEADLINE_HOLDER] = h->began_ns + AGAIN_NS;
        return;
    }
    h->pid = pid;
    if (m->in_own_cgroup)
        (void)holder_send(pair[0], HOLDER_SETTLED, NULL, 0);
}

bool holder_child_ended(struct monitor *m, pid_t pid) {
    if (pid != m->holder.pid)
        return false;
    m->holder.pid = 0;
    return true;
}

/* When it returns, nothing is held there any more. One that is not our child is asked, and waited for. */
static void dismiss(struct monitor *m) {
    struct holder *h = &m->holder;
    struct pollfd end = {.fd = h->child.fd, .events = POLLIN};
    char word;

    if (h->child.fd < 0)
        return;
    if (h->pid) {
        (void)kill(h->pid, SIGKILL);
        while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        h->pid = 0;
    } else {
        (void)holder_send(h->child.fd, HOLDER_ENDED, NULL, 0);
        (void)shutdown(h->child.fd, SHUT_WR);
        while (poll(&end, 1, ANSWER_WAIT_MS) > 0 && recv(h->child.fd, &word, 1, MSG_DONTWAIT) > 0)
            ;
    }
    forget_child(m);
}

/* --- its sockets -------------------------------------------------------------------------------------------------------------- */

static void traffic_ready(struct monitor *m, struct source *s, uint32_t events) {
    (void)s;
    (void)events;
    child_start(m, true);
}

static int traffic_add(struct monitor *m, int fd) {
    struct source *t = &m->holder.traffic;
    struct epoll_event ev = {.events = EPOLLIN};

    if (t->fd < 0)
        *t = (struct source){.fd = epoll_create1(EPOLL_CLOEXEC), .ready = traffic_ready, .resting = true};
    return epoll_ctl(t->fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int holder_take(struct monitor *m, int *sockets, size_t n, size_t n_watched) {
    int r = 0;

    m->holder.sockets = sockets;
    m->holder.n_sockets = n;
    for (size_t i = 0; r == 0 && i < n && i < n_watched; i++)
        r = traffic_add(m, sockets[i]);
    return r;
}

/* Where they are wanted and not there: the network came while the program ran, or who had them was killed. */
static int open_names(struct monitor *m, struct error *e) {
    const struct holder *h = &m->holder;

    if (h->names[0] >= 0 || h->names_elsewhere || m->phase != PHASE_RUNNING || !has_names(m))
        return 0;
    return names_open(m->state.pid, m->holder.names, e);
}

static void watch_names(struct monitor *m) {
    for (size_t i = 0; i < HOLDER_NAMES_FDS; i++)
        if (m->holder.names[i] >= 0)
            (void)traffic_add(m, m->holder.names[i]);
}

/* A copy in a child would keep them in the epoll. */
static void close_names(struct monitor *m) {
    for (size_t i = 0; i < HOLDER_NAMES_FDS; i++) {
        int *fd = &m->holder.names[i];

        if (*fd >= 0)
            (void)epoll_ctl(m->holder.traffic.fd, EPOLL_CTL_DEL, *fd, NULL);
        *fd = fd_close(*fd);
    }
}

/* --- the container's life ------------------------------------------------------------------------------------------------------
 */

/* Somebody stands by from now on: a fork, or in the first moment of a life just we. */
static void stand_by(struct monitor *m) {
    if (m->in_own_cgroup || !holds_ports(m))
        child_start(m, !holds_ports(m));
    else if (m->holder.traffic.fd >= 0)
        loop_change(m, &m->holder.traffic, EPOLLIN);
}

static void tell_started(struct monitor *m) {
    (void)holder_send(m->holder.child.fd, HOLDER_STARTED, &m->pidfd, 1);
    if (m->holder.names[0] >= 0)
        (void)holder_send(m->holder.child.fd, HOLDER_RESOLVE, m->holder.names, HOLDER_NAMES_FDS);
}

void holder_started(struct monitor *m) {
    if (!is_wanted(m))
        return;
    (void)open_names(m, NULL);
    watch_names(m);
    if (m->holder.child.fd >= 0)
        tell_started(m);
    else
        stand_by(m);
}

/* One whose last monitor was killed waits for us. */
static int connect_to_waiting(const struct monitor *m) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" HOLDER_SOCKET, m->l.run_dirfd);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? TAKE_FD(fd) : -1;
}

void holder_ensure(struct monitor *m) {
    int fd;

    if (!is_wanted(m) || m->holder.child.fd >= 0)
        return;
    fd = connect_to_waiting(m);
    if (fd < 0) {
        (void)open_names(m, NULL);
        watch_names(m);
        stand_by(m);
        return;
    }
    m->holder.awake = true;
    m->holder.names_elsewhere = has_names(m);
    if (watch_child(m, fd) == 0 && m->pidfd >= 0)
        tell_started(m);
}

int holder_names(struct monitor *m, struct error *e) {
    const bool had = m->holder.names[0] >= 0;
    int r = open_names(m, e);

    if (r < 0 || had || m->holder.names[0] < 0)
        return r;
    watch_names(m);
    if (!m->holder.awake)
        dismiss(m);
    if (m->holder.child.fd >= 0)
        tell_started(m);
    else
        stand_by(m);
    return 0;
}

void holder_settled(struct monitor *m) {
    if (m->holder.child.fd >= 0)
        (void)holder_send(m->holder.child.fd, HOLDER_SETTLED, NULL, 0);
    else if (is_wanted(m))
        stand_by(m);
}

/* Nobody depends on one that waits. */
static bool is_awake(struct monitor *m) {
    char word;

    while (!m->holder.awake && recv(m->holder.child.fd, &word, 1, MSG_DONTWAIT) > 0)
        m->holder.awake = word == HOLDER_AWAKE;
    return m->holder.awake;
}

void holder_ended(struct monitor *m) {
    struct pollfd answer = {.fd = m->holder.child.fd, .events = POLLIN};
    const bool holds_namespace = m->holder.names[0] >= 0 || m->holder.names_elsewhere;
    char word;

    close_names(m);
    if (m->holder.child.fd < 0)
        return;
    if (!is_awake(m)) {
        dismiss(m);
        return;
    }
    m->holder.names_elsewhere = false;
    if (holder_send(m->holder.child.fd, HOLDER_ENDED, NULL, 0) == 0 && holds_namespace && poll(&answer, 1, ANSWER_WAIT_MS) > 0)
        (void)recv(m->holder.child.fd, &word, 1, MSG_DONTWAIT);
}

void holder_renew(struct monitor *m) {
    if (!is_wanted(m))
        return;
    dismiss(m);
    (void)open_names(m, NULL); /* a tare-net that was taken over had them */
    watch_names(m);
    child_start(m, true);
}

/* The tare-net that keeps a pasta ends when it is let go of, and pasta with it. */
static void release_pasta(struct monitor *m) {
    struct pollfd end = {.fd = m->l.holder_fd, .events = POLLIN};

    if (m->l.holder_fd < 0)
        return;
    (void)shutdown(m->l.holder_fd, SHUT_WR);
    (void)poll(&end, 1, ANSWER_WAIT_MS);
    m->l.holder_fd = fd_close(m->l.holder_fd);
}

void holder_release(struct monitor *m) {
    struct holder *h = &m->holder;

    m->deadline[DEADLINE_HOLDER] = 0;
    close_names(m);
    dismiss(m);
    loop_remove(m, &h->traffic);
    for (size_t i = 0; i < h->n_sockets; i++)
        (void)fd_close(h->sockets[i]);
    free(h->sockets);
    h->sockets = NULL;
    h->n_sockets = 0;
    release_pasta(m);
    (void)unlinkat(m->l.run_dirfd, HOLDER_SOCKET, 0);
}

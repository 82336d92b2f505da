/* tare-net, which holds the container's ports and answers names: told what happens, and started again when it was killed. */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/self.h"
#include "runtime/holder.h"

#define ANSWER_WAIT_MS 100
#define AGAIN_NS       NS_PER_SEC /* between two starts of one that does not stay */

static bool has_names(const struct monitor *m) {
    return faccessat(m->l.run_dirfd, HOLDER_NAMES, F_OK, 0) == 0;
}

static void holder_ready(struct monitor *m, struct source *s, uint32_t events) {
    char byte;

    (void)events;
    if (recv(s->fd, &byte, 1, MSG_DONTWAIT) > 0)
        return; /* an answer that came too late */
    loop_remove(m, s);
    m->deadline[DEADLINE_HOLDER] = MAX_OF(clock_monotonic_ns(), m->holder_began_ns + AGAIN_NS);
}

static int watch(struct monitor *m, int fd) {
    m->holder = (struct source){.fd = fd, .ready = holder_ready};
    m->holder_began_ns = clock_monotonic_ns();
    return loop_add(m, &m->holder, EPOLLIN);
}

void holder_take(struct monitor *m) {
    int fd = TAKE_FD(m->l.holder_fd);

    if (fd >= 0)
        (void)watch(m, fd);
}

/* One whose last monitor was killed waits for us. */
static int connect_to_waiting(const struct monitor *m) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" HOLDER_SOCKET, m->l.run_dirfd);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? TAKE_FD(fd) : -1;
}

static int start_again(const struct monitor *m) {
    _cleanup_fd_ int program = open(m->l.holder_program, O_PATH | O_CLOEXEC), ours = -1, theirs = -1;
    char run_root[PATH_MAX], link[32];
    char *const argv[] = {(char[]){HOLDER_PROGRAM},
                          (char[]){HOLDER_ROLE},
                          (char *)(uintptr_t)m->l.cgroup,
                          run_root,
                          (char *)(uintptr_t)m->l.id,
                          (char[]){HOLDER_AGAIN},
                          NULL};
    int pair[2];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", m->l.run_root_fd);
    n = readlink(link, run_root, sizeof(run_root) - 1);
    if (program < 0 || n < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    run_root[n] = '\0';
    ours = pair[0];
    theirs = pair[1];
    return self_start(program, argv, &theirs, 1, -1, NULL) < 0 ? -ECHILD : TAKE_FD(ours);
}

void holder_ensure(struct monitor *m) {
    int fd;

    if (m->is_exec || m->holder.fd >= 0 || m->phase == PHASE_LINGERING || !m->l.holder_program || !*m->l.holder_program ||
        (!m->l.publishes && !has_names(m)))
        return;
    fd = connect_to_waiting(m);
    if (fd < 0) {
        fd = start_again(m);
        m->names_open = false;
    } else {
        m->names_open = has_names(m);
    }
    if (fd < 0 || watch(m, fd) < 0)
        return;
    if (m->phase == PHASE_RUNNING && m->pidfd >= 0)
        holder_started(m);
}

void holder_started(struct monitor *m) {
    if (m->holder.fd < 0)
        return;
    (void)holder_send(m->holder.fd, HOLDER_STARTED, &m->pidfd, 1);
    (void)holder_names(m, NULL);
}

int holder_names(struct monitor *m, struct error *e) {
    int r;

    holder_ensure(m);
    if (m->holder.fd < 0 || m->names_open || !has_names(m))
        return 0;
    r = holder_open_names(m->holder.fd, m->state.pid, e);
    m->names_open = r == 0;
    return r;
}

void holder_settled(struct monitor *m) {
    if (m->holder.fd >= 0)
        (void)holder_send(m->holder.fd, HOLDER_SETTLED, NULL, 0);
}

void holder_ended(struct monitor *m) {
    struct pollfd answer = {.fd = m->holder.fd, .events = POLLIN};
    const bool holds_namespace = m->names_open;
    char byte;

    m->names_open = false;
    if (m->holder.fd < 0 || holder_send(m->holder.fd, HOLDER_ENDED, NULL, 0) < 0 || !holds_namespace)
        return;
    if (poll(&answer, 1, ANSWER_WAIT_MS) > 0)
        (void)recv(m->holder.fd, &byte, 1, MSG_DONTWAIT);
}

void holder_release(struct monitor *m) {
    struct pollfd end = {.fd = m->holder.fd, .events = POLLIN};
    char byte;

    m->deadline[DEADLINE_HOLDER] = 0;
    if (m->holder.fd < 0) /* a start that failed before it was ours */
        end.fd = m->holder.fd = TAKE_FD(m->l.holder_fd);
    if (m->holder.fd < 0)
        return;
    (void)holder_send(m->holder.fd, HOLDER_ENDED, NULL, 0);
    (void)shutdown(m->holder.fd, SHUT_WR);
    while (poll(&end, 1, ANSWER_WAIT_MS) > 0 && recv(m->holder.fd, &byte, 1, MSG_DONTWAIT) > 0)
        ;
    loop_remove(m, &m->holder);
    (void)unlinkat(m->l.run_dirfd, HOLDER_SOCKET, 0);
}

#include "image/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd_message.h"
#include "base/self.h"
#include "model/signal_name.h"

#define PROGRAM "tare-unpack"
#define HIGH_FD 16 /* above all that a worker is given by number */

static int program_fd(struct error *e) {
    static int fd = -1;

    _cleanup_fd_ int low = -1;

    if (fd >= 0)
        return fd;
    low = self_open_program(PROGRAM, e);
    if (low < 0)
        return low;
    fd = fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
    return fd < 0 ? error_errno(e, -errno, "open %s", PROGRAM) : fd;
}

/* In the child: puts the descriptors where the protocol wants them. First everything up, then down, so that none overwrites another
 * that is still to be moved. */
static void place_fds(int *fds, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0) {
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
            if (fds[i] < 0)
                _exit(127);
        }
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0 && dup2(fds[i], (int)i) < 0)
            _exit(127);
}

_Noreturn static void become_worker(int program, const char *role, int *fds, size_t n) {
    static char *const environment[] = {NULL};
    char *const argv[] = {(char *)(uintptr_t)PROGRAM, (char *)(uintptr_t)role, NULL};
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a worker whose peer died says so */
    place_fds(fds, n);
    (void)syscall(SYS_execveat, program, "", argv, environment, AT_EMPTY_PATH);
    _exit(127);
}

int worker_start(struct worker *w, const char *role, const struct worker_request *request, int in, int out, int target, int layers,
                 struct error *e) {
    int pair[2], program = program_fd(e);
    _cleanup_fd_ int null = -1, mine = -1, theirs = -1;
    pid_t pid;

    if (program < 0)
        return program;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "start %s %s", PROGRAM, role);
    mine = pair[0];
    theirs = pair[1];
    if (send(mine, request, sizeof(*request), MSG_NOSIGNAL) != sizeof(*request))
        return error_errno(e, -errno, "start %s %s", PROGRAM, role);
    pid = fork();
    if (pid < 0)
        return error_errno(e, -errno, "start %s %s", PROGRAM, role);
    if (pid == 0) {
        int fds[] = {in >= 0 ? in : null, out >= 0 ? out : null, STDERR_FILENO, theirs, target, layers};

        become_worker(program, role, fds, ARRAY_SIZE(fds));
    }
    *w = (struct worker){.pid = pid, .socket = TAKE_FD(mine)};
    return 0;
}

static void reap(struct worker *w) {
    int status = 0;

    if (w->pid <= 0)
        return;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    w->socket = fd_close(w->socket);
    if (w->done)
        return;
    w->done = true;
    w->message.kind = WORKER_DONE;
    w->message.status = -ECHILD;
    if (WIFSIGNALED(status))
        (void)snprintf(w->message.text, sizeof(w->message.text), "the worker was killed by signal %d (%s)%s", WTERMSIG(status),
                       signal_name(WTERMSIG(status)) ? signal_name(WTERMSIG(status)) : "?",
                       WTERMSIG(status) == SIGSYS ? ": it tried a system call that it may not make" : "");
    else
        (void)snprintf(w->message.text, sizeof(w->message.text), "the worker ended with status %d%s", WEXITSTATUS(status),
                       WEXITSTATUS(status) == 127 ? ": it could not be executed" : "");
}

enum worker_event worker_receive(struct worker *w) {
    struct worker_message m;
    ssize_t n;

    do
        n = recv(w->socket, &m, sizeof(m), MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n == sizeof(m) && m.kind == WORKER_PROGRESS) {
        w->message.in_bytes = m.in_bytes;
        return WORKER_EVENT_PROGRESS;
    }
    if (n == sizeof(m) && m.kind == WORKER_NEED_LOWERS)
        return WORKER_EVENT_NEED_LOWERS;
    if (n == sizeof(m)) {
        w->message = m;
        w->message.text[sizeof(m.text) - 1] = '\0';
        w->done = true;
    }
    reap(w);
    return WORKER_EVENT_DONE;
}

int worker_send_lowers(struct worker *w, const int *fds, size_t n, struct error *e) {
    FD_ROOM(WORKER_LOWERS_MAX) room = {0};
    char byte = 'l';
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n > WORKER_LOWERS_MAX)
        return error_set(e, -E2BIG, "more than %d layers", WORKER_LOWERS_MAX);
    fd_message_put(&m, &room, fds, n);
    if (sendmsg(w->socket, &m, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        return error_errno(e, -errno, "show the lower layers to the worker");
    return 0;
}

void worker_stop(struct worker *w) {
    if (w->pid > 0)
        (void)kill(w->pid, SIGKILL);
    reap(w);
    w->socket = fd_close(w->socket);
}

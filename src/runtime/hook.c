#include "runtime/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"

#define OUTPUT_MAX 1024 /* bytes of a hook's output that an error tells */

struct running {
    pid_t pid;
    int pidfd;
    int output; /* what it writes; -1 after its end */
    char text[OUTPUT_MAX + 1];
    size_t size;
};

/* A file rather than a pipe: a hook that reads nothing never blocks anybody, whatever the state's size. */
static int state_file(const char *state, size_t size, struct error *e) {
    _cleanup_fd_ int fd = memfd_create("state", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : fs_write_all(fd, state, size);

    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(e, r < 0 ? r : -errno, "hand the state to a hook");
    return TAKE_FD(fd);
}

static _Noreturn void become_hook(const struct hook *h, int input, int output) {
    sigset_t none;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (h->dir && fchdir(*h->dir) < 0)
        _exit(EXIT_NOT_FOUND);
    (void)setsid(); /* so that a time-out reaches its children, too */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0 &&
        syscall(SYS_close_range, 3U, ~0U, 0) == 0)
        (void)execve(h->path, h->argv, h->envp);
    dprintf(STDERR_FILENO, "%s", errno_text(errno));
    _exit(EXIT_NOT_FOUND);
}

static int hook_start(const struct hook *h, const char *state, size_t size, struct running *p, struct error *e) {
    _cleanup_fd_ int input = state_file(state, size, e), ours = -1, theirs = -1;
    int pair[2];

    if (input < 0)
        return input;
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    ours = pair[0];
    theirs = pair[1];
    (void)fcntl(ours, F_SETFL, O_NONBLOCK);
    p->pid = fork();
    if (p->pid == 0)
        become_hook(h, input, theirs);
    if (p->pid < 0)
        return error_errno(e, -errno, "start hook %s", h->path);
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd < 0) {
        int r = -errno;

        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
        return error_errno(e, r, "watch hook %s", h->path);
    }
    p->output = TAKE_FD(ours);
    return 0;
}

/* Keeps the beginning, drops the rest. */
static void take_output(struct running *p) {
    char rest[4096];

    for (;;) {
        bool room = p->size < OUTPUT_MAX;
        ssize_t n = read(p->output, room ? p->text + p->size : rest, room ? OUTPUT_MAX - p->size : sizeof(rest));

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            p->output = fd_close(p->output);
        if (n <= 0)
            return;
        if (room)
            p->size += (size_t)n;
    }
}

/* Till the process itself is gone: a child of it may hold the pipe as long as it likes. */
static int hook_wait(struct running *p, int64_t timeout_s) {
    const int64_t end = timeout_s > 0 && timeout_s < INT32_MAX ? clock_monotonic_ns() + timeout_s * 1000000000 : 0;

    for (;;) {
        struct pollfd fds[] = {{.fd = p->pidfd, .events = POLLIN}, {.fd = p->output, .events = POLLIN}};
        int64_t left = end ? (end - clock_monotonic_ns()) / 1000000 : -1;
        int n;

        if (end && left <= 0)
            return -ETIMEDOUT;
        n = poll(fds, ARRAY_SIZE(fds), (int)(left > 60000 ? 60000 : left));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && p->output >= 0 && fds[1].revents)
            take_output(p);
        if (n > 0 && fds[0].revents)
            return 0;
    }
}

static int hook_result(const struct hook *h, struct running *p, int status, struct error *e) {
    while (p->size > 0 && (unsigned char)p->text[p->size - 1] <= ' ')
        p->size--;
    p->text[p->size] = '\0';
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (h->ours && WIFEXITED(status) && p->size)
        return error_set(e, -ECANCELED, "%s", p->text);
    if (WIFSIGNALED(status))
        return error_set(e, -ECANCELED, "hook %s was killed by signal %d%s%s", h->path, WTERMSIG(status), p->size ? ": " : "",
                         p->text);
    return error_set(e, -ECANCELED, "hook %s ended with status %d%s%s", h->path, WEXITSTATUS(status), p->size ? ": " : "", p->text);
}

int hook_run(const struct hook *h, const char *state, size_t size, struct error *e) {
    struct running p = {.pidfd = -1, .output = -1};
    int status = 0;
    int r = hook_start(h, state, size, &p, e);

    if (r < 0)
        return r;
    r = hook_wait(&p, h->timeout_s);
    if (r < 0 && kill(-p.pid, SIGKILL) < 0) /* it may not have got to its own session yet */
        (void)kill(p.pid, SIGKILL);
    while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (r == 0 && p.output >= 0)
        take_output(&p);
    fd_close(p.pidfd);
    fd_close(p.output);
    if (r == -ETIMEDOUT)
        return error_set(e, r, "hook %s was not done after %lld s, and was killed", h->path, (long long)h->timeout_s);
    return r < 0 ? error_errno(e, r, "wait for hook %s", h->path) : hook_result(h, &p, status, e);
}

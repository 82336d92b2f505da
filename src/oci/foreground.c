/* run and exec in the foreground: until the process ends, our signals are its signals, and where it has a terminal of its own, our
 * streams are that terminal. */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "oci/oci.h"

/* ---- Our terminal ---- */

static void resize(const struct oci_foreground *f) {
    struct winsize size;

    if (f->console >= 0 && f->host >= 0 && ioctl(f->host, TIOCGWINSZ, &size) == 0)
        (void)ioctl(f->console, TIOCSWINSZ, &size);
}

/* Each key goes on as it is typed. What is printed becomes lines here, not there: a file that it is redirected to gets plain ones.
 */
static void take_terminal(struct oci_foreground *f) {
    struct termios t;

    if (f->console < 0)
        return;
    if (tcgetattr(f->console, &t) == 0) {
        t.c_oflag &= ~(tcflag_t)ONLCR;
        (void)tcsetattr(f->console, TCSANOW, &t);
    }
    for (int fd = STDERR_FILENO; fd >= STDIN_FILENO && f->host < 0; fd--)
        if (tcgetattr(fd, &f->saved) == 0)
            f->host = fd;
    if (f->host < 0)
        return;
    t = f->saved;
    cfmakeraw(&t);
    t.c_oflag |= OPOST;
    (void)tcsetattr(f->host, TCSADRAIN, &t);
    resize(f);
}

/* ---- Copying ---- */

static void copy_in(struct oci_foreground *f) {
    char typed[PIPE_BUF];
    ssize_t n = read(STDIN_FILENO, typed, sizeof(typed));

    if (n <= 0 && !(n < 0 && (errno == EINTR || errno == EAGAIN)))
        f->in_open = false;
    if (n > 0)
        (void)fs_write_all(f->console, typed, (size_t)n);
}

/* A page at a time, and only when it is taken: signals get through while our reader does not read. */
static bool copy_out(struct oci_foreground *f) {
    char page[PIPE_BUF];
    ssize_t n = read(f->console, page, sizeof(page));

    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0 || fs_write_all(STDOUT_FILENO, page, (size_t)n) < 0) { /* EIO: nobody holds the other side */
        f->console = -1;
        return false;
    }
    return true;
}

static void copy_rest(struct oci_foreground *f) {
    struct pollfd p = {.fd = f->console, .events = POLLIN};

    while (f->console >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLIN && copy_out(f))
        ;
}

static int poll_all(struct oci_foreground *f) {
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    struct pollfd p[] = {
        {.fd = f->signals, .events = POLLIN},
        {.fd = f->console, .events = POLLIN},
        {.fd = f->in_open && f->console >= 0 ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = f->notify, .events = POLLIN},
    };

    if (poll(p, ARRAY_SIZE(p), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (p[1].revents && poll(&out, 1, 0) == 0) { /* wait for our reader, or for a signal */
        p[1] = out;
        p[1].revents = 0;
        (void)poll(p, 2, -1);
    } else if (p[1].revents) {
        (void)copy_out(f);
    }
    if (p[2].revents && f->console >= 0)
        copy_in(f);
    if (p[3].revents && oci_notify_pass(f->call, f->notify, 0))
        f->notify = fd_close(f->notify);
    return p[0].revents != 0;
}

/* ---- Signals ---- */

static void hand_on(struct oci_foreground *f) {
    struct signalfd_siginfo s;

    while (read(f->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
        if (s.ssi_signo == SIGWINCH && f->host >= 0)
            resize(f);
        else if (s.ssi_signo != SIGCHLD && s.ssi_signo != SIGPIPE && s.ssi_signo != SIGTTOU)
            (void)kill(f->pid, (int)s.ssi_signo); /* ours until it is reaped: the number is not another's */
    }
}

/* Everybody's end is taken note of, as of children of the container that became ours. */
static bool has_ended(const struct oci_foreground *f, int *ret_status) {
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, f->signals < 0 ? 0 : WNOHANG)) > 0)
        if (pid == f->pid) {
            *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            return true;
        }
    *ret_status = EXIT_ENGINE;
    return pid < 0 && errno == ECHILD;
}

void oci_foreground_begin(struct oci_foreground *f, const struct oci_call *call, int console_fd) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT}; /* of our own */
    sigset_t all;

    *f = (struct oci_foreground){.call = call, .console = console_fd, .host = -1, .in_open = true, .notify = f->notify};
    sigfillset(&all);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        sigdelset(&all, faults[i]);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    f->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    take_terminal(f);
}

int oci_foreground_wait(struct oci_foreground *f, int pid) {
    int status;

    f->pid = pid;
    while (!has_ended(f, &status) && poll_all(f) >= 0)
        hand_on(f);
    copy_rest(f);
    return status;
}

void oci_foreground_end(struct oci_foreground *f) {
    if (f->host >= 0) /* SIGTTOU is among what we block: from the background, too */
        (void)tcsetattr(f->host, TCSADRAIN, &f->saved);
    f->host = -1;
    f->signals = fd_close(f->signals);
    f->notify = fd_close(f->notify);
}

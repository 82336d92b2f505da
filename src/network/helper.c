#include "network/helper.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/self.h"

#define ABOVE 32 /* while descriptors are put in order */

/* Shares the caller's memory until it has exec'ed: touches nothing but its own descriptors. */
static void become(int program, char *const argv[], const int *fds, size_t n, int netns_fd) {
    char *const envp[] = {NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[HELPER_FDS_MAX];
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
        _exit(127);
    program = fcntl(program, F_DUPFD_CLOEXEC, ABOVE);
    null = fcntl(null, F_DUPFD_CLOEXEC, ABOVE);
    if (program < 0 || null < 0 || chdir("/") < 0)
        _exit(127);
    for (size_t i = 0; i < n; i++) {
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ABOVE);
        if (high[i] < 0)
            _exit(127);
    }
    for (int fd = 0; fd < HELPER_FIRST_FD; fd++)
        (void)dup2(null, fd);
    for (size_t i = 0; i < n; i++)
        (void)dup2(high[i], HELPER_FIRST_FD + (int)i);
    (void)syscall(SYS_close_range, HELPER_FIRST_FD + n, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    _exit(127);
}

static __attribute__((noinline)) pid_t start(int program, char *const argv[], const int *fds, size_t n, int netns_fd) {
    pid_t pid = vfork();

    if (pid == 0)
        become(program, argv, fds, n, netns_fd);
    return pid;
}

pid_t helper_start(char *const argv[], const int *fds, size_t n, int netns_fd, struct error *e) {
    _cleanup_fd_ int program = self_open_program(HELPER_PROGRAM, e);
    pid_t pid;

    if (program < 0)
        return program;
    if (n > HELPER_FDS_MAX)
        return error_set(e, -E2BIG, "too many descriptors for %s", HELPER_PROGRAM);
    pid = start(program, argv, fds, n, netns_fd);
    return pid < 0 ? error_errno(e, -errno, "start %s", HELPER_PROGRAM) : pid;
}

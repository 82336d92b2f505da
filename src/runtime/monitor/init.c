/* The built-in init (--init): PID 1 of the container, whose only child at first is the program. It hands on the signals that it
 * gets, reaps whatever loses its parent, and ends as the program does; without one (a pod's, which keeps its namespaces) when it is
 * asked to. */
#include "runtime/monitor/monitor.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static _Noreturn void end_like(int status) {
    /* PID 1 cannot be killed by its own signal: 128 + n, as a shell would say it. */
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void reap(pid_t program) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid == 0 || (pid < 0 && errno != EINTR))
            return;
        if (pid == program)
            end_like(status);
    }
}

void init_run(pid_t program) {
    sigset_t all;

    (void)prctl(PR_SET_NAME, "tare-init");
    arguments_replace("tare-init");
    (void)prctl(PR_SET_PDEATHSIG, 0); /* PID 1 outlives its monitor, as without init */
    memset(&all, 0xff, sizeof(all));  /* sigfillset() leaves out what a C library takes for itself: here, all is the program's */
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    /* There is no exec that would close what the monitor had open: directories of the host, its sockets. The program waits for it.
     */
    (void)syscall(SYS_close_range, 3, ~0U, 0);
    reap(program);
    for (;;) {
        int signo = sigwaitinfo(&all, NULL);

        if (signo == SIGCHLD)
            reap(program);
        else if (program == 0 && (signo == SIGTERM || signo == SIGINT))
            _exit(0);
        /* The terminal tells the whole foreground group by itself; stops are for the program, never for us. */
        else if (signo > 0 && program > 0)
            (void)kill(program, signo);
    }
}

/* Carries a plan out: makes the container (or joins it) and starts its process. Runs in the container's monitor: single-threaded,
 * root of the host or of the user's own namespace. Nothing is undone here on failure but the child, which is killed and reaped;
 * what stands on the host is in the journal. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "model/holder.h"
#include "runtime/plan.h"

struct executor_io {
    int in; /* the child's 0, 1, 2; kept by the caller. -1 for all three with a terminal */
    int out;
    int err;
    bool terminal;       /* make a pty in the container's devpts; the master comes back as console_fd */
    unsigned short rows; /* of the window, set before the program starts; 0 = unknown */
    unsigned short columns;
    int preserve_fds; /* descriptors from 3 on that the program inherits (--preserve-fds) */
    int explain_fd;   /* each step is told there as it happens; -1 = quiet */
    /* With a plan that has an init: runs as PID 1, in the child, with the program as its child `program` (0: there is none); ends
     * by _exit(). */
    void (*init_run)(pid_t program);
    /* Return when everything but the execve is done. The child dies with us until executor_release(); then it depends on nobody and
     * waits at start_fd, a listening SOCK_SEQPACKET socket, until another process calls executor_start(). */
    bool hold;
    int start_fd;
};
#define EXECUTOR_IO_INIT                                                                                                           \
    { .in = -1, .out = -1, .err = -1, .explain_fd = -1, .start_fd = -1 }

struct execution {
    pid_t pid;                   /* of the container's first process, a child of the caller */
    int pidfd;                   /* owned */
    int console_fd;              /* the terminal's master; owned; -1 without one */
    int hold_fd;                 /* owned; with `hold` only */
    int names[HOLDER_NAMES_FDS]; /* owned; sockets of the resolver (runtime/holder.h); -1 = none */
    pid_t joined;                /* executor_exec() with a pid namespace: 0 = pid is the process itself */
};
#define EXECUTION_INIT                                                                                                             \
    {                                                                                                                              \
        .pidfd = -1, .console_fd = -1, .hold_fd = -1, .names = { -1, -1 }                                                          \
    }
#define _cleanup_execution_ _cleanup_(execution_release)
void execution_release(struct execution *x); /* closes; kills nothing */

/* Returns once the program runs (its execve succeeded). On failure error.status is 126 or 127 where it was the command's fault, and
 * the child is dead and reaped. */
int executor_run(const struct plan *plan, const struct executor_io *io, struct execution *ret, struct error *e);
/* The same in a running container whose first process is pidfd; the plan is of plan_build_exec(). */
int executor_exec(const struct plan *plan, int pidfd, const struct executor_io *io, struct execution *ret, struct error *e);
/* After executor_run() with `hold`. Waits for nothing: the child will not miss it. */
int executor_release(struct execution *x, struct error *e);
/* Lets a child start that waits on a start_fd; connected_fd is a connection to that socket. Returns once the program runs; the
 * child's errors are as of executor_run(). */
int executor_start(int connected_fd, struct error *e);

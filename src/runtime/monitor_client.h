/* The client side of tare-monitor: starting one, talking to one, and the loop in the foreground of run, start -a, attach and exec.
 *
 * A monitor is the parent of PID 1 of one container: it holds terminal and pipes, writes the log, and alone writes the state. It is
 * reached by the unix socket `sock` in the container's run directory (frames: runtime/frame.h). stop, kill, exec, logs and rm never
 * need it: they fall back on state, pidfd and cgroup when it was killed. */
#pragma once

#include "runtime/launch.h"
#include "runtime/state.h"

/* Is fd a pipe or socket, whose reader may go away? Then the container must see that (EPIPE), as in any pipeline: `run … | head`.
 */
bool monitor_stream_breaks(int fd);
/* tare-monitor, for execveat(2), by a descriptor through which what runs it cannot write to it. */
int monitor_open_program(struct error *e);
/* For a process that outlives upgrades: monitor_open_program() gives what is there now from now on. */
int monitor_keep_program(struct error *e);

/* A connection to a monitor or to an exec worker. */
struct monitor_conn {
    int fd;       /* owned; -1 = none */
    pid_t pid;    /* host pid of PID 1 (of the exec'ed process), once started */
    bool primary; /* the one that started it: its back-pressure counts, and its end ends the input */
};
#define MONITOR_CONN_INIT                                                                                                          \
    { .fd = -1 }
#define _cleanup_monitor_conn_ _cleanup_(monitor_conn_release)
void monitor_conn_release(struct monitor_conn *c);

/* Starts a monitor and through it the container. Returns when PID 1 has exec'ed (ret->pid), or with the error of the step that
 * failed (error.status 125, 126, 127); then nothing of the start is left: the run journal has been undone, and with auto_remove the
 * container too. With `attached` ret->fd is the foreground connection for monitor_foreground(); otherwise it is closed (-1). */
int monitor_start(const struct monitor_launch *l, struct monitor_conn *ret, struct error *e);

/* Starts a monitor for a container whose monitor was killed. Where PID 1 lives, it takes over streams, log, policy and health
 * checks; where it does not, the end is recorded (as unknown where nobody can tell), everything is undone, and the policy decides
 * whether it starts again. Returns when that is done. -EALREADY: it has a monitor. -ENOENT: it was killed in its first moments,
 * before the launch description was on file: then only the journals can be undone. restart: the policy (RESTART_…) that holds now.
 */
int monitor_adopt(int container_dirfd, int run_dirfd, int root_fd, int run_root_fd, uint32_t restart, uint32_t restart_max,
                  struct error *e);

/* A command joins a running container, through a worker. */
int monitor_exec(const struct monitor_exec *x, struct monitor_conn *ret, struct error *e);

/* Connects to the container's monitor. -ECONNREFUSED or -ENOENT: there is none (see state_read()). */
int monitor_connect(int run_dirfd, struct monitor_conn *ret, struct error *e);

struct attach_options {
    bool in, out, err;
    uint32_t rows, cols; /* 0 = leave */
};
/* Makes the connection carry the container's streams from now on. */
int monitor_attach(struct monitor_conn *c, const struct attach_options *o, struct error *e);

struct foreground_options {
    bool tty;                /* the container has a terminal: raw mode (if ours is one), resize */
    bool in, out, err;       /* streams to carry */
    bool sig_proxy;          /* signals that come here go to the container */
    const char *detach_keys; /* "ctrl-p,ctrl-q" when NULL; "" = none */
    int stdin_fd, stdout_fd, stderr_fd;
};
#define FOREGROUND_INIT                                                                                                            \
    { .in = true, .out = true, .err = true, .sig_proxy = true, .stdin_fd = 0, .stdout_fd = 1, .stderr_fd = 2 }
struct foreground_result {
    bool detached;   /* the user typed the detach keys: the container goes on */
    bool lost;       /* the monitor vanished: the status is unknown (exit_code 125) */
    int exit_code;   /* 0..255 */
    bool oom_killed; /* for a hint */
};
/* Carries streams until the container ends, the user detaches, or the monitor vanishes. The terminal is as it was on return. */
int monitor_foreground(struct monitor_conn *c, const struct foreground_options *o, struct foreground_result *ret, struct error *e);

/* One request each, over a fresh connection from monitor_connect(). -ECONNRESET when the monitor goes away meanwhile. */
int monitor_signal(struct monitor_conn *c, int signo, struct error *e);
int monitor_resize(struct monitor_conn *c, uint32_t rows, uint32_t cols, struct error *e);
/* Stop signal (0 = the container's), then SIGKILL after timeout_s (-1 = never, INT32_MIN = the container's). Returns when it ended.
 */
int monitor_stop(struct monitor_conn *c, int signo, int timeout_s, struct error *e);
/* Like stop, then starts it again from the same plan, whatever the policy. Returns when it runs again. */
int monitor_restart(struct monitor_conn *c, int signo, int timeout_s, struct error *e);
int monitor_pause(struct monitor_conn *c, bool pause, struct error *e);
/* Opens the resolver, where the file HOLDER_NAMES has come since the start. */
int monitor_names(struct monitor_conn *c, struct error *e);
/* From its answer on the file LAUNCH_FILE alone says how the container is started again; a start that was under way is over. */
int monitor_make_settled(struct monitor_conn *c, struct error *e);
/* Starts tare-net anew, which then relays by the records of the ports as they are now. */
int monitor_ports(struct monitor_conn *c, struct error *e);
/* The name and the events' attributes are those of the file LAUNCH_FILE from now on. */
int monitor_name(struct monitor_conn *c, struct error *e);
enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
int monitor_wait(struct monitor_conn *c, enum wait_condition until, int *ret_exit_code, struct error *e);
int monitor_update_restart(struct monitor_conn *c, enum restart_policy policy, uint32_t max, struct error *e);

/* Size of the terminal that fd is; -ENOTTY. */
int terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_cols);
/* Is `spec` a detach key sequence ("ctrl-p,ctrl-q", "a,b", "ctrl-@")? -EINVAL. */
int detach_keys_check(const char *spec, struct error *e);

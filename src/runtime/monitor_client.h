/* The client side of tare-monitor: starting one, talking to one, and the loop in the foreground of run, start -a, attach and exec.
 *
 * A monitor is the parent of PID 1 of one container: it holds terminal and pipes, writes the log, and alone writes the state. It is
 * reached by the unix socket `sock` in the container's run directory (frames: runtime/frame.h). stop, kill, exec, logs and rm never
 * need it: they fall back on state, pidfd and cgroup when it was killed. */
#pragma once

#include "base/error.h"
#include "runtime/state.h"

enum restart_policy { RESTART_NO, RESTART_ALWAYS, RESTART_UNLESS_STOPPED, RESTART_ON_FAILURE };
enum log_driver { LOG_JSON_FILE, LOG_LOCAL, LOG_NONE, LOG_JOURNALD, LOG_SYSLOG };
enum health_action { HEALTH_DO_NOTHING, HEALTH_DO_KILL, HEALTH_DO_RESTART, HEALTH_DO_STOP };

enum syslog_format { SYSLOG_UNIX, SYSLOG_RFC3164, SYSLOG_RFC5424, SYSLOG_RFC5424_MICRO };

struct monitor_log_options {
    uint32_t driver;        /* enum log_driver */
    uint64_t size_max;      /* bytes a file; 0 = 10 MB */
    uint32_t files_max;     /* 0 = 3 */
    const char *compressor; /* path of the program that makes gzip files of those that were turned over; NULL = they stay */
    bool no_file;           /* journald, syslog: without the file that `logs` reads */
    bool non_blocking;      /* records that find the buffer full are lost; else the container waits */
    uint64_t buffer_size;
    const char *attrs;  /* JSON object put into each json-file record as "attrs"; NULL = none */
    const char *tag;    /* syslog: what the record is called */
    const void *fields; /* journald: what is the same in every record, in the journal's native protocol */
    size_t fields_size;
    const char *address; /* syslog: unix://PATH, unixgram://PATH, udp://NUMBER PORT, tcp://NUMBER PORT; NULL = the host's own */
    uint32_t facility;   /* syslog: 0..23 */
    uint32_t format;     /* syslog: enum syslog_format */
};

struct monitor_health {
    const void *plan; /* encoded plan of the check (plan_encode of an exec plan); NULL = no health check */
    size_t plan_size;
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0 = Docker's 30 s, 30 s, 0, 5 s */
    uint32_t retries;                                                    /* 0 = 3 */
    uint32_t action;                                                     /* enum health_action */
};

/* What a monitor is told at its start. Plain data; everything is borrowed for the call. */
struct monitor_launch {
    const char *id;   /* full id */
    const char *name; /* for messages and events */
    const void *plan; /* from plan_encode() */
    size_t plan_size;
    bool tty;                                        /* -t: the plan makes a pty; its master comes back from the executor */
    bool open_stdin;                                 /* -i: stdin is a FIFO, else /dev/null */
    bool stdin_once;                                 /* close stdin for good when the first attached client ends (run -i) */
    bool attached;                                   /* this process goes on as the foreground client over the same connection */
    bool attach_stdin, attach_stdout, attach_stderr; /* which streams the foreground client carries */
    bool break_stdout, break_stderr;                 /* attached, and monitor_stream_breaks() says so of our own stdout, stderr */
    bool auto_remove;       /* --rm: undo the container's own journal (name, directory → trash) before the exit status is told */
    uint32_t rows, cols;    /* -t: initial size; 0 = unknown */
    uint32_t restart;       /* enum restart_policy */
    uint32_t restart_max;   /* on-failure:n; 0 = no limit */
    uint32_t restart_count; /* so far (a restart by the engine keeps the number) */
    uint32_t stop_signal;   /* 0 = SIGTERM */
    int32_t stop_timeout_s; /* -1 = for ever; default 10 is the caller's to set */
    struct monitor_log_options log;
    struct monitor_health health;
    const char *cgroup;           /* path below the hierarchies' roots, "/tare/<id>": for kill, pause and OOM; NULL = none */
    const char *image;            /* as the user named it: "from" of events; NULL = none */
    const char *event_attributes; /* members of the events' Actor.Attributes: "\"image\":\"alpine\",\"name\":\"web\"" */
    bool publishes;               /* ports: tare-net is started again when it was killed */
    const char *holder_program;   /* path of tare-net; NULL = none is ever started again */
    int container_dirfd;          /* <root>/containers/<id> */
    int run_dirfd;                /* <run_root>/containers/<id> */
    int root_fd, run_root_fd;     /* the roots */
    int explain_fd;               /* --explain writes here (usually 2); -1 = none */
    int holder_fd;                /* connection to tare-net (model/holder.h), kept until the run journal is undone; -1 = none */
};
#define MONITOR_LAUNCH_INIT                                                                                                        \
    {                                                                                                                              \
        .container_dirfd = -1, .run_dirfd = -1, .root_fd = -1, .run_root_fd = -1, .explain_fd = -1, .holder_fd = -1,               \
        .stop_timeout_s = 10                                                                                                       \
    }

/* Is fd a pipe or socket, whose reader may go away? Then the container must see that (EPIPE), as in any pipeline: `run … | head`.
 */
bool monitor_stream_breaks(int fd);
/* tare-monitor, for execveat(2), by a descriptor through which what runs it cannot write to it. */
int monitor_open_program(struct error *e);

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
 * before the launch description was on file: then only the journals can be undone. */
int monitor_adopt(int container_dirfd, int run_dirfd, int root_fd, int run_root_fd, struct error *e);

/* A command joins a running container: the worker (tare-monitor in the role `exec`) relays its streams. */
struct monitor_exec {
    const char *id; /* container */
    const void *plan;
    size_t plan_size; /* encoded exec plan */
    pid_t pid;        /* PID 1 of the container; the worker checks start_ticks behind its pidfd */
    uint64_t pid_start_ticks;
    bool tty, open_stdin;
    bool attached; /* false: exec -d */
    bool attach_stdin, attach_stdout, attach_stderr;
    bool break_stdout, break_stderr; /* as in struct monitor_launch */
    uint32_t rows, cols;
    const char *exec_id; /* 64 hex digits; with run_dirfd: bookkeeping file exec-<id>; NULL = none */
    const char *cgroup;
    const char *image, *event_attributes; /* as in struct monitor_launch: for exec_die */
    int run_dirfd;                        /* -1 = none */
    int run_root_fd;                      /* where events are told; -1 = nowhere */
    int explain_fd;
};
#define MONITOR_EXEC_INIT                                                                                                          \
    { .run_dirfd = -1, .run_root_fd = -1, .explain_fd = -1 }
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
enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
int monitor_wait(struct monitor_conn *c, enum wait_condition until, int *ret_exit_code, struct error *e);
int monitor_update_restart(struct monitor_conn *c, enum restart_policy policy, uint32_t max, struct error *e);

/* Size of the terminal that fd is; -ENOTTY. */
int terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_cols);
/* Is `spec` a detach key sequence ("ctrl-p,ctrl-q", "a,b", "ctrl-@")? -EINVAL. */
int detach_keys_check(const char *spec, struct error *e);

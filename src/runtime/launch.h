/* What a monitor (or an exec worker) is told at its start, as one flat blob: a versioned header and tagged fields. A field that the
 * reader does not know is passed over, one that is missing keeps its default: monitor and command may differ by a version. The blob
 * is also kept in the run directory (`launch`), for restarts and for a monitor that takes over from a killed one. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define LAUNCH_FILE     "launch"
#define LAUNCH_SIZE_MAX ((size_t)8 << 20)

#define LAUNCH_SOCKETS_MAX 8192 /* of published ports */

enum launch_role { LAUNCH_CONTAINER = 1, LAUNCH_EXEC = 2 };

/* The descriptors that go beside the blob, in this order; -1 is left out and marked so in the blob. */
enum launch_fd {
    LAUNCH_FD_CONTAINER,
    LAUNCH_FD_RUN,
    LAUNCH_FD_ROOT,
    LAUNCH_FD_RUN_ROOT,
    LAUNCH_FD_EXPLAIN,
    LAUNCH_FD_HOLDER,
    LAUNCH_FDS
};

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
    bool publishes;               /* ports: a monitor that takes over sees to it that somebody holds them */
    const char *holder_program;   /* path of tare-net; NULL = none is ever started */
    const int *sockets;           /* they hold published ports: sent behind the description, owned by the monitor then */
    uint32_t n_sockets;
    uint32_t n_watched;       /* so many of them, the first, are relays: what comes to them wakes tare-net */
    int container_dirfd;      /* <root>/containers/<id> */
    int run_dirfd;            /* <run_root>/containers/<id> */
    int root_fd, run_root_fd; /* the roots */
    int explain_fd;           /* --explain writes here (usually 2); -1 = none */
    int holder_fd; /* connection to a tare-net that has a pasta for this container; kept until the run journal is undone; -1 = none
                    */
};
#define MONITOR_LAUNCH_INIT                                                                                                        \
    {                                                                                                                              \
        .container_dirfd = -1, .run_dirfd = -1, .root_fd = -1, .run_root_fd = -1, .explain_fd = -1, .holder_fd = -1,               \
        .stop_timeout_s = 10                                                                                                       \
    }

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

void launch_encode(const struct monitor_launch *l, struct buf *out);
void launch_encode_exec(const struct monitor_exec *x, struct buf *out);
/* Which of the two it is; -EPROTO. */
int launch_role(const void *p, size_t n);
/* Decodes; strings and plans point into the blob (8-byte aligned). Descriptors are not part of it (-1). -EPROTO. */
int launch_decode(const void *p, size_t n, struct monitor_launch *ret);
int launch_decode_exec(const void *p, size_t n, struct monitor_exec *ret);
/* The descriptors that go beside it: which of LAUNCH_FDS are present, as a bit mask (part of the blob's header). */
uint32_t launch_fd_mask(const void *p, size_t n);
/* Marks the blob as going together with these descriptors, -1 = not there. */
void launch_set_fds(struct buf *blob, const int fds[LAUNCH_FDS]);

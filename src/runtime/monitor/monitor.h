/* The inside of tare-monitor: one event loop, one container (or one exec'ed command), no threads.
 *
 * Life of a container's monitor:
 *
 *     STARTING ── program runs ──▶ RUNNING ── PID 1 ends ──▶ (policy) ──▶ RESTARTING ── backoff ──▶ STARTING
 *        │ error: undo, answer                                  └──▶ LINGERING: everything is undone and told; clients take
 *        ▼ exit                                                      what is still on its way to them ──▶ exit
 *
 * What happens at the end, and its order, is exit.c; what a client may ask is client.c. */
#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include "base/buf.h"
#include "model/holder.h"
#include "runtime/executor.h"
#include "runtime/frame.h"
#include "runtime/launch.h"
#include "runtime/monitor/log_writer.h"

struct monitor;

/* Something that epoll watches. */
struct source {
    int fd; /* owned; -1 = closed */
    uint32_t events;
    bool resting; /* not watched, not even for its end */
    void (*ready)(struct monitor *m, struct source *s, uint32_t events);
};

/* stdout, stderr, or the terminal's master. */
struct output {
    struct source source;
    int stream;  /* 1 or 2 */
    bool paused; /* the foreground client has not taken what it got */
};

struct client {
    struct source source;
    struct client *next;
    struct buf in, out;
    bool greeted;
    bool primary;       /* the foreground: back-pressure instead of losses */
    bool dead;          /* removed at the end of the round */
    uint32_t streams;   /* STREAM_…: attached */
    bool waiting;       /* for the end (wait, stop, and all attached) */
    uint32_t condition; /* enum wait_condition */
    bool restarter;     /* waits until it runs again */
    bool stopper;       /* asked for a stop: told of it also when another client has asked for a restart */
    uint32_t dropped;   /* bytes missed and not yet told */
    size_t stdin_held;  /* bytes of input taken from it and not yet acknowledged */
};

enum { STREAM_IN = 1, STREAM_OUT = 2, STREAM_ERR = 4 };

/* Deadlines on the monotonic clock, 0 = none. */
enum deadline {
    DEADLINE_KILL,           /* the grace of a stop is over */
    DEADLINE_RESTART,        /* the backoff is over */
    DEADLINE_HEALTH,         /* the next check is due */
    DEADLINE_HEALTH_TIMEOUT, /* the running check takes too long */
    DEADLINE_SETTLE,         /* what a longer life needs */
    DEADLINE_HOLDER,         /* tare-net, or who waits to become it, was killed */
    DEADLINE_LINGER,         /* clients that do not take their output are left */
    DEADLINES,
};

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_RESTARTING, PHASE_LINGERING };

/* What tare-net is for, and tare-net: holder.c. */
struct holder {
    int *sockets; /* owned; they hold published ports. None when we took over: then tare-net binds by the records */
    size_t n_sockets;
    int names[HOLDER_NAMES_FDS]; /* in the container's network namespace; -1 = none */
    bool names_elsewhere;        /* the tare-net that we took over has them */
    struct source traffic;       /* an epoll of those that somebody may want something of; watched while there is no child */
    struct source child;         /* connection to tare-net, or to the fork of ours that waits to become it; fd -1: none */
    pid_t pid;                   /* it is our child; 0: that of a monitor before us */
    bool awake;                  /* it is tare-net by now */
    int64_t began_ns;
};

/* Health check, health.c. */
struct health {
    pid_t pid; /* running check; 0 = none */
    struct source output;
    struct buf text;
    struct timespec began;
    int64_t began_ns;
    bool timed_out;
};

struct monitor {
    struct monitor_launch l; /* points into launch */
    struct buf launch;       /* without its plans once the program runs; the file `launch` has them */
    bool is_exec;            /* worker of an exec: no log, no state, no socket */
    struct monitor_exec x;   /* is_exec */
    enum phase phase;
    struct container_state state;
    int lock_fd;           /* the record lock: opened exactly once */
    int pidfd;             /* of PID 1 */
    struct source adopted; /* a copy of pidfd, watched: PID 1 is not our child */
    int epoll_fd;
    struct holder holder;
    struct source listener;
    struct source signals;
    struct output outputs[2];
    struct source input; /* the payload's stdin (nonblocking) */
    struct buf input_pending;
    struct client *input_from; /* whose bytes are pending */
    bool input_eof;            /* close once pending is written */
    int slave_fd;              /* the terminal's other side, so that it never hangs up while PID 1 lives */
    struct log_writer *log;
    struct source log_room; /* watched while the container waits for its log */
    struct client *clients;
    bool client_died;
    int64_t deadline[DEADLINES];
    int64_t started_ns; /* monotonic */
    int64_t backoff_ns;
    bool stop_asked;    /* by a client: "stop" is told of, too */
    bool restart_asked; /* by a client or by health: once, whatever the policy */
    bool healing;       /* took over from a monitor that was killed: what is to be told may have been told */
    bool end_told;      /* of the run that ends: "die" stands in the log */
    bool in_own_cgroup;
    bool wants_idle; /* buffers grew: give memory back before sleeping */
    struct health health;
};

/* loop.c */
int loop_init(struct monitor *m, struct error *e);
int loop_add(struct monitor *m, struct source *s, uint32_t events);
void loop_change(struct monitor *m, struct source *s, uint32_t events); /* 0 events: stays registered, errors only */
void loop_rest(struct monitor *m, struct source *s);   /* until loop_change() wants something: an end that cannot be taken now */
void loop_remove(struct monitor *m, struct source *s); /* and closes */
void loop_run(struct monitor *m);                      /* until PHASE_LINGERING has no one left */

/* start.c: from the launch description to a running program; also after a backoff. */
int monitor_start_program(struct monitor *m, struct error *e);
int monitor_prepare(struct monitor *m, struct error *e); /* lock, socket; once */
void monitor_started(struct monitor *m);                 /* state, events; after each start */
void monitor_settle(struct monitor *m);                  /* what can be done after the answer; once */
void monitor_settle_late(struct monitor *m);
int monitor_rename(struct monitor *m, struct error *e); /* name and events as the launch description's file has them */

/* adopt.c */
int adopt_container(struct monitor *m, struct error *e);

/* The launch description with its plans, from the run directory; *ret points into room. */
int launch_reload(const struct monitor *m, struct buf *room, struct monitor_launch *ret, struct error *e);

/* stdio.c */
struct stdio_child {
    int in, out, err; /* the child's side; owned */
};
int stdio_make(struct monitor *m, struct stdio_child *ret, struct error *e);
int stdio_reopen(struct monitor *m);                                         /* our side only: the payload has its own */
int stdio_take_terminal(struct monitor *m, int console_fd, struct error *e); /* owns console_fd */
int stdio_watch(struct monitor *m);
void stdio_drain(struct monitor *m); /* everything that is in the pipes, now */
void stdio_close(struct monitor *m);
void stdio_pause(struct monitor *m, bool pause);
void stdio_break(struct monitor *m, int stream);
void stdio_resize(struct monitor *m, uint32_t rows, uint32_t cols);
void stdio_input(struct monitor *m, struct client *c, const void *p, size_t n);
void stdio_input_eof(struct monitor *m, struct client *c);
void stdio_idle(void);

/* client.c */
int clients_listen(struct monitor *m, struct error *e);
struct client *client_new(struct monitor *m, int fd);                         /* owns fd; NULL: no memory */
void client_deliver(struct monitor *m, int stream, char *frame, size_t size); /* room for the header in front: frame[0..8) */
void client_queue(struct monitor *m, struct client *c, const struct buf *b);
void clients_tell_exit(struct monitor *m, bool final); /* `final`: it will not be started again */
void clients_tell_restarted(struct monitor *m);
void clients_reap(struct monitor *m);
bool clients_all_served(const struct monitor *m);
void client_stdin_taken(struct monitor *m, struct client *c, size_t n);

/* signal.c */
int payload_signal(struct monitor *m, int signo); /* 0, -ESRCH */
void payload_stop(struct monitor *m, int signo, int timeout_s, bool by_user);
void payload_kill_all(struct monitor *m); /* SIGKILL to everything in its cgroup */
void payload_clear_cgroup(struct monitor *m);
int payload_pause(struct monitor *m, bool pause, struct error *e);
bool payload_was_oom_killed(struct monitor *m);
void signals_init(struct monitor *m);
void signals_ready(struct monitor *m, struct source *s, uint32_t events);

/* exit.c */
void payload_ended(struct monitor *m, int wait_status);
void monitor_state_save(struct monitor *m);
/* Leaves in its own directory that it runs, for after a power cut; synced with a restart policy, which counts on it. */
void monitor_remember(struct monitor *m);
void monitor_undo(struct monitor *m); /* everything that stands on the host for this container; with --rm the container, too */
void monitor_reap_trash(struct monitor *m);
void monitor_event(struct monitor *m, const char *action, const char *more);
void restart_now(struct monitor *m);
int64_t restart_backoff_ns(int64_t last_ns, int64_t ran_ns);                          /* pure */
bool restart_wanted(const struct monitor_launch *l, const struct container_state *s); /* pure */

/* holder.c: tare-net. */
int holder_take(struct monitor *m, int *sockets, size_t n,
                size_t n_watched);                    /* owns them and the array (malloc), also on failure */
void holder_ensure(struct monitor *m);                /* after a takeover, and when the child was killed */
void holder_started(struct monitor *m);               /* after each start of the program */
int holder_names(struct monitor *m, struct error *e); /* sockets for names, where they are wanted and not there */
void holder_settled(struct monitor *m);               /* the program lives longer than a moment */
void holder_ended(struct monitor *m);   /* the program ended, and may start again: its network namespace must go first */
void holder_renew(struct monitor *m);   /* the records of its ports are others */
void holder_release(struct monitor *m); /* the ports are free when it returns, but it never waits for long */
bool holder_child_ended(struct monitor *m, pid_t pid); /* was it ours? */

/* health.c */
void health_begin(struct monitor *m);
void health_stop(struct monitor *m);
void health_due(struct monitor *m);
void health_timeout(struct monitor *m);
bool health_child_ended(struct monitor *m, pid_t pid, int wait_status); /* was it the check? */

/* keeper.c: the second holder of the terminal. */
void keeper_start(struct monitor *m);

/* roles of the program */
int role_container(int socket_fd);
int role_adopt(int socket_fd);
int role_exec(int socket_fd);
int role_oci(int argc, char **argv);      /* the arguments behind the id */
void arguments_replace(const char *text); /* main.c: what ps shows */
void init_run(pid_t program);             /* the built-in init: PID 1 of the container, program 0 = alone; does not return */

/* containerd-shim-tare-v2: what stands between containerd and the containers of one pod. One process, one thread, one loop.
 *
 *   command.c   the command line: `start` (finds the pod's shim or starts one), `delete` (after a shim that died), serving
 *   serve.c     the loop: connections, signals, the time-outs
 *   ttrpc.c     frames and messages
 *   service.c   requests and whose turn it is; task.c: the task service, what each method does to processes; sandbox.c: the sandbox
 *               service, for pods whose namespaces the shim keeps itself
 *   job.c       whatever takes long or needs memory is done in a fork of the shim, which hands back the answer: nothing blocks
 *               the loop, a document that the parser chokes on costs one answer, and the heap of the shim stays as it was born
 *   work.c      what those forks do: the OCI runtime's verbs (oci/oci.h), mounts, metrics
 *   pod.c       what the containers of a pod share
 *   options.c   the runtime's options, in either of containerd's forms
 *   process.c   containers and their processes, their ends
 *   stdio.c     FIFOs, files and log programs; terminal.c: the copying of terminals
 *   event.c     events to containerd, which may be away for a while
 *
 * Everything below hangs off one struct shim; no function but serve() waits.
 * Sources: containerd's docs (runtime v2), ttrpc's PROTOCOL.md, messages.proto. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define SHIM_LISTEN_FD    3                      /* where serving finds its socket */
#define SHIM_ROOT         "/run/tare/containerd" /* the containers' states, below the namespace; Options.root instead of it */
#define SHIM_ROOT_FILE    "tare-root"            /* in the bundle: which it was, for `delete` */
#define SHIM_SOCKETS      "/run/containerd/s"
#define SHIM_ADDRESS_FILE "address" /* in the bundle, too: containerd 1.6 reads it, and `delete` */
#define SHIM_VERSION      "tare " TARE_VERSION
#define SHIM_MESSAGE_MAX  ((size_t)4 << 20) /* ttrpc */

/* ---- The loop ---- */

struct shim;
/* What epoll hands back: embedded as the first member of whoever owns the descriptor. */
struct watch {
    int fd; /* owned by the one that embeds it */
    void (*ready)(struct shim *s, struct watch *w, uint32_t events);
};
int watch_add(struct shim *s, struct watch *w, uint32_t events); /* negative errno */
void watch_change(struct shim *s, struct watch *w, uint32_t events);
void watch_remove(struct shim *s, struct watch *w); /* and closes */

/* ---- Connections ---- */

struct connection {
    struct watch watch;
    struct connection *next;
    uint32_t serial; /* never used twice: how an answer finds its way, or finds that nobody waits any more */
    struct buf in, out;
};
struct caller {
    uint32_t connection;
    uint32_t stream;
};

/* Codes of gRPC, which containerd maps to its own errors. */
enum rpc_code {
    RPC_OK = 0,
    RPC_UNKNOWN = 2,
    RPC_INVALID = 3,
    RPC_NOT_FOUND = 5,
    RPC_EXISTS = 6,
    RPC_PRECONDITION = 9,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
};

typedef struct ProtobufCMessage ProtobufCMessage;
void answer(struct shim *s, struct caller to, const ProtobufCMessage *message); /* NULL = google.protobuf.Empty */
void answer_bytes(struct shim *s, struct caller to, const void *payload, size_t n);
void answer_error(struct shim *s, struct caller to, enum rpc_code code, const char *fmt, ...) _printf_(4, 5);
void connections_accept(struct shim *s, struct watch *w, uint32_t events);

/* ---- Containers and processes ---- */

/* As containerd counts them (containerd.v1.types.Status). */
enum task_status { TASK_CREATED = 1, TASK_RUNNING = 2, TASK_STOPPED = 3, TASK_PAUSED = 4 };

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAMS };
struct stdio {
    char *uri[STREAMS]; /* owned; NULL or "" = none */
    bool terminal;
    int fd[STREAMS];    /* ours: what keeps a FIFO alive while its other end is away; owned */
    bool fifo[STREAMS]; /* opened by the fork, when somebody reads it */
    int ready_fd;       /* closed by a log program when it is ready; owned, -1 = none */
    struct terminal *console;
    struct watch spill; /* the input of a process that has ended */
};

struct waiter {
    struct waiter *next;
    struct caller caller;
};

struct process {
    struct process *next;
    struct container *container;
    char *exec_id; /* NULL: the container's first process */
    pid_t pid;
    enum task_status status;
    int exit_status;
    struct timespec exited_at;
    bool ended;     /* seen by wait(2), but not told yet: the answer to Start goes first */
    bool starting;  /* a job starts it */
    char *document; /* of an exec, until it is started: the process as JSON; owned */
    size_t document_size;
    struct stdio io;
    struct waiter *waiters;
};

struct container {
    struct container *next;
    char *id, *bundle, *root;
    struct process *processes; /* the first one is the last of the list */
    struct process first;
    struct watch oom; /* fd -1: none */
    uint64_t oom_kills;
    bool pod;              /* what keeps a pod's namespaces (sandbox.c): no task, and nothing is told of it */
    time_t created_at;     /* of a pod */
    bool paused, own_pids; /* has a pid namespace of its own: its processes die with the first */
    bool io_given;
    uid_t io_uid;
    gid_t io_gid;
    struct buf asked; /* the request that is creating it, for the event */
    struct job *job;  /* one at a time; the others wait in line */
    struct request *line;
};

struct container *container_find(struct shim *s, const char *id);
struct process *process_find(struct container *c, const char *exec_id); /* "" = the first */
struct container *container_new(struct shim *s, const char *id, const char *bundle);
void container_free(struct shim *s, struct container *c);
struct process *process_new(struct container *c, const char *exec_id);
void process_free(struct shim *s, struct process *p);
/* After SIGCHLD. */
void processes_reap(struct shim *s);
typedef struct Pb__Timestamp Pb__Timestamp;
typedef struct Pb__ExitResponse Pb__ExitResponse;
Pb__Timestamp process_exit_time(const struct process *p);
/* Answers the caller when it has ended, with Wait's answer. */
void process_wait(struct shim *s, struct caller from, struct process *p);
/* Says that it ended to all who wait, and to containerd. */
void process_tell_end(struct shim *s, struct process *p);
void container_watch_oom(struct shim *s, struct container *c, int fd);

/* ---- Services ---- */

typedef struct ProtobufCMessageDescriptor ProtobufCMessageDescriptor;
struct method {
    const char *name;
    const ProtobufCMessageDescriptor *request;
    void (*call)(struct shim *s, struct caller from, const void *m);
    bool in_line; /* waits for the container's job to end */
};
struct method_list {
    const struct method *v;
    size_t n;
};
extern const struct method_list task_methods, sandbox_methods;

struct request {
    struct request *next;
    struct caller caller;
    const struct method *method;
    size_t size;
    unsigned char payload[];
};
void service_call(struct shim *s, struct caller from, const char *service, const char *method, const void *payload, size_t n);
/* The next in line, after the job of this container has ended. */
void service_continue(struct shim *s, const char *id);

/* ---- Jobs ---- */

enum job_kind {
    JOB_CREATE,
    JOB_START,
    JOB_EXEC,
    JOB_DELETE,
    JOB_PAUSE,
    JOB_RESUME,
    JOB_KILL_ALL,
    JOB_UPDATE,
    JOB_STATS,
    JOB_PIDS,
    JOB_POD, /* make and start what keeps a pod's namespaces */
};

struct job {
    struct watch watch; /* a packet socket */
    struct job *next;
    enum job_kind kind;
    struct caller caller;
    struct container *container;
    struct process *process; /* of start and exec; else the first */
};
/* request: the message that was asked with, for kinds that need more of it than the container has; may be NULL. Answers the
 * caller itself when it is done, or failed to begin. */
void job_begin(struct shim *s, enum job_kind kind, struct process *p, struct caller from, const void *request);
/* Takes what jobs have sent: before the dead are counted, so that a process is known by its pid when it is found dead. */
void jobs_look(struct shim *s);

/* What a fork says. A descriptor may come along. */
enum job_word {
    JOB_PID,    /* value: the process; descriptor: the terminal */
    JOB_STREAM, /* value: which; descriptor: of its FIFO, for us to keep */
    JOB_OOM,    /* descriptor: the notifier of its group */
    JOB_FACTS,  /* value: enum job_fact */
    JOB_DONE,   /* bytes: the answer's payload */
    JOB_FAILED, /* value: enum rpc_code; bytes: why */
};
enum job_fact { JOB_OWN_PIDS = 1 };
#define JOB_BYTES_MAX 32768
struct job_message {
    int32_t word, value;
    char bytes[JOB_BYTES_MAX];
};
/* In the fork. Returns nothing: the end is a message. */
void work(const struct shim *s, const struct job *j, const void *request, int channel);
void job_say(int channel, enum job_word word, int value, int fd, const void *bytes, size_t n);

/* ---- Streams ---- */

void stdio_init(struct stdio *io);
int stdio_open(struct shim *s, struct container *c, struct stdio *io, const char *const uri[STREAMS], struct error *e);
/* In the fork: the descriptors 0 to 2 of the process; waits for a log program to be ready, and for readers of FIFOs. */
int stdio_enter(const struct container *c, struct stdio *io, int channel, struct error *e);
void stdio_close_input(struct stdio *io);
/* The process has ended, and its output has: closes all but the input, of which what comes is thrown away from now on. */
void stdio_end(struct shim *s, struct stdio *io);
void stdio_close(struct shim *s, struct stdio *io);
/* Copies until the last holder of the terminal's other side has gone. Takes the descriptor. */
int terminal_begin(struct shim *s, struct stdio *io, int console_fd);
int terminal_resize(const struct stdio *io, unsigned width, unsigned height);
void terminal_end(struct shim *s, struct stdio *io); /* what is there is copied as far as it goes without waiting */

/* ---- Events ---- */

void event_create(struct shim *s, struct container *c);
void event_start(struct shim *s, const struct process *p);
void event_exec_added(struct shim *s, const struct process *p);
void event_exit(struct shim *s, const struct process *p);
void event_delete(struct shim *s, const struct process *p); /* of a container's first: runc's shim tells of no other */
void event_container(struct shim *s, const char *topic, const char *type, const struct container *c);
void events_tick(struct shim *s); /* tries again */

struct event;
struct publisher {
    struct watch watch;
    struct event *first, **last;
    size_t n;
    bool sent; /* the first is under way */
    size_t written;
    uint32_t stream;
    struct buf in;
    time_t retry_at; /* monotonic seconds; 0 = no need */
};

struct shim {
    const char *namespace_, *address, *ttrpc_address;
    const char *root; /* of a pod's state, which no request of its own tells: an option that `start` was given; NULL = the usual */
    bool systemd_cgroup; /* likewise */
    int epoll_fd;
    struct watch listener, signals;
    struct connection *connections;
    uint32_t serial;
    struct container *containers;
    struct job *jobs;
    struct publisher publisher;
    bool leaving;
};

int serve(struct shim *s, struct error *e);
int shim_main(int argc, char *argv[]);

/* ---- Mounts ---- */

struct shim_mount {
    const char *type, *source;
    struct strs options;
};
int shim_mount_at(const struct shim_mount *m, const char *target, struct error *e);
/* Mounts what is listed, one above the other, on <bundle>/rootfs. */
int rootfs_mount(const char *bundle, const struct shim_mount *mounts, size_t n, struct error *e);
int rootfs_unmount(const char *bundle, struct error *e); /* nothing there is success */

/* ---- Pods (pod.c) ---- */

typedef struct Pb__CreateSandboxRequest Pb__CreateSandboxRequest;
/* Writes the bundle of what keeps the pod's namespaces, the files that its containers share, and mounts their /dev/shm. */
int pod_prepare(const Pb__CreateSandboxRequest *m, const char *id, bool systemd_cgroup, struct arena *a, struct error *e);
/* What they have of it: struct oci_mount. */
void pod_mounts(const char *bundle, struct arena *a, struct list *ret);
/* Of any bundle: nothing there is success. */
int pod_unmount(const char *bundle, struct error *e);

/* ---- Metrics ---- */

typedef struct Pb__Any Pb__Any;
int stats_make(const char *cgroup, struct arena *a, Pb__Any *ret, struct error *e);

/* ---- options.c ---- */

typedef struct Pb__Options Pb__Options;
/* NULL, or of an unknown type: the defaults. Memory of the arena. */
int options_read(const Pb__Any *any, struct arena *a, const Pb__Options **ret, struct error *e);

/* Messages in memory of an arena. */
void *message_unpack(const ProtobufCMessageDescriptor *type, const void *p, size_t n, struct arena *a); /* NULL: malformed */
void message_pack(const ProtobufCMessage *m, struct buf *out);

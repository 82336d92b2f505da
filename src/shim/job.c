/* Jobs: forks of the shim that do one thing, say how it went, and end. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd_message.h"
#include "base/log.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"

static struct job_message message; /* one for all: only what is received of it is touched */

/* ---- What an end means ---- */

static void answer_pid(struct shim *s, const struct job *j) {
    Pb__PidResponse m = PB__PID_RESPONSE__INIT;

    m.pid = (uint32_t)j->process->pid;
    answer(s, j->caller, &m.base);
}

static void end_start(struct shim *s, const struct job *j) {
    struct process *p = j->process;

    free(TAKE_PTR(p->document));
    p->status = TASK_RUNNING;
    event_start(s, p); /* before the answer: whoever sees it may look for the event */
    answer_pid(s, j);
}

static void end_pod(struct shim *s, const struct job *j) {
    Pb__StartSandboxResponse m = PB__START_SANDBOX_RESPONSE__INIT;
    Pb__Timestamp at = PB__TIMESTAMP__INIT;

    j->process->status = TASK_RUNNING;
    j->container->created_at = clock_wall().tv_sec;
    at.seconds = j->container->created_at;
    m.pid = (uint32_t)j->process->pid;
    m.created_at = &at;
    answer(s, j->caller, &m.base);
}

static void take_status(struct shim *s, struct process *p) {
    int status = 0;

    if (!p->ended && waitpid(p->pid, &status, WNOHANG) == p->pid) {
        p->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        p->exited_at = clock_wall();
    }
    p->ended = false;
    p->status = TASK_STOPPED;
    event_exit(s, p);
}

static void end_delete(struct shim *s, const struct job *j) {
    struct process *p = j->process;
    Pb__DeleteResponse m = PB__DELETE_RESPONSE__INIT;
    Pb__Timestamp at;

    if (j->container->pod) {
        answer(s, j->caller, NULL);
        container_free(s, j->container);
        return;
    }
    if (p->status == TASK_CREATED) /* never started, dead only now */
        take_status(s, p);
    at = process_exit_time(p);
    m.pid = (uint32_t)p->pid;
    m.exit_status = (uint32_t)p->exit_status;
    m.exited_at = &at;
    event_delete(s, p);
    answer(s, j->caller, &m.base);
    container_free(s, j->container);
}

static void succeeded(struct shim *s, const struct job *j, const void *payload, size_t n) {
    struct container *c = j->container;

    switch (j->kind) {
    case JOB_CREATE:
        event_create(s, c);
        answer_pid(s, j);
        break;
    case JOB_START:
    case JOB_EXEC: end_start(s, j); break;
    case JOB_POD: end_pod(s, j); break;
    case JOB_DELETE: end_delete(s, j); break;
    case JOB_PAUSE:
    case JOB_RESUME:
        c->paused = j->kind == JOB_PAUSE;
        event_container(s, c->paused ? "/tasks/paused" : "/tasks/resumed",
                        c->paused ? "containerd.events.TaskPaused" : "containerd.events.TaskResumed", c);
        answer(s, j->caller, NULL);
        break;
    case JOB_KILL_ALL:
    case JOB_UPDATE:
    case JOB_STATS:
    case JOB_PIDS: answer_bytes(s, j->caller, payload, n); break;
    }
}

static void failed(struct shim *s, const struct job *j, enum rpc_code code, const char *why) {
    answer_error(s, j->caller, code, "%s", why);
    if (j->kind == JOB_CREATE) {
        container_free(s, j->container);
    } else if (j->kind == JOB_EXEC) {
        free(TAKE_PTR(j->process->document)); /* containerd makes another one to try again */
        stdio_close(s, &j->process->io);
    }
}

/* The job is taken down first: what follows may begin the next one. */
static void end(struct shim *s, struct job *j, bool success, int code, const char *bytes, size_t n) {
    struct job **at = &s->jobs, copy = *j;
    _cleanup_free_ char *id = strdup(j->container->id);
    struct process *p = j->process;

    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    watch_remove(s, &j->watch);
    free(j);
    copy.container->job = NULL;
    p->starting = false;
    if (success)
        succeeded(s, &copy, bytes, n);
    else
        failed(s, &copy, (enum rpc_code)code, bytes);
    if (container_find(s, id ? id : "") == copy.container && p->ended)
        process_tell_end(s, p);
    if (id)
        service_continue(s, id);
}

/* ---- What jobs say ---- */

static void take_pid(struct shim *s, struct job *j, int value, int fd) {
    j->process->pid = value;
    if (fd >= 0 && terminal_begin(s, &j->process->io, fd) < 0)
        log_warn("the terminal of container %s is not copied", j->container->id);
}

static void take_stream(struct stdio *io, int i, int fd) {
    if (i < STREAM_OUT || i > STREAM_ERR) {
        fd_close(fd);
        return;
    }
    fd_close(io->fd[i]);
    io->fd[i] = fd;
}

/* One message; false: there is none now, or the job has ended with it. */
static bool take_message(struct shim *s, struct job *j) {
    FD_ROOM(1) room;
    struct iovec part = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
    const size_t head = offsetof(struct job_message, bytes);
    ssize_t n = recvmsg(j->watch.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fd = -1;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < (ssize_t)head) {
        static const char died[] = "the worker of the shim died";

        if ((j->kind == JOB_START || j->kind == JOB_EXEC) && j->process->pid > 0 && !j->process->ended)
            (void)kill(j->process->pid, SIGKILL); /* nobody can say whether it was let go */
        end(s, j, false, RPC_INTERNAL, died, strlen(died));
        return false;
    }
    (void)fd_message_take(&header, &fd, 1);
    switch ((enum job_word)message.word) {
    case JOB_PID: take_pid(s, j, message.value, fd); return true;
    case JOB_STREAM: take_stream(&j->process->io, message.value, fd); return true;
    case JOB_OOM: container_watch_oom(s, j->container, fd); return true;
    case JOB_FACTS: j->container->own_pids = message.value & JOB_OWN_PIDS; return true;
    case JOB_DONE:
    case JOB_FAILED:
        if ((size_t)n < sizeof(message))
            ((char *)&message)[n] = '\0';
        end(s, j, message.word == JOB_DONE, message.value, message.bytes, (size_t)n - head);
        return false;
    }
    return true;
}

static void ready(struct shim *s, struct watch *w, uint32_t events) {
    struct job *j = (struct job *)w;

    (void)events;
    while (take_message(s, j))
        ;
}

void jobs_look(struct shim *s) {
    for (struct job *j = s->jobs, *next; j; j = next) {
        next = j->next;
        while (take_message(s, j))
            ;
    }
}

/* ---- Beginnings ---- */

static int open_streams(struct shim *s, struct job *j, const void *request, struct error *e) {
    struct stdio *io = &j->process->io;

    if (j->kind == JOB_CREATE) {
        const Pb__CreateRequest *r = request;
        const char *uri[] = {r->stdin_uri, r->stdout_uri, r->stderr_uri};

        io->terminal = r->terminal;
        return stdio_open(s, j->container, io, uri, e);
    }
    if (j->kind == JOB_EXEC) {
        _cleanup_free_ char *in = TAKE_PTR(io->uri[STREAM_IN]), *out = TAKE_PTR(io->uri[STREAM_OUT]);
        _cleanup_free_ char *err = TAKE_PTR(io->uri[STREAM_ERR]);
        const char *uri[] = {in, out, err};

        return stdio_open(s, j->container, io, uri, e);
    }
    return 0;
}

/* In the fork. It dies with the shim: what it makes is the shim's to take away, or `delete`'s when the shim is dead, which waits
 * for the last holder of the listening socket. */
static _Noreturn void run(const struct shim *s, const struct job *j, const void *request, int channel, pid_t shim) {
    sigset_t none;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != shim)
        _exit(EXIT_ENGINE);
    sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    work(s, j, request, channel);
    _exit(0);
}

static int start_fork(struct shim *s, struct job *j, const void *request, struct error *e) {
    int pair[2], r = open_streams(s, j, request, e);
    pid_t pid, shim = getpid();

    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a socket pair");
    j->watch = (struct watch){.fd = pair[0], .ready = ready};
    pid = watch_add(s, &j->watch, EPOLLIN) < 0 ? -1 : fork();
    if (pid == 0)
        run(s, j, request, pair[1], shim);
    r = pid < 0 ? error_errno(e, -errno, "start a worker") : 0;
    fd_close(pair[1]);
    return r;
}

static void read_options(struct container *c, const Pb__CreateRequest *r) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const Pb__Options *o = NULL;

    (void)options_read(r->options, &a, &o, NULL); /* the worker says what is wrong with them */
    c->io_given = o && (o->io_uid || o->io_gid);
    c->io_uid = o ? o->io_uid : 0;
    c->io_gid = o ? o->io_gid : 0;
    message_pack(&r->base, &c->asked); /* for the event */
    c->root = o && *o->root ? strdup(o->root) : strdup(SHIM_ROOT);
}

void job_begin(struct shim *s, enum job_kind kind, struct process *p, struct caller from, const void *request) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct job *j = calloc(1, sizeof(*j));

    if (!j)
        abort();
    *j = (struct job){.watch = {.fd = -1}, .next = s->jobs, .kind = kind, .caller = from, .container = p->container, .process = p};
    s->jobs = j;
    p->container->job = j;
    p->starting = kind == JOB_CREATE || kind == JOB_START || kind == JOB_EXEC || kind == JOB_POD;
    if (kind == JOB_CREATE)
        read_options(p->container, request);
    if (kind == JOB_DELETE) /* the end of the group would be taken for want of memory */
        watch_remove(s, &p->container->oom);
    if (start_fork(s, j, request, &e) < 0) {
        _cleanup_free_ char *why = error_sentence(&e);

        end(s, j, false, RPC_UNKNOWN, why, strlen(why));
    }
}

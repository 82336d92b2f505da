/* The methods of containerd's task service. Those that are quick are done here; the others become jobs (job.c). */
#include <signal.h>
#include <string.h>

#include "shim/messages.pb-c.h"
#include "shim/shim.h"

typedef Pb__IdRequest Id;

static struct container *need_container(struct shim *s, struct caller from, const char *id) {
    struct container *c = container_find(s, id);

    if (!c || c->pod)
        answer_error(s, from, RPC_NOT_FOUND, "container %s is not known", id);
    return c && !c->pod ? c : NULL;
}

static struct process *need_process(struct shim *s, struct caller from, const char *id, const char *exec_id) {
    struct container *c = need_container(s, from, id);
    struct process *p = c ? process_find(c, exec_id) : NULL;

    if (c && !p)
        answer_error(s, from, RPC_NOT_FOUND, "process %s of container %s is not known", exec_id, id);
    return p;
}

static void do_create(struct shim *s, struct caller from, const void *m) {
    const Pb__CreateRequest *r = m;
    struct container *c;

    if (*r->checkpoint) {
        answer_error(s, from, RPC_UNIMPLEMENTED, "tare cannot restore from a checkpoint");
        return;
    }
    if (container_find(s, r->id)) {
        answer_error(s, from, RPC_EXISTS, "container %s exists", r->id);
        return;
    }
    c = container_new(s, r->id, r->bundle);
    job_begin(s, JOB_CREATE, &c->first, from, m);
}

static void do_start(struct shim *s, struct caller from, const void *m) {
    struct process *p = need_process(s, from, ((const Id *)m)->id, ((const Id *)m)->exec_id);

    if (!p)
        return;
    if (p->status != TASK_CREATED || (p->exec_id && !p->document))
        answer_error(s, from, RPC_PRECONDITION, "a process is started once");
    else
        job_begin(s, p->exec_id ? JOB_EXEC : JOB_START, p, from, NULL);
}

static void do_exec(struct shim *s, struct caller from, const void *m) {
    const Pb__ExecRequest *r = m;
    struct container *c = need_container(s, from, r->id);
    struct process *p;

    if (!c)
        return;
    if (c->first.status == TASK_STOPPED || c->paused) {
        answer_error(s, from, RPC_PRECONDITION, "cannot exec in a %s container",
                     c->first.status == TASK_STOPPED ? "stopped" : "paused");
        return;
    }
    if (!*r->exec_id || process_find(c, r->exec_id)) {
        answer_error(s, from, RPC_EXISTS, "process %s of container %s exists", r->exec_id, r->id);
        return;
    }
    if (!r->spec || r->spec->value.len == 0) {
        answer_error(s, from, RPC_INVALID, "exec without a process");
        return;
    }
    p = process_new(c, r->exec_id);
    p->document = malloc(r->spec->value.len);
    if (!p->document)
        abort();
    memcpy(p->document, r->spec->value.data, r->spec->value.len);
    p->document_size = r->spec->value.len;
    p->io.terminal = r->terminal;
    p->io.uri[STREAM_IN] = strdup(r->stdin_uri);
    p->io.uri[STREAM_OUT] = strdup(r->stdout_uri);
    p->io.uri[STREAM_ERR] = strdup(r->stderr_uri);
    event_exec_added(s, p);
    answer(s, from, NULL);
}

static void delete_exec(struct shim *s, struct caller from, struct process *p) {
    Pb__DeleteResponse m = PB__DELETE_RESPONSE__INIT;
    Pb__Timestamp at = process_exit_time(p);

    m.pid = (uint32_t)p->pid;
    m.exit_status = (uint32_t)p->exit_status;
    m.exited_at = &at;
    answer(s, from, &m.base);
    process_free(s, p);
}

static void do_delete(struct shim *s, struct caller from, const void *m) {
    struct process *p = need_process(s, from, ((const Id *)m)->id, ((const Id *)m)->exec_id);

    if (!p)
        return;
    if (p->status == TASK_RUNNING)
        answer_error(s, from, RPC_PRECONDITION, "a process that runs cannot be deleted");
    else if (p->exec_id)
        delete_exec(s, from, p);
    else
        job_begin(s, JOB_DELETE, p, from, NULL);
}

static void do_state(struct shim *s, struct caller from, const void *m) {
    struct process *p = need_process(s, from, ((const Id *)m)->id, ((const Id *)m)->exec_id);
    Pb__StateResponse r = PB__STATE_RESPONSE__INIT;
    Pb__Timestamp at;

    if (!p)
        return;
    at = process_exit_time(p);
    r.id = p->container->id;
    r.exec_id = p->exec_id ? p->exec_id : r.exec_id;
    r.bundle = p->container->bundle;
    r.pid = (uint32_t)p->pid;
    r.status = p->status == TASK_RUNNING && p->container->paused ? TASK_PAUSED : p->status;
    r.stdin_uri = p->io.uri[STREAM_IN];
    r.stdout_uri = p->io.uri[STREAM_OUT];
    r.stderr_uri = p->io.uri[STREAM_ERR];
    r.terminal = p->io.terminal;
    r.exit_status = (uint32_t)p->exit_status;
    r.exited_at = &at;
    answer(s, from, &r.base);
}

static void do_wait(struct shim *s, struct caller from, const void *m) {
    struct process *p = need_process(s, from, ((const Id *)m)->id, ((const Id *)m)->exec_id);

    if (p)
        process_wait(s, from, p);
}

static void do_kill(struct shim *s, struct caller from, const void *m) {
    const Pb__KillRequest *r = m;
    struct process *p = need_process(s, from, r->id, r->exec_id);

    if (!p)
        return;
    if (p->status == TASK_STOPPED || p->ended || p->pid <= 0) {
        answer_error(s, from, RPC_NOT_FOUND, "process already finished");
        return;
    }
    if (!p->exec_id && (r->all || (r->signal == SIGKILL && p->container->paused))) {
        job_begin(s, JOB_KILL_ALL, p, from, m);
        return;
    }
    if (kill(p->pid, (int)r->signal) < 0) /* ours until it is reaped: the number is not another's */
        answer_error(s, from, errno == ESRCH ? RPC_NOT_FOUND : RPC_INVALID, "signal %u: %s", r->signal, errno_text(errno));
    else
        answer(s, from, NULL);
}

static void do_resize(struct shim *s, struct caller from, const void *m) {
    const Pb__ResizeRequest *r = m;
    struct process *p = need_process(s, from, r->id, r->exec_id);

    if (!p)
        return;
    if (terminal_resize(&p->io, r->width, r->height) < 0 && p->status == TASK_RUNNING)
        answer_error(s, from, RPC_PRECONDITION, "the process has no terminal");
    else
        answer(s, from, NULL);
}

static void do_close_io(struct shim *s, struct caller from, const void *m) {
    const Pb__CloseRequest *r = m;
    struct process *p = need_process(s, from, r->id, r->exec_id);

    if (!p)
        return;
    if (r->close_stdin)
        stdio_close_input(&p->io);
    answer(s, from, NULL);
}

static void do_connect(struct shim *s, struct caller from, const void *m) {
    struct container *c = container_find(s, ((const Id *)m)->id);
    Pb__ConnectResponse r = PB__CONNECT_RESPONSE__INIT;
    char version[] = SHIM_VERSION;

    r.shim_pid = (uint32_t)getpid();
    r.task_pid = c ? (uint32_t)c->first.pid : 0;
    r.version = version;
    answer(s, from, &r.base);
}

static void do_shutdown(struct shim *s, struct caller from, const void *m) {
    (void)m;
    answer(s, from, NULL);
    s->leaving |= s->containers == NULL; /* the others of the pod still need it */
}

static void do_checkpoint(struct shim *s, struct caller from, const void *m) {
    (void)m;
    answer_error(s, from, RPC_UNIMPLEMENTED, "tare cannot make checkpoints");
}

static void job_of(struct shim *s, struct caller from, const void *m, enum job_kind kind) {
    struct container *c = need_container(s, from, ((const Id *)m)->id);

    if (c)
        job_begin(s, kind, &c->first, from, m);
}

static void do_pause(struct shim *s, struct caller from, const void *m) {
    job_of(s, from, m, JOB_PAUSE);
}
static void do_resume(struct shim *s, struct caller from, const void *m) {
    job_of(s, from, m, JOB_RESUME);
}
static void do_update(struct shim *s, struct caller from, const void *m) {
    job_of(s, from, m, JOB_UPDATE);
}
static void do_stats(struct shim *s, struct caller from, const void *m) {
    job_of(s, from, m, JOB_STATS);
}
static void do_pids(struct shim *s, struct caller from, const void *m) {
    job_of(s, from, m, JOB_PIDS);
}

static const struct method methods[] = {
    {"State", &pb__id_request__descriptor, do_state, false},
    {"Create", &pb__create_request__descriptor, do_create, false},
    {"Start", &pb__id_request__descriptor, do_start, true},
    {"Delete", &pb__id_request__descriptor, do_delete, true},
    {"Pids", &pb__id_request__descriptor, do_pids, true},
    {"Pause", &pb__id_request__descriptor, do_pause, true},
    {"Resume", &pb__id_request__descriptor, do_resume, true},
    {"Checkpoint", &pb__id_request__descriptor, do_checkpoint, false},
    {"Kill", &pb__kill_request__descriptor, do_kill, true},
    {"Exec", &pb__exec_request__descriptor, do_exec, true},
    {"ResizePty", &pb__resize_request__descriptor, do_resize, false},
    {"CloseIO", &pb__close_request__descriptor, do_close_io, false},
    {"Update", &pb__update_request__descriptor, do_update, true},
    {"Wait", &pb__id_request__descriptor, do_wait, false},
    {"Stats", &pb__id_request__descriptor, do_stats, true},
    {"Connect", &pb__id_request__descriptor, do_connect, false},
    {"Shutdown", &pb__shutdown_request__descriptor, do_shutdown, false},
};
const struct method_list task_methods = {methods, ARRAY_SIZE(methods)};

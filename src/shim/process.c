/* Containers and their processes. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"

struct container *container_find(struct shim *s, const char *id) {
    struct container *c = s->containers;

    while (c && strcmp(c->id, id) != 0)
        c = c->next;
    return c;
}

struct process *process_find(struct container *c, const char *exec_id) {
    struct process *p = c->processes;

    if (!*exec_id)
        return &c->first;
    while (p && (!p->exec_id || strcmp(p->exec_id, exec_id) != 0))
        p = p->next;
    return p;
}

static void process_init(struct process *p, struct container *c) {
    *p = (struct process){.container = c, .status = TASK_CREATED};
    stdio_init(&p->io);
}

struct container *container_new(struct shim *s, const char *id, const char *bundle) {
    struct container *c = calloc(1, sizeof(*c));

    if (!c || !(c->id = strdup(id)) || !(c->bundle = strdup(bundle)))
        abort();
    process_init(&c->first, c);
    c->processes = &c->first;
    c->oom.fd = -1;
    c->next = s->containers;
    s->containers = c;
    return c;
}

struct process *process_new(struct container *c, const char *exec_id) {
    struct process *p = calloc(1, sizeof(*p));

    if (!p)
        abort();
    process_init(p, c);
    p->exec_id = strdup(exec_id);
    p->next = c->processes;
    c->processes = p;
    return p;
}

Pb__Timestamp process_exit_time(const struct process *p) {
    Pb__Timestamp at = PB__TIMESTAMP__INIT;

    at.seconds = p->exited_at.tv_sec;
    at.nanos = (int32_t)p->exited_at.tv_nsec;
    return at;
}

static void answer_exit(struct shim *s, struct caller to, const struct process *p) {
    Pb__ExitResponse m = PB__EXIT_RESPONSE__INIT;
    Pb__Timestamp at = process_exit_time(p);

    m.exit_status = (uint32_t)p->exit_status;
    m.exited_at = &at;
    answer(s, to, &m.base);
}

static void answer_waiters(struct shim *s, struct process *p) {
    while (p->waiters) {
        struct waiter *w = p->waiters;

        p->waiters = w->next;
        answer_exit(s, w->caller, p);
        free(w);
    }
}

void process_wait(struct shim *s, struct caller from, struct process *p) {
    struct waiter *w;

    if (p->status == TASK_STOPPED) {
        answer_exit(s, from, p);
        return;
    }
    w = malloc(sizeof(*w));
    if (!w)
        abort();
    *w = (struct waiter){p->waiters, from};
    p->waiters = w;
}

static void process_release(struct shim *s, struct process *p) {
    answer_waiters(s, p);
    stdio_close(s, &p->io);
    for (int i = 0; i < STREAMS; i++)
        free(p->io.uri[i]);
    free(p->document);
    free(p->exec_id);
}

void process_free(struct shim *s, struct process *p) {
    struct process **at = &p->container->processes;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    process_release(s, p);
    free(p);
}

void container_free(struct shim *s, struct container *c) {
    struct container **at = &s->containers;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    while (c->processes != &c->first)
        process_free(s, c->processes);
    process_release(s, &c->first);
    watch_remove(s, &c->oom);
    while (c->line) {
        struct request *r = c->line;

        c->line = r->next;
        answer_error(s, r->caller, RPC_NOT_FOUND, "container %s is gone", c->id);
        free(r);
    }
    free(c->id);
    free(c->bundle);
    free(c->root);
    buf_release(&c->asked);
    free(c);
}

/* ---- Ends ---- */

void process_tell_end(struct shim *s, struct process *p) {
    struct container *c = p->container;

    p->ended = false;
    p->status = TASK_STOPPED;
    if (c->oom.fd >= 0)
        c->oom.ready(s, &c->oom, 0); /* the reason goes before the end */
    if (!p->io.console)
        stdio_end(s, &p->io);
    event_exit(s, p);
    answer_waiters(s, p);
    if (p == &c->first && !c->own_pids) /* the kernel does not end the others then */
        job_begin(s, JOB_KILL_ALL, p, (struct caller){0}, NULL);
}

static struct process *find_by_pid(struct shim *s, pid_t pid) {
    for (struct container *c = s->containers; c; c = c->next)
        for (struct process *p = c->processes; p; p = p->next)
            if (p->pid == pid && p->status != TASK_STOPPED && !p->ended)
                return p;
    return NULL;
}

void processes_reap(struct shim *s) {
    int status;
    pid_t pid;

    jobs_look(s);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct process *p = find_by_pid(s, pid);

        if (!p) /* a job, a log program, or an orphan of a container */
            continue;
        p->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        p->exited_at = clock_wall();
        p->ended = true;
        if (!p->starting)
            process_tell_end(s, p);
    }
}

/* ---- Memory that ran out ---- */

/* Version 2: memory.events itself, which changes for lesser reasons too; version 1: an eventfd, which also tells of the group's
 * end. */
static int oom_happened(struct container *c) {
    char text[512], *at;
    ssize_t n = pread(c->oom.fd, text, sizeof(text) - 1, 0);
    uint64_t kills;

    if (n < 0 && errno == ESPIPE)
        return read(c->oom.fd, text, sizeof(uint64_t)) == sizeof(uint64_t);
    if (n <= 0)
        return -ENODEV;
    text[n] = '\0';
    at = strstr(text, "oom_kill ");
    kills = at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
    if (kills <= c->oom_kills)
        return 0;
    c->oom_kills = kills;
    return 1;
}

static void oom_ready(struct shim *s, struct watch *w, uint32_t events) {
    struct container *c = (struct container *)((char *)w - offsetof(struct container, oom));
    int r = oom_happened(c);

    (void)events;
    if (r > 0)
        event_container(s, "/tasks/oom", "containerd.events.TaskOOM", c);
    else if (r < 0)
        watch_remove(s, w); /* the group is gone */
}

void container_watch_oom(struct shim *s, struct container *c, int fd) {
    char byte;

    watch_remove(s, &c->oom);
    c->oom = (struct watch){.fd = fd, .ready = oom_ready};
    if (watch_add(s, &c->oom, pread(fd, &byte, 1, 0) < 0 ? EPOLLIN : EPOLLPRI) < 0)
        c->oom.fd = fd_close(c->oom.fd);
}

/* containerd's sandbox service (`sandboxer = "shim"`): the shim itself keeps what the containers of a pod share, without a pause
 * image. What keeps it is a container like others (flag `pod`), but no task: its life is told by these methods only. */
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"

typedef Pb__SandboxRequest Id;

static struct container *find_pod(struct shim *s, const char *id) {
    struct container *c = container_find(s, id);

    return c && c->pod ? c : NULL;
}

static struct container *need_pod(struct shim *s, struct caller from, const char *id) {
    struct container *c = find_pod(s, id);

    if (!c)
        answer_error(s, from, RPC_NOT_FOUND, "sandbox %s is not known", id);
    return c;
}

static void do_create(struct shim *s, struct caller from, const void *m) {
    const Pb__CreateSandboxRequest *r = m;
    struct container *c;

    if (container_find(s, r->id)) {
        answer_error(s, from, RPC_EXISTS, "sandbox %s exists", r->id);
        return;
    }
    c = container_new(s, r->id, r->bundle);
    c->pod = true;
    c->root = strdup(s->root ? s->root : SHIM_ROOT);
    message_pack(&r->base, &c->asked);
    answer(s, from, NULL);
}

static void do_start(struct shim *s, struct caller from, const void *m) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct container *c = need_pod(s, from, ((const Id *)m)->id);
    const void *asked;

    if (!c)
        return;
    asked = message_unpack(&pb__create_sandbox_request__descriptor, c->asked.data, c->asked.size, &a);
    if (c->first.status != TASK_CREATED || !asked)
        answer_error(s, from, RPC_PRECONDITION, "a sandbox is started once");
    else
        job_begin(s, JOB_POD, &c->first, from, asked);
}

/* As Go names them. */
static const char *architecture(void) {
    static const struct {
        const char *ours, *theirs;
    } names[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"i686", "386"}, {"armv7l", "arm"}, {"loongarch64", "loong64"}};
    static struct utsname host;

    (void)uname(&host);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(host.machine, names[i].ours) == 0)
            return names[i].theirs;
    return host.machine; /* riscv64, s390x, ppc64le */
}

static void do_platform(struct shim *s, struct caller from, const void *m) {
    Pb__PlatformResponse r = PB__PLATFORM_RESPONSE__INIT;
    Pb__Platform platform = PB__PLATFORM__INIT;
    char os[] = "linux";

    (void)m;
    platform.os = os;
    platform.architecture = (char *)(uintptr_t)architecture();
    r.platform = &platform;
    answer(s, from, &r.base);
}

/* Answers when the keeper has ended: its answer's fields are the only ones that are known, and nobody expects any of Stop's. */
static void do_wait(struct shim *s, struct caller from, const void *m) {
    struct container *c = need_pod(s, from, ((const Id *)m)->id);

    if (c)
        process_wait(s, from, &c->first);
}

static void do_stop(struct shim *s, struct caller from, const void *m) {
    struct container *c = need_pod(s, from, ((const Id *)m)->id);

    if (!c)
        return;
    if (c->first.status != TASK_RUNNING) {
        answer(s, from, NULL);
        return;
    }
    if (!c->first.ended)
        (void)kill(c->first.pid, SIGKILL); /* it has nothing to tidy up */
    process_wait(s, from, &c->first);
}

static void do_status(struct shim *s, struct caller from, const void *m) {
    struct container *c = need_pod(s, from, ((const Id *)m)->id);
    Pb__SandboxStatusResponse r = PB__SANDBOX_STATUS_RESPONSE__INIT;
    Pb__Timestamp created = PB__TIMESTAMP__INIT, exited;
    char ready[] = "SANDBOX_READY", not_ready[] = "SANDBOX_NOTREADY"; /* CRI's words */

    if (!c)
        return;
    created.seconds = c->created_at;
    exited = process_exit_time(&c->first);
    r.id = c->id;
    r.pid = (uint32_t)c->first.pid;
    r.state = c->first.status == TASK_RUNNING ? ready : not_ready;
    r.created_at = &created;
    if (c->first.status == TASK_STOPPED)
        r.exited_at = &exited;
    answer(s, from, &r.base);
}

static void do_ping(struct shim *s, struct caller from, const void *m) {
    if (need_pod(s, from, ((const Id *)m)->id))
        answer(s, from, NULL);
}

/* The shim ends with it, as soon as no container is left. */
static void do_shutdown(struct shim *s, struct caller from, const void *m) {
    struct container *c = find_pod(s, ((const Id *)m)->id);

    s->leaving = true;
    if (c)
        job_begin(s, JOB_DELETE, &c->first, from, NULL);
    else
        answer(s, from, NULL);
}

static void do_metrics(struct shim *s, struct caller from, const void *m) {
    struct container *c = need_pod(s, from, ((const Id *)m)->id);

    if (c)
        job_begin(s, JOB_STATS, &c->first, from, NULL);
}

static const struct method methods[] = {
    {"CreateSandbox", &pb__create_sandbox_request__descriptor, do_create, false},
    {"StartSandbox", &pb__sandbox_request__descriptor, do_start, true},
    {"Platform", &pb__sandbox_request__descriptor, do_platform, false},
    {"StopSandbox", &pb__sandbox_request__descriptor, do_stop, true},
    {"WaitSandbox", &pb__sandbox_request__descriptor, do_wait, false},
    {"SandboxStatus", &pb__sandbox_request__descriptor, do_status, false},
    {"PingSandbox", &pb__sandbox_request__descriptor, do_ping, false},
    {"ShutdownSandbox", &pb__sandbox_request__descriptor, do_shutdown, true},
    {"SandboxMetrics", &pb__sandbox_request__descriptor, do_metrics, true},
};
const struct method_list sandbox_methods = {methods, ARRAY_SIZE(methods)};

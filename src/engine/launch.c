#include "engine/launch.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/self.h"
#include "engine/container_event.h"
#include "engine/gather.h"
#include "engine/limits.h"
#include "engine/log_options.h"
#include "model/holder.h"
#include "model/signal_name.h"
#include "network/port.h"

static uint32_t health_action_of(const char *text) {
    static const char *const names[] = {
        [HEALTH_DO_NOTHING] = "none", [HEALTH_DO_KILL] = "kill", [HEALTH_DO_RESTART] = "restart", [HEALTH_DO_STOP] = "stop"};
    for (uint32_t i = 0; text && i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return HEALTH_DO_NOTHING;
}

/* The command of a health check, as an exec of the container's own user. Empty: there is no check. */
static struct strs health_command(const struct image_healthcheck *h, struct arena *a) {
    struct strs cmd = {0};
    if (!h || h->test.n < 2)
        return cmd;
    if (strcmp(h->test.v[0], "CMD-SHELL") == 0) {
        strs_add(a, &cmd, "/bin/sh");
        strs_add(a, &cmd, "-c");
    } else if (strcmp(h->test.v[0], "CMD") != 0) {
        return cmd;
    }
    for (size_t i = 1; i < h->test.n; i++)
        strs_add(a, &cmd, h->test.v[i]);
    return cmd;
}

static int set_health(const struct engine *engine, const struct container_record *c, const struct start_context *x, struct arena *a,
                      struct buf *plan_room, struct monitor_health *ret, struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    const struct image_healthcheck *h = c->config.healthcheck;
    struct exec_request q = {.cmd = health_command(h, a)};
    struct oci_process process;
    if (q.cmd.n == 0)
        return 0;
    int r = spec_exec_process(&x->input, &q, a, &process, e);
    struct plan_exec_context context = {0};
    if (r == 0)
        r = exec_context_fill(&x->spec, &x->layout, x->cgroup, engine->roots->single_id, a, &context, e);
    context.seccomp = x->plan.seccomp;
    context.seccomp_size = x->plan.seccomp_size;
    context.seccomp_flags = x->plan.seccomp_flags;
    if (r == 0)
        r = plan_build_exec(&process, &context, &plan, e);
    if (r < 0)
        return error_wrap(e, r, "health check");
    plan_encode(&plan, plan_room);
    *ret = (struct monitor_health){.plan = plan_room->data,
                                   .plan_size = plan_room->size,
                                   .interval_ns = h->interval,
                                   .timeout_ns = h->timeout,
                                   .start_period_ns = h->start_period,
                                   .start_interval_ns = h->start_interval,
                                   .retries = (uint32_t)h->retries,
                                   .action = health_action_of(c->host.health_on_failure)};
    if (c->host.restart.name && strcmp(c->host.restart.name, "on-unhealthy") == 0)
        ret->action = HEALTH_DO_RESTART;
    return 0;
}

#define STOP_TIMEOUT_S 10

static void set_behaviour(const struct container *c, const struct start_options *o, struct monitor_launch *l) {
    const struct container_record *record = &c->record;
    const struct opt_i64 *stop = &record->config.stop_timeout;
    l->tty = record->config.tty;
    l->open_stdin = record->config.open_stdin;
    l->stdin_once = record->config.stdin_once;
    l->attached = o->attached;
    l->attach_stdin = o->attach_stdin;
    l->attach_stdout = o->attach_stdout;
    l->attach_stderr = o->attach_stderr;
    l->break_stdout = o->attached && monitor_stream_breaks(1);
    l->break_stderr = o->attached && monitor_stream_breaks(2);
    l->rows = o->rows;
    l->cols = o->columns;
    l->auto_remove = record->host.auto_remove;
    l->restart = restart_policy_of(&record->host.restart);
    l->restart_max = (uint32_t)record->host.restart.maximum_retry_count;
    l->restart_count = o->restart_count;
    l->stop_signal = record->config.stop_signal ? (uint32_t)signal_parse(record->config.stop_signal) : 0;
    l->stop_timeout_s = stop->set ? (int32_t)stop->value : STOP_TIMEOUT_S;
}

int launch_monitor(struct engine *engine, struct container *c, struct start_context *x, const struct plan *plan,
                   const struct start_options *o, struct arena *a, struct monitor_conn *ret, struct error *e) {
    char holder[SELF_PATH_MAX];
    _cleanup_buf_ struct buf blob = BUF_INIT, health = BUF_INIT, attributes = BUF_INIT;
    struct monitor_launch l = MONITOR_LAUNCH_INIT;
    struct port_sockets_held held;
    int r = log_options_fill(&c->record, a, &l.log, e);
    if (r == 0)
        r = set_health(engine, &c->record, x, a, &health, &l.health, e);
    if (r < 0)
        return r;
    plan_encode(plan, &blob);
    container_event_attributes(&c->record, &attributes);
    if (blob.failed || attributes.failed)
        return error_set(e, -E2BIG, "the container's plan is too large");
    l.id = c->id;
    l.name = c->record.name;
    l.plan = blob.data;
    l.plan_size = blob.size;
    set_behaviour(c, o, &l);
    l.cgroup = x->cgroup;
    l.image = c->record.image_name;
    l.event_attributes = buf_text(&attributes);
    l.container_dirfd = c->dirfd;
    l.run_dirfd = c->run_dirfd;
    l.root_fd = engine->roots->root_fd;
    l.run_root_fd = engine->roots->run_fd;
    l.explain_fd = o->explain_fd;
    l.holder_fd = x->holder_fd;
    l.publishes = x->ports.n > 0;
    port_sockets(&x->ports, a, &held);
    l.sockets = held.fds;
    l.n_sockets = (uint32_t)held.n;
    l.n_watched = (uint32_t)held.n_relays;
    self_program_path(HOLDER_PROGRAM, holder);
    /* A container with a pasta of its own has its ports from that one. */
    l.holder_program = x->pasta ? "" : holder;
    return monitor_start(&l, ret, e);
}

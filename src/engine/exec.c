#include "engine/exec.h"

#include <poll.h>
#include <string.h>

#include "base/event_log.h"
#include "engine/cdi.h"
#include "engine/container_event.h"
#include "engine/gather.h"
#include "engine/secret.h"

/* The namespaces are the container's own, as its specification makes them: rebuilt from the record, for which nothing is written.
 */
static int build_plan(struct engine *engine, struct container *c, const struct exec_options *o, struct start_context *x,
                      struct arena *a, struct plan *ret, struct error *e) {
    struct plan_exec_context context = {.new_keyring = true};
    struct oci_process process;
    struct list ignored = {0};
    const char *user = o->request.user ? o->request.user : c->record.config.user;
    int r = start_gather(engine, c, user, a, x, e);
    if (r < 0 && !(e && e->status))
        error_status(e, EXIT_NOT_EXECUTABLE);
    if (r == 0) /* what it has it keeps, also when a vendor's file is gone; then without its variables */
        (void)cdi_gather(engine, &c->record.host, a, &x->input, NULL);
    if (r == 0)
        r = secrets_gather(engine, c, true, a, &x->input, e);
    if (r == 0)
        r = spec_build(&x->input, a, &x->spec, &ignored, e);
    if (r == 0)
        r = spec_exec_process(&x->input, &o->request, a, &process, e);
    if (r == 0)
        r = exec_context_fill(&x->spec, &x->layout, x->cgroup, engine->roots->single_id, a, &context, e);
    if (r == 0)
        r = start_seccomp(engine, &c->record, c->record.host.privileged || o->request.privileged, a, &context.seccomp,
                          &context.seccomp_size, &context.seccomp_flags, e);
    return r < 0 ? r : plan_build_exec(&process, &context, ret, e);
}

static int check_running(const struct container *c, struct container_state *ret, struct error *e) {
    int r = container_state(c, ret, e);
    if (r < 0)
        return r;
    if (ret->status == STATUS_PAUSED)
        return error_set(e, -EINVAL, "Container %s is paused, unpause the container before exec", c->record.name);
    return container_is_alive(ret) ? 0 : error_set(e, -EINVAL, "container %s is not running", c->id);
}

/* "exec_start: sh -c …", as Docker writes it; the command's own characters are escaped for the log. */
static void exec_event(struct engine *engine, const struct container *c, const char *action, const struct strs *cmd,
                       const char *exec_id) {
    _cleanup_buf_ struct buf text = BUF_WITH_MAX((size_t)64 << 10), quoted = BUF_WITH_MAX((size_t)128 << 10);
    _cleanup_buf_ struct buf more = BUF_INIT;

    buf_add_str(&text, action);
    for (size_t i = 0; cmd && i < cmd->n; i++)
        buf_printf(&text, i ? " %s" : ": %s", cmd->v[i]);
    if (cmd && cmd->n == 1)
        buf_add_char(&text, ' '); /* Docker joins the program and its arguments, also when there are none */
    json_write_string(&quoted, text.failed ? action : buf_text(&text));
    if (quoted.failed || quoted.size < 2)
        return;
    quoted.data[quoted.size - 1] = '\0';
    buf_printf(&more, "\"execID\":\"%s\"", exec_id);
    container_event(engine, &c->record, quoted.data + 1, buf_text(&more));
}

#define DYING_WAIT_MS 1000

/* A process that is just dying refuses to be joined before it is dead. */
static bool has_ended(const struct container_state *s, int r) {
    _cleanup_fd_ int pidfd = state_open_pidfd(s);
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return pidfd < 0 || poll(&end, 1, r == -ESRCH || r == -ENOMEM ? DYING_WAIT_MS : 0) > 0;
}

int engine_exec(struct engine *engine, struct container *c, const struct exec_options *o, struct arena *a, struct monitor_conn *ret,
                struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    _cleanup_buf_ struct buf blob = BUF_INIT, attributes = BUF_INIT;
    struct start_context *x = arena_new(a, struct start_context);
    struct container_state state;
    char exec_id[ID_LENGTH + 1];
    int r = check_running(c, &state, e);
    if (r == 0)
        r = build_plan(engine, c, o, x, a, &plan, e);
    if (r == 0)
        r = id_new(exec_id);
    if (r < 0)
        return r;
    plan_encode(&plan, &blob);
    struct monitor_exec m = MONITOR_EXEC_INIT;
    m.id = c->id;
    m.plan = blob.data;
    m.plan_size = blob.size;
    m.pid = state.pid;
    m.pid_start_ticks = state.pid_start_ticks;
    m.tty = o->request.tty;
    m.open_stdin = o->open_stdin;
    m.attached = o->attached;
    m.attach_stdin = o->attach_stdin;
    m.attach_stdout = m.attach_stderr = o->attached;
    m.rows = o->rows;
    m.cols = o->columns;
    m.exec_id = exec_id;
    m.cgroup = x->cgroup;
    m.run_dirfd = c->run_dirfd;
    m.explain_fd = o->explain_fd;
    m.run_root_fd = engine->roots->run_fd;
    m.image = c->record.image_name;
    container_event_attributes(&c->record, &attributes);
    m.event_attributes = buf_text(&attributes);
    exec_event(engine, c, "exec_create", &o->request.cmd, exec_id);
    exec_event(engine, c, "exec_start", &o->request.cmd, exec_id); /* before its end, which the worker tells */
    r = monitor_exec(&m, ret, e);
    if (r >= 0 && o->exec_id)
        memcpy(o->exec_id, exec_id, sizeof(exec_id));
    if (r < 0)
        event_tell(engine->roots->run_fd, "container", "exec_die", c->id, "execID", exec_id, "exitCode",
                   e && e->status == EXIT_NOT_FOUND ? "127" : "126", "image", c->record.image_name, "name", c->record.name,
                   (char *)NULL);
    if (r < 0 && has_ended(&state, r)) /* meanwhile: the kernel then says all sorts of things */
        return error_set(e, -EINVAL, "container %s is not running", c->id);
    return r;
}

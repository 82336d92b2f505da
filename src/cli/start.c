/* start and attach: joining a container's streams. */
#include "engine/start.h"
#include "cli/command.h"
#include "cli/foreground.h"
#include "engine/lookup.h"

struct start_flags {
    bool attach, interactive, no_stdin;
    const char *detach_keys;
    struct opt_bool sig_proxy;
};

static const struct option start_table[] = {
    OPTION_BOOL(struct start_flags, attach, 'a', "attach", "Attach STDOUT/STDERR and forward signals"),
    OPTION_STR(struct start_flags, detach_keys, 0, "detach-keys", "string", "Override the key sequence for detaching a container"),
    OPTION_BOOL(struct start_flags, interactive, 'i', "interactive", "Attach container's STDIN"),
    OPTION_FULL(struct start_flags, sig_proxy, 0, "sig-proxy", OPTION_KIND_OPT_BOOL, NULL, 0, "true",
                "Proxy all received signals to the process"),
    OPTION_END,
};

static struct foreground_options foreground_of(struct cli *cli, const struct start_flags *f, const struct container *c, bool in) {
    struct foreground_options o = FOREGROUND_INIT;
    o.tty = c->record.config.tty;
    o.in = in;
    o.sig_proxy = f->sig_proxy.value && !o.tty;
    o.detach_keys = f->detach_keys ? f->detach_keys : cli_detach_keys(cli);
    return o;
}

static int start_detached(struct cli *cli, struct engine *engine, const char *name, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    const struct start_options o = START_OPTIONS_INIT;
    struct container_state state;
    int r = container_open(engine, name, &cli->arena, &c, e);
    if (r >= 0)
        r = container_state(&c, &state, e);
    if (r >= 0 && state.status == STATUS_PAUSED)
        return error_set(e, -EINVAL, "cannot start a paused container, try unpause instead");
    if (r < 0 || container_is_alive(&state))
        return r;
    r = engine_start(engine, &c, &o, &cli->arena, &conn, e);
    if (r != -EALREADY)
        return r;
    error_release(e); /* another command was faster */
    return 0;
}

static int start_attached(struct cli *cli, struct engine *engine, const struct start_flags *f, const char *name, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    struct start_options o = START_OPTIONS_INIT;
    int r = container_open(engine, name, &cli->arena, &c, e);
    if (r < 0)
        return r;
    o.attached = o.attach_stdout = o.attach_stderr = true;
    o.attach_stdin = f->interactive && c.record.config.open_stdin;
    r = foreground_check_tty(c.record.config.tty, o.attach_stdin, e);
    if (c.record.config.tty)
        foreground_size(&o.rows, &o.columns);
    if (r == 0)
        r = engine_start(engine, &c, &o, &cli->arena, &conn, e);
    if (r < 0)
        return r;
    const struct foreground_options fg = foreground_of(cli, f, &c, o.attach_stdin);
    return foreground_carry(&conn, &c, &fg, e);
}

static int start_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct start_flags *f = options;
    struct engine *engine;
    _cleanup_buf_ struct buf failed = BUF_INIT;
    size_t n = 0;
    int r = cli_engine(cli, &engine, e);
    if (r < 0)
        return r;
    if (f->attach || f->interactive) {
        if (args->n > 1)
            return error_set(e, -EINVAL, "you cannot start and attach multiple containers at once");
        return start_attached(cli, engine, f, args->v[0], e);
    }
    for (size_t i = 0; i < args->n; i++) {
        struct error why = ERROR_INIT;
        if (start_detached(cli, engine, args->v[i], &why) < 0) {
            (void)cli_report(&why);
            buf_printf(&failed, "%s%s", n++ ? ", " : "", args->v[i]);
        } else {
            puts(args->v[i]);
        }
    }
    return n ? error_set(e, -EINVAL, "failed to start containers: %s", buf_text(&failed)) : 0;
}

const struct command command_start = {.names = {"start", "container start"},
                                      .usage = "CONTAINER [CONTAINER...]",
                                      .summary = "Start one or more stopped containers",
                                      COMMAND_OPTIONS(struct start_flags, start_table),
                                      .args_min = 1,
                                      .args_max = COMMAND_ARGS_ANY,
                                      .flags = COMMAND_STARTS,
                                      .run = start_run};

/* --- attach ---------------------------------------------------------------------------------------------------------------- */

static const struct option attach_table[] = {
    OPTION_STR(struct start_flags, detach_keys, 0, "detach-keys", "string", "Override the key sequence for detaching a container"),
    OPTION_BOOL(struct start_flags, no_stdin, 0, "no-stdin", "Do not attach STDIN"),
    OPTION_FULL(struct start_flags, sig_proxy, 0, "sig-proxy", OPTION_KIND_OPT_BOOL, NULL, 0, "true",
                "Proxy all received signals to the process"),
    OPTION_END,
};

static int check_attachable(const struct container *c, struct error *e) {
    struct container_state state;
    int r = container_state(c, &state, e);
    if (r < 0)
        return r;
    if (state.status == STATUS_PAUSED)
        return error_set(e, -EINVAL, "cannot attach to a paused container, unpause it first");
    if (state.status == STATUS_RESTARTING)
        return error_set(e, -EINVAL, "cannot attach to a restarting container, wait until it is running");
    return container_is_alive(&state) ? 0 : error_set(e, -EINVAL, "cannot attach to a stopped container, start it first");
}

static int attach_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct start_flags *f = options;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r == 0)
        r = check_attachable(&c, e);
    if (r < 0)
        return r;
    struct attach_options o = {.in = !f->no_stdin && c.record.config.open_stdin, .out = true, .err = true};
    r = foreground_check_tty(c.record.config.tty, o.in, e);
    if (c.record.config.tty)
        foreground_size(&o.rows, &o.cols);
    if (r == 0)
        r = monitor_connect(c.run_dirfd, &conn, e);
    if (r == 0)
        r = monitor_attach(&conn, &o, e);
    if (r < 0)
        return r;
    const struct foreground_options fg = foreground_of(cli, f, &c, o.in);
    return foreground_carry(&conn, &c, &fg, e);
}

const struct command command_attach = {.names = {"attach", "container attach"},
                                       .usage = "CONTAINER",
                                       .summary = "Attach local standard input, output, and error streams to a running container",
                                       COMMAND_OPTIONS(struct start_flags, attach_table),
                                       .args_min = 1,
                                       .args_max = 1,
                                       .run = attach_run};

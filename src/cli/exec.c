
#include "engine/exec.h"
#include "cli/command.h"
#include "cli/container_flags.h"
#include "cli/foreground.h"
#include "engine/lookup.h"

struct exec_flags {
    bool detach, interactive, tty, privileged, explain;
    const char *user, *workdir, *detach_keys;
    struct strs env, env_file;
};

static const struct option exec_table[] = {
    OPTION_BOOL(struct exec_flags, detach, 'd', "detach", "Detached mode: run command in the background"),
    OPTION_STR(struct exec_flags, detach_keys, 0, "detach-keys", "string", "Override the key sequence for detaching a container"),
    OPTION_LIST(struct exec_flags, env, 'e', "env", "list", "Set environment variables"),
    OPTION_LIST(struct exec_flags, env_file, 0, "env-file", "list", "Read in a file of environment variables"),
    OPTION_BOOL(struct exec_flags, explain, 0, "explain",
                "Tell each step as it happens, with its system calls, time, and manual page"),
    OPTION_BOOL(struct exec_flags, interactive, 'i', "interactive", "Keep STDIN open even if not attached"),
    OPTION_BOOL(struct exec_flags, privileged, 0, "privileged", "Give extended privileges to the command"),
    OPTION_BOOL(struct exec_flags, tty, 't', "tty", "Allocate a pseudo-TTY"),
    OPTION_STR(struct exec_flags, user, 'u', "user", "string", "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
    OPTION_STR(struct exec_flags, workdir, 'w', "workdir", "string", "Working directory inside the container"),
    OPTION_END,
};

static int fill(const struct exec_flags *f, const struct strs *args, struct arena *a, struct exec_options *o, struct error *e) {
    int r = env_resolve(&f->env_file, &f->env, a, &o->request.env, e);
    o->request.cmd = (struct strs){args->v + 1, args->n - 1};
    o->request.user = f->user;
    o->request.working_dir = f->workdir;
    o->request.tty = f->tty;
    o->request.privileged = f->privileged;
    o->attached = !f->detach;
    o->attach_stdin = f->interactive && !f->detach;
    o->open_stdin = f->interactive;
    o->explain_fd = f->explain ? STDERR_FILENO : -1;
    return r;
}

static int exec_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct exec_flags *f = options;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    struct exec_options o = {0};
    char exec_id[ID_LENGTH + 1];
    struct engine *engine;
    int r = fill(f, args, &cli->arena, &o, e);
    if (r >= 0)
        r = foreground_check_tty(f->tty, o.attach_stdin, e);
    if (r >= 0)
        r = cli_engine(cli, &engine, e);
    if (r >= 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (f->tty)
        foreground_size(&o.rows, &o.columns);
    o.exec_id = exec_id;
    if (r == 0)
        r = engine_exec(engine, &c, &o, &cli->arena, &conn, e);
    if (r < 0 || f->detach)
        return r;
    struct foreground_options fg = FOREGROUND_INIT;
    fg.tty = f->tty;
    fg.in = o.attach_stdin;
    fg.sig_proxy = false;
    fg.detach_keys = f->detach_keys ? f->detach_keys : cli_detach_keys(cli);
    return foreground_carry(&conn, NULL, &fg, e);
}

const struct command command_exec = {.names = {"exec", "container exec"},
                                     .usage = "CONTAINER COMMAND [ARG...]",
                                     .summary = "Execute a command in a running container",
                                     COMMAND_OPTIONS(struct exec_flags, exec_table),
                                     .args_min = 2,
                                     .args_max = COMMAND_ARGS_ANY,
                                     .flags = COMMAND_STOP_AT_ARGUMENT | COMMAND_COMMON | COMMAND_ENTERS,
                                     .run = exec_run};

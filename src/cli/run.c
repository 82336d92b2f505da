#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "cli/container_flags.h"
#include "cli/foreground.h"
#include "cli/pull_view.h"
#include "engine/create.h"
#include "engine/start.h"

struct run_flags {
    struct container_flags container;
    bool detach, explain, dry_run;
    struct opt_bool sig_proxy;
    const char *detach_keys;
};

static const struct option run_table[] = {
    OPTION_INCLUDE(struct run_flags, container, container_flag_table),
    OPTION_BOOL(struct run_flags, detach, 'd', "detach", "Run container in background and print container ID"),
    OPTION_STR(struct run_flags, detach_keys, 0, "detach-keys", "string", "Override the key sequence for detaching a container"),
    OPTION_BOOL(struct run_flags, dry_run, 0, "dry-run", "Print the plan: every step that would be done, why, and its manual page"),
    OPTION_BOOL(struct run_flags, explain, 0, "explain",
                "Tell each step as it happens, with its system calls, time, and manual page"),
    OPTION_FULL(struct run_flags, sig_proxy, 0, "sig-proxy", OPTION_KIND_OPT_BOOL, NULL, 0, "true",
                "Proxy received signals to the process"),
    OPTION_END,
};

static int parse_attach(const struct strs *names, struct start_options *o, struct error *e) {
    for (size_t i = 0; i < names->n; i++) {
        if (strcasecmp(names->v[i], "stdin") == 0)
            o->attach_stdin = true;
        else if (strcasecmp(names->v[i], "stdout") == 0)
            o->attach_stdout = true;
        else if (strcasecmp(names->v[i], "stderr") == 0)
            o->attach_stderr = true;
        else
            return error_set(e, -EINVAL,
                             "invalid argument \"%s\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR",
                             names->v[i]);
    }
    return 0;
}

/* Which streams the foreground has: those of -a, else stdout and stderr, and stdin with -i. */
static int choose_streams(const struct run_flags *f, struct start_options *o, struct error *e) {
    const struct container_flags *c = &f->container;
    if (f->detach && c->attach.n) {
        error_set(e, -EINVAL, "conflicting options: cannot specify both --attach and --detach");
        return error_status(e, 1), -EINVAL;
    }
    if (f->detach)
        return 0;
    o->attached = true;
    if (c->attach.n)
        return parse_attach(&c->attach, o, e);
    o->attach_stdin = c->interactive;
    o->attach_stdout = o->attach_stderr = true;
    return 0;
}

static int write_cidfile(const char *path, const char *id, struct error *e) {
    if (!path)
        return 0;
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int r = fd < 0 ? -errno : fs_write_all(fd, id, ID_LENGTH);
    return r < 0 ? error_errno(e, r, "write the container ID file %s", path) : 0;
}

static int check_cidfile(const char *path, struct error *e) {
    if (path && access(path, F_OK) == 0)
        return error_set(e, -EEXIST, "container ID file found, make sure the other container isn't running or delete %s", path);
    return 0;
}

static int create_container(struct cli *cli, const struct container_flags *f, const struct strs *args, bool lasting,
                            bool then_start, struct engine **ret_engine, struct container *ret, struct create_request *request,
                            struct error *e) {
    struct pull_view view;
    struct create_options o = {.name = f->name, .platform = f->platform, .then_start = then_start, .lasting = lasting};
    if (!f->rootfs && args->n == 0) {
        error_set(e, -EINVAL, "'tare %s' requires at least 1 argument", then_start ? "run" : "create");
        return error_status(e, 1), -EINVAL;
    }
    int r = container_flags_request(f, args, &cli->arena, request, e);
    if (r == 0)
        r = pull_policy_parse(f->pull, &o.pull.policy, e);
    if (r >= 0)
        r = check_cidfile(f->cidfile, e);
    if (r >= 0)
        r = cli_engine(cli, ret_engine, e);
    if (r < 0)
        return r;
    pull_view_init(&view, stderr, f->quiet);
    o.pull.platform = f->platform;
    o.pull.observer = &view.observer;
    r = engine_create(*ret_engine, request, &o, &cli->arena, ret, e);
    pull_view_end(&view);
    return r < 0 ? r : write_cidfile(f->cidfile, ret->id, e);
}

static int carry(struct cli *cli, const struct run_flags *f, const struct container *c, const struct start_options *s,
                 struct monitor_conn *conn, struct error *e) {
    struct foreground_options o = FOREGROUND_INIT;
    o.tty = f->container.tty;
    o.in = s->attach_stdin;
    o.out = s->attach_stdout;
    o.err = s->attach_stderr;
    o.sig_proxy = f->sig_proxy.value && !f->container.tty;
    o.detach_keys = f->detach_keys ? f->detach_keys : cli_detach_keys(cli);
    return foreground_carry(conn, c, &o, e);
}

static int start_container(struct cli *cli, const struct run_flags *f, struct engine *engine, struct container *c,
                           struct start_options *s, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    _cleanup_buf_ struct buf plan = BUF_INIT;
    if (f->explain)
        s->explain_fd = STDERR_FILENO;
    if (f->dry_run)
        s->dry_run = &plan;
    int r = engine_start(engine, c, s, &cli->arena, &conn, e);
    s->dry_run = NULL; /* our own buffer, which ends with this function */
    if (r < 0) {
        /* docker run: a container that could not start stays, unless --rm */
        return error_status(e, e->status ? e->status : EXIT_ENGINE);
    }
    if (f->dry_run)
        return cli_write(&plan, e);
    if (!s->attached) {
        puts(c->id);
        return 0;
    }
    if (!s->attach_stdout && !s->attach_stderr) { /* -a stdin alone: nothing of the container's is printed, so its id is */
        puts(c->id);
        (void)fflush(stdout);
    }
    return carry(cli, f, c, s, &conn, e);
}

static int run_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct run_flags *f = options;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct start_options s = START_OPTIONS_INIT;
    struct create_request request;
    struct engine *engine;
    struct run_flags flags = *f;
    flags.container.rm = f->container.rm || f->dry_run;
    int r = choose_streams(f, &s, e);
    if (r >= 0)
        r = foreground_check_tty(f->container.tty, s.attach_stdin, e);
    if (r >= 0)
        r = create_container(cli, &flags.container, args, f->detach || !f->container.rm, true, &engine, &c, &request, e);
    if (r < 0)
        return r;
    if (f->container.tty)
        foreground_size(&s.rows, &s.columns);
    c.record.config.stdin_once = f->container.interactive && s.attached;
    return start_container(cli, &flags, engine, &c, &s, e);
}

const struct command command_run = {
    .names = {"run", "container run"},
    .usage = "IMAGE [COMMAND] [ARG...]",
    .summary = "Create and run a new container from an image",
    COMMAND_OPTIONS(struct run_flags, run_table),
    .args_min = 0, /* none with --rootfs, whose COMMAND may come from nowhere else */
    .args_max = COMMAND_ARGS_ANY,
    .flags = COMMAND_STOP_AT_ARGUMENT | COMMAND_COMMON | COMMAND_ERROR_HELP | COMMAND_STARTS,
    .run = run_run,
};

/* --- create ---------------------------------------------------------------------------------------------------------------- */

struct create_flags {
    struct container_flags container;
};

static const struct option create_table[] = {
    OPTION_INCLUDE(struct create_flags, container, container_flag_table),
    OPTION_END,
};

static int create_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct create_flags *f = options;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct create_request request;
    struct engine *engine;
    int r = create_container(cli, &f->container, args, true, false, &engine, &c, &request, e);
    if (r == 0)
        puts(c.id);
    return r;
}

const struct command command_create = {
    .names = {"create", "container create"},
    .usage = "IMAGE [COMMAND] [ARG...]",
    .summary = "Create a new container",
    COMMAND_OPTIONS(struct create_flags, create_table),
    .args_min = 0,
    .args_max = COMMAND_ARGS_ANY,
    .flags = COMMAND_STOP_AT_ARGUMENT,
    .run = create_run,
};

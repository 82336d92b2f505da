/* Commands over several containers: stop, kill, rm, pause, unpause, restart, wait, rename. Each goes on after a failure, and prints
 * the name as it was given for each that worked, as Docker does. */
#include <signal.h>
#include <string.h>

#include "cli/command.h"
#include "engine/lookup.h"
#include "engine/operate.h"
#include "model/signal_name.h"

struct lifecycle_flags {
    const char *signal;
    struct opt_i64 timeout;
    bool force, volumes;
};

typedef int one_fn(struct cli *cli, struct engine *engine, const char *name, const struct lifecycle_flags *f, struct error *e);

struct task {
    struct engine *engine;
    const struct lifecycle_flags *flags;
    one_fn *fn;
    bool print;
};

static int task_one(struct cli *cli, const char *name, void *context, struct error *e) {
    const struct task *t = context;
    int r = t->fn(cli, t->engine, name, t->flags, e);

    if (t->print && r == 0)
        puts(name);
    return r;
}

static int over_all(struct cli *cli, const struct lifecycle_flags *f, const struct strs *args, one_fn *one, bool print,
                    struct error *e) {
    struct task t = {.flags = f, .fn = one, .print = print};
    int r = cli_engine(cli, &t.engine, e);

    return r < 0 ? r : cli_each(cli, args, task_one, &t, e);
}

static int signal_of(const struct lifecycle_flags *f, int *ret, struct error *e) {
    *ret = f->signal ? signal_parse(f->signal) : 0;
    return f->signal && *ret == 0 ? error_set(e, -EINVAL, "invalid signal: %s", f->signal) : 0;
}

static int timeout_of(const struct lifecycle_flags *f) {
    return f->timeout.set ? (int)MAX_OF(MIN_OF(f->timeout.value, INT32_MAX), -1) : INT32_MIN;
}

/* --- stop, restart, kill --------------------------------------------------------------------------------------------------- */

static const struct option stop_table[] = {
    OPTION_STR(struct lifecycle_flags, signal, 's', "signal", "string", "Signal to send to the container"),
    OPTION_AT(struct lifecycle_flags, timeout, 't', "timeout", OPTION_KIND_OPT_INT, "int",
              "Seconds to wait before killing the container"),
    OPTION_FULL(struct lifecycle_flags, timeout, 0, "time", OPTION_KIND_OPT_INT, "int", OPTION_HIDDEN, NULL, ""),
    OPTION_END,
};

static int stop_one(struct cli *cli, struct engine *engine, const char *name, const struct lifecycle_flags *f, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    int signo, r = signal_of(f, &signo, e);
    if (r == 0)
        r = container_open(engine, name, &cli->arena, &c, e);
    return r < 0 ? r : container_stop(engine, &c, signo, timeout_of(f), e);
}

static int restart_one(struct cli *cli, struct engine *engine, const char *name, const struct lifecycle_flags *f, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    int signo, r = signal_of(f, &signo, e);
    if (r == 0)
        r = container_open(engine, name, &cli->arena, &c, e);
    return r < 0 ? r : container_restart(engine, &c, signo, timeout_of(f), &cli->arena, e);
}

static const struct option kill_table[] = {
    OPTION_STR(struct lifecycle_flags, signal, 's', "signal", "string", "Signal to send to the container"),
    OPTION_END,
};

static int kill_one(struct cli *cli, struct engine *engine, const char *name, const struct lifecycle_flags *f, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    int signo, r = signal_of(f, &signo, e);
    if (r == 0)
        r = container_open(engine, name, &cli->arena, &c, e);
    if (r == -ENOENT)
        return error_wrap(e, r, "cannot kill container: %s", name);
    return r < 0 ? r : container_kill(engine, &c, signo ? signo : SIGKILL, e);
}

/* --- pause, unpause, wait, rm ---------------------------------------------------------------------------------------------- */

static int pause_or_not(struct cli *cli, struct engine *engine, const char *name, bool pause, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    int r = container_open(engine, name, &cli->arena, &c, e);
    return r < 0 ? r : container_pause(engine, &c, pause, e);
}

static int pause_one(struct cli *cli, struct engine *engine, const char *name, const struct lifecycle_flags *f _unused_,
                     struct error *e) {
    return pause_or_not(cli, engine, name, true, e);
}

static int unpause_one(struct cli *cli, struct engine *engine, const char *name, const struct lifecycle_flags *f _unused_,
                       struct error *e) {
    return pause_or_not(cli, engine, name, false, e);
}

static int wait_one(struct cli *cli, struct engine *engine, const char *name, const struct lifecycle_flags *f _unused_,
                    struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    int code, r = container_open(engine, name, &cli->arena, &c, e);
    if (r == 0)
        r = container_wait(engine, &c, WAIT_NOT_RUNNING, &code, e);
    if (r == 0) {
        printf("%d\n", code);
        fflush(stdout);
    }
    return r;
}

static const struct option rm_table[] = {
    OPTION_BOOL(struct lifecycle_flags, force, 'f', "force", "Force the removal of a running container (uses SIGKILL)"),
    OPTION_BOOL(struct lifecycle_flags, volumes, 'v', "volumes", "Remove anonymous volumes associated with the container"),
    OPTION_END,
};

static int rm_one(struct cli *cli _unused_, struct engine *engine, const char *name, const struct lifecycle_flags *f,
                  struct error *e) {
    int r = container_remove(engine, name, f->force, f->volumes, e);
    if (r != -ENOENT || !f->force)
        return r;
    error_release(e); /* rm -f of what is not there: a message, and success */
    fprintf(stderr, "Error: No such container: %s\n", name);
    return 1;
}

/* One command: its run function calls over_all() with its own part. */
#define LIFECYCLE(id, one, print)                                                                                                  \
    static int id##_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {                          \
        return over_all(cli, options, args, one, print, e);                                                                        \
    }
LIFECYCLE(stop, stop_one, true)
LIFECYCLE(restart, restart_one, true)
LIFECYCLE(kill, kill_one, true)
LIFECYCLE(pause, pause_one, true)
LIFECYCLE(unpause, unpause_one, true)
LIFECYCLE(wait, wait_one, false)
LIFECYCLE(rm, rm_one, true)

#define MANY .usage = "CONTAINER [CONTAINER...]", .args_min = 1, .args_max = COMMAND_ARGS_ANY
const struct command command_stop = {.names = {"stop", "container stop"},
                                     .summary = "Stop one or more running containers",
                                     COMMAND_OPTIONS(struct lifecycle_flags, stop_table),
                                     MANY,
                                     .run = stop_run};
const struct command command_restart = {.names = {"restart", "container restart"},
                                        .summary = "Restart one or more containers",
                                        COMMAND_OPTIONS(struct lifecycle_flags, stop_table),
                                        MANY,
                                        .flags = COMMAND_STARTS,
                                        .run = restart_run};
const struct command command_kill = {.names = {"kill", "container kill"},
                                     .summary = "Kill one or more running containers",
                                     COMMAND_OPTIONS(struct lifecycle_flags, kill_table),
                                     MANY,
                                     .run = kill_run};
const struct command command_pause = {
    .names = {"pause", "container pause"}, .summary = "Pause all processes within one or more containers", MANY, .run = pause_run};
const struct command command_unpause = {.names = {"unpause", "container unpause"},
                                        .summary = "Unpause all processes within one or more containers",
                                        MANY,
                                        .run = unpause_run};
const struct command command_wait = {.names = {"wait", "container wait"},
                                     .summary = "Block until one or more containers stop, then print their exit codes",
                                     MANY,
                                     .run = wait_run};
const struct command command_rm = {.names = {"rm", "container rm", "container remove"},
                                   .summary = "Remove one or more containers",
                                   COMMAND_OPTIONS(struct lifecycle_flags, rm_table),
                                   MANY,
                                   .run = rm_run};

/* --- rename ---------------------------------------------------------------------------------------------------------------- */

static int rename_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct engine *engine;
    if (!*args->v[0] || !*args->v[1])
        return error_set(e, -EINVAL, "Neither old nor new names may be empty");
    int r = cli_engine(cli, &engine, e);
    if (r < 0)
        return r;
    r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r == 0)
        r = container_rename(engine, &c, args->v[1], &cli->arena, e);
    if (r < 0) { /* two sentences, as Docker says it */
        (void)cli_report(e);
        return error_set(e, r, "failed to rename container named %s", args->v[0]);
    }
    return 0;
}

const struct command command_rename = {.names = {"rename", "container rename"},
                                       .usage = "CONTAINER NEW_NAME",
                                       .summary = "Rename a container",
                                       .args_min = 2,
                                       .args_max = 2,
                                       .run = rename_run};

#include <unistd.h>

#include "cli/command.h"
#include "engine/copy.h"
#include "engine/lookup.h"

struct export_options {
    const char *output;
};

static const struct option export_table[] = {
    OPTION_STR(struct export_options, output, 'o', "output", "string", "Write to a file, instead of STDOUT"),
    OPTION_END,
};

struct exporting {
    struct engine *engine;
    struct container c;
};

static int export_to(int fd, void *arg, struct error *e) {
    const struct exporting *x = arg;

    return container_export(x->engine, &x->c, fd, e);
}

static int export_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct export_options *o = options;
    struct exporting x = {.c = CONTAINER_INIT};
    int r;

    if (!o->output && isatty(STDOUT_FILENO))
        return error_set(e, -EINVAL, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    r = cli_engine(cli, &x.engine, e);
    if (r == 0)
        r = container_open(x.engine, args->v[0], &cli->arena, &x.c, e);
    if (r == 0)
        r = o->output ? cli_output(cli, o->output, 0600, export_to, &x, e) : export_to(STDOUT_FILENO, &x, e);
    container_release(&x.c);
    return r;
}

const struct command command_export = {
    .names = {"export", "container export"},
    .usage = "CONTAINER",
    .summary = "Export a container's filesystem as a tar archive",
    COMMAND_OPTIONS(struct export_options, export_table),
    .args_min = 1,
    .args_max = 1,
    .run = export_run,
};

#include <fcntl.h>
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

static int export_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct export_options *o = options;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_fd_ int file = -1;
    struct engine *engine;
    int r;

    if (!o->output && isatty(STDOUT_FILENO))
        return error_set(e, -EINVAL, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r < 0)
        return r;
    if (o->output) {
        file = open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file < 0)
            return error_errno(e, -errno, "failed to export container: %s", o->output);
    }
    return container_export(engine, &c, file >= 0 ? file : STDOUT_FILENO, e);
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

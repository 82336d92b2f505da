#include "cli/command.h"
#include "network/manage.h"

struct network_rm_options {
    bool force;
};

static const struct option network_rm_options[] = {
    OPTION_BOOL(struct network_rm_options, force, 'f', "force", "Do not error if the network does not exist"),
    OPTION_END,
};

static int network_rm_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_rm_options *o = options;
    const struct roots *roots;
    bool failed = false;
    int r = cli_roots(cli, &roots, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < args->n; i++) {
        _cleanup_error_ struct error one = ERROR_INIT;

        r = network_remove(roots, args->v[i], &one);
        if (r == 0)
            puts(args->v[i]);
        else if (r != -ENOENT || !o->force)
            failed |= cli_report(&one);
    }
    return failed;
}

const struct command command_network_rm = {
    .names = {"network rm", "network remove"},
    .usage = "NETWORK [NETWORK...]",
    .summary = "Remove one or more networks",
    COMMAND_OPTIONS(struct network_rm_options, network_rm_options),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = network_rm_run,
};

#include "cli/command.h"
#include "network/manage.h"

struct network_reload_options {
    bool all;
};

static const struct option network_reload_options[] = {
    OPTION_BOOL(struct network_reload_options, all, 'a', "all", "All networks that are in use (also when none is named)"),
    OPTION_END,
};

static int network_reload_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_reload_options *o = options;
    const struct roots *roots;
    bool failed = false;
    int r = cli_roots(cli, &roots, e);

    if (r < 0)
        return r;
    if (o->all || args->n == 0)
        return network_reload(roots, NULL, e);
    for (size_t i = 0; i < args->n; i++) {
        _cleanup_error_ struct error one = ERROR_INIT;

        if (network_reload(roots, args->v[i], &one) < 0)
            failed |= cli_report(&one);
        else
            puts(args->v[i]);
    }
    return failed;
}

const struct command command_network_reload = {
    .names = {"network reload"},
    .usage = "[NETWORK...]",
    .summary = "Put bridges, firewall rules and published ports back after somebody flushed them",
    COMMAND_OPTIONS(struct network_reload_options, network_reload_options),
    .args_max = COMMAND_ARGS_ANY,
    .run = network_reload_run,
};

#include "cli/command.h"
#include "network/manage.h"

struct network_reload_options {
    bool all;
};

static const struct option network_reload_options[] = {
    OPTION_BOOL(struct network_reload_options, all, 'a', "all", "All networks that are in use (also when none is named)"),
    OPTION_END,
};

static int reload_one(struct cli *cli, const char *name, void *context _unused_, struct error *e) {
    const struct roots *roots;
    int r = cli_roots(cli, &roots, e);

    if (r >= 0)
        r = network_reload(roots, name, e);
    if (r >= 0)
        puts(name);
    return r;
}

static int network_reload_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_reload_options *o = options;
    const struct roots *roots;
    int r;

    if (!o->all && args->n > 0)
        return cli_each(cli, args, reload_one, NULL, e);
    r = cli_roots(cli, &roots, e);
    return r < 0 ? r : network_reload(roots, NULL, e);
}

const struct command command_network_reload = {
    .names = {"network reload"},
    .usage = "[NETWORK...]",
    .summary = "Put bridges, firewall rules and published ports back after somebody flushed them",
    COMMAND_OPTIONS(struct network_reload_options, network_reload_options),
    .args_max = COMMAND_ARGS_ANY,
    .run = network_reload_run,
};

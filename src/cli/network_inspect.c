#include "cli/command.h"
#include "cli/documents.h"
#include "cli/format.h"
#include "network/manage.h"

struct network_inspect_options {
    const char *format;
    bool verbose;
};

static const struct option network_inspect_options[] = {
    OPTION_FORMAT(struct network_inspect_options, format),
    OPTION_BOOL(struct network_inspect_options, verbose, 'v', "verbose",
                "Verbose output for diagnostics (the same: there are no swarm services)"),
    OPTION_END,
};

static int open_network(struct cli *cli, const void *options _unused_, const char *name, void *network, struct error *e) {
    const struct roots *roots;
    int r = cli_roots(cli, &roots, e);

    return r < 0 ? r : network_inspect(roots, name, &cli->arena, network, e);
}

static int network_inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_inspect_options *o = options;

    return documents_print(cli, &network_table, o->format, open_network, o, args, e);
}

const struct command command_network_inspect = {
    .names = {"network inspect"},
    .usage = "NETWORK [NETWORK...]",
    .summary = "Display detailed information on one or more networks",
    COMMAND_OPTIONS(struct network_inspect_options, network_inspect_options),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = network_inspect_run,
};

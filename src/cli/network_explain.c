#include "cli/command.h"
#include "network/explain.h"

static int explain_one(struct cli *cli, const char *name, void *context _unused_, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    const struct roots *roots;
    int r = cli_roots(cli, &roots, e);

    if (r >= 0)
        r = explain_network(roots, name, &cli->arena, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

static int network_explain_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    return cli_each(cli, args, explain_one, NULL, e);
}

const struct command command_network_explain = {
    .names = {"network explain"},
    .usage = "NETWORK [NETWORK...]",
    .summary = "Say in plain words what can reach what, and what stands in the way",
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = network_explain_run,
};

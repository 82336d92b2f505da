#include "cli/command.h"
#include "network/explain.h"

static int network_explain_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    const struct roots *roots;
    bool failed = false;
    int r = cli_roots(cli, &roots, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < args->n; i++) {
        _cleanup_error_ struct error one = ERROR_INIT;
        _cleanup_buf_ struct buf out = BUF_INIT;

        if (explain_network(roots, args->v[i], &cli->arena, &out, &one) < 0)
            failed |= cli_report(&one);
        else if ((r = cli_write(&out, e)) < 0)
            return r;
    }
    return failed;
}

const struct command command_network_explain = {
    .names = {"network explain"},
    .usage = "NETWORK [NETWORK...]",
    .summary = "Say in plain words what can reach what, and what stands in the way",
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = network_explain_run,
};

#include <string.h>

#include "cli/command.h"
#include "engine/explain_container.h"
#include "network/explain.h"

static bool is_network(const struct roots *roots, const char *name, struct arena *a) {
    struct network n;

    return network_is_predefined(name) || (network_open(roots, name, a, &n, NULL) == 0 && strcmp(n.name, name) == 0);
}

/* A network's name, else a container's name or id, else a network's id: a short name may begin an id. */
static int explain_one(struct cli *cli, const char *name, void *context _unused_, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_error_ struct error why = ERROR_INIT;
    const struct roots *roots;
    struct engine *engine;
    int r = cli_roots(cli, &roots, e);

    if (r < 0)
        return r;
    if (is_network(roots, name, &cli->arena)) {
        r = explain_network(roots, name, &cli->arena, &out, e);
        return r < 0 ? r : cli_write(&out, e);
    }
    r = cli_engine(cli, &engine, &why);
    if (r == 0)
        r = explain_container(engine, name, &cli->arena, &out, &why);
    if (r == -ENOENT)
        r = explain_network(roots, name, &cli->arena, &out, e);
    else if (r < 0)
        error_move(e, &why);
    return r < 0 ? r : cli_write(&out, e);
}

static int network_explain_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    return cli_each(cli, args, explain_one, NULL, e);
}

const struct command command_network_explain = {
    .names = {"network explain"},
    .usage = "NETWORK|CONTAINER [NETWORK|CONTAINER...]",
    .summary = "Say in plain words what can reach what, and what stands in the way",
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = network_explain_run,
};

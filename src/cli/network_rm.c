#include "cli/command.h"
#include "network/manage.h"

struct network_rm_options {
    bool force;
};

static const struct option network_rm_options[] = {
    OPTION_BOOL(struct network_rm_options, force, 'f', "force", "Do not error if the network does not exist"),
    OPTION_END,
};

static int remove_one(struct cli *cli, const char *name, void *context, struct error *e) {
    const struct network_rm_options *o = context;
    const struct roots *roots;
    int r = cli_roots(cli, &roots, e);

    if (r >= 0)
        r = network_remove(roots, name, e);
    if (r >= 0)
        puts(name);
    return r == -ENOENT && o->force ? 0 : r;
}

static int network_rm_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    struct network_rm_options o = *(const struct network_rm_options *)options;

    return cli_each(cli, args, remove_one, &o, e);
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

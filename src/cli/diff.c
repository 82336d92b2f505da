#include "cli/command.h"
#include "engine/changes.h"
#include "engine/lookup.h"

static int diff_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list changes = {0};
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    if (r == 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r == 0)
        r = container_changes(engine, &c, &cli->arena, &changes, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < changes.n; i++) {
        const struct change *change = LIST_AT(struct change, &changes, i);

        buf_printf(&out, "%c %s\n", change_letter(change->kind), change->path);
    }
    return cli_write(&out, e);
}

const struct command command_diff = {
    .names = {"diff", "container diff"},
    .usage = "CONTAINER",
    .summary = "Inspect changes to files or directories on a container's filesystem",
    .args_min = 1,
    .args_max = 1,
    .run = diff_run,
};

#include "cli/command.h"
#include "engine/container_event.h"
#include "engine/lookup.h"
#include "engine/usage.h"

#define TOP_WIDTH 20 /* of a column, as Docker has it here */

static int top_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    const struct strs ps_options = {args->v + 1, args->n - 1};
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct list columns = {0}, processes = {0};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct engine *engine;
    int r = processes_columns(&ps_options, &cli->arena, &columns, e);

    if (r >= 0)
        r = cli_engine(cli, &engine, e);
    if (r >= 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r >= 0)
        r = usage_processes(engine, &c, &cli->arena, &processes, e);
    if (r < 0)
        return r;
    container_event(engine, &c.record, "top", (char *)NULL);
    processes_table(&columns, &processes, &cli->arena, TOP_WIDTH, &out);
    return cli_write(&out, e);
}

const struct command command_top = {
    .names = {"top", "container top"},
    .usage = "CONTAINER [ps OPTIONS]",
    .summary = "Display the running processes of a container",
    .flags = COMMAND_STOP_AT_ARGUMENT,
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = top_run,
};

#include "cli/command.h"
#include "cli/format.h"
#include "cli/network.h"

struct network_inspect_options {
    const char *format;
    bool verbose;
};

static const struct option network_inspect_options[] = {
    OPTION_STR(struct network_inspect_options, format, 'f', "format", "string", "Format output: json, or a Go template"),
    OPTION_BOOL(struct network_inspect_options, verbose, 'v', "verbose",
                "Verbose output for diagnostics (the same: there are no swarm services)"),
    OPTION_END,
};

static int network_inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_inspect_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct strs documents = {0};
    const struct roots *roots;
    bool failed = false;
    int r = cli_roots(cli, &roots, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < args->n; i++) {
        _cleanup_error_ struct error one = ERROR_INIT;
        _cleanup_buf_ struct buf text = BUF_INIT;
        struct network n;

        if (network_inspect(roots, args->v[i], &cli->arena, &n, &one) < 0) {
            failed |= cli_report(&one);
            continue;
        }
        json_encode(&network_table, &n, 4, &text);
        strs_add(&cli->arena, &documents, arena_strdup(&cli->arena, buf_text(&text)));
    }
    r = format_documents(o->format, &documents, &network_table, &out, e);
    if (r == 0)
        r = cli_write(&out, e);
    return r < 0 ? r : failed;
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

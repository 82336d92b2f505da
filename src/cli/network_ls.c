#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "network/manage.h"

struct network_ls_options {
    struct strs filters;
    const char *format;
    bool no_trunc, quiet;
};

static const struct option network_ls_options[] = {
    OPTION_LIST(struct network_ls_options, filters, 'f', "filter", "filter", "Provide filter values (e.g. \"driver=bridge\")"),
    OPTION_FORMAT_LIST(struct network_ls_options, format),
    OPTION_BOOL(struct network_ls_options, no_trunc, 0, "no-trunc", "Do not truncate the output"),
    OPTION_BOOL(struct network_ls_options, quiet, 'q', "quiet", "Only display network IDs"),
    OPTION_END,
};

static const struct format_column columns[] = {
    {"CreatedAt", "CREATED AT"}, {"Driver", "DRIVER"}, {"ID", "NETWORK ID"}, {"IPv4", "IPV4"},   {"IPv6", "IPV6"},
    {"Internal", "INTERNAL"},    {"Labels", "LABELS"}, {"Name", "NAME"},     {"Scope", "SCOPE"},
};

static const struct format_list list_format = {
    .columns = columns,
    .column_count = ARRAY_SIZE(columns),
    .table = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    .quiet = "{{.ID}}",
};

static const char *flag_text(bool v) {
    return v ? "true" : "false";
}

static void add_row(struct arena *a, const struct network *n, bool no_trunc, struct list *rows) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);
    const char *values[ARRAY_SIZE(columns)] = {
        n->created,
        n->driver,
        no_trunc ? n->id : arena_strndup(a, n->id, 12),
        flag_text(n->ipv4),
        flag_text(n->ipv6),
        flag_text(n->internal),
        format_labels(&n->labels, a),
        n->name,
        n->scope,
    };

    row->values = arena_memdup(a, values, sizeof(values));
    row->labels = &n->labels;
}

static int network_fits(const struct filters *f, const struct network *n, struct error *e) {
    const char *type = network_is_predefined(n->name) ? "builtin" : "custom";
    bool dangling = network_is_dangling(n);
    int r = filters_bool(f, "dangling", &dangling, e);

    return r < 0 ? r
                 : dangling == network_is_dangling(n) && filters_text_fit(f, "name", FILTER_PART, n->name) &&
                       filters_text_fit(f, "id", FILTER_PREFIX, n->id) && filters_text_fit(f, "driver", FILTER_EQUAL, n->driver) &&
                       filters_text_fit(f, "scope", FILTER_EQUAL, n->scope) && filters_text_fit(f, "type", FILTER_EQUAL, type) &&
                       filters_labels_fit(f, "label", &n->labels);
}

static int network_ls_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    static const char *const known[] = {"dangling", "driver", "id", "label", "name", "scope", "type", NULL};
    const struct network_ls_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const struct roots *roots;
    struct list all = {0}, rows = {0};
    struct filters filters;
    int r = filters_parse(&o->filters, known, &cli->arena, &filters, e);

    if (r >= 0)
        r = cli_roots(cli, &roots, e);
    if (r >= 0)
        r = network_all(roots, &cli->arena, &all, e);
    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        r = network_fits(&filters, LIST_AT(struct network, &all, i), e);
        if (r > 0)
            add_row(&cli->arena, LIST_AT(struct network, &all, i), o->no_trunc, &rows);
    }
    if (r >= 0)
        r = format_rows(&list_format, o->format, o->quiet, &rows, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_network_ls = {
    .names = {"network ls", "network list"},
    .usage = "",
    .summary = "List networks",
    COMMAND_OPTIONS(struct network_ls_options, network_ls_options),
    .run = network_ls_run,
};

#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/network.h"

struct network_ls_options {
    struct strs filters;
    const char *format;
    bool no_trunc, quiet;
};

static const struct option network_ls_options[] = {
    OPTION_LIST(struct network_ls_options, filters, 'f', "filter", "filter", "Provide filter values (e.g. \"driver=bridge\")"),
    OPTION_STR(struct network_ls_options, format, 0, "format", "string",
               "Format output: table, 'table TEMPLATE', json, or a Go template"),
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

/* Several values of one key are alternatives, as in Docker. */
static bool fits(const struct filters *f, const struct network *n, const char *key) {
    bool given = false;

    for (size_t i = 0; i < f->n; i++) {
        const char *v = f->v[i].value;
        bool hit;

        if (strcmp(f->v[i].key, key) != 0)
            continue;
        given = true;
        if (strcmp(key, "name") == 0)
            hit = strstr(n->name, v) != NULL;
        else if (strcmp(key, "id") == 0)
            hit = strncmp(n->id, v, strlen(v)) == 0;
        else if (strcmp(key, "driver") == 0)
            hit = strcmp(n->driver, v) == 0;
        else if (strcmp(key, "scope") == 0)
            hit = strcmp(n->scope, v) == 0;
        else if (strcmp(key, "type") == 0)
            hit = strcmp(network_is_predefined(n->name) ? "builtin" : "custom", v) == 0;
        else
            hit = network_is_dangling(n) == (strcmp(v, "true") == 0 || strcmp(v, "1") == 0);
        if (hit)
            return true;
    }
    return !given;
}

bool network_filters_fit(const struct filters *f, const struct network *n) {
    static const char *const keys[] = {"name", "id", "driver", "scope", "type", "dangling"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!fits(f, n, keys[i]))
            return false;
    return filters_labels_fit(f, "label", &n->labels);
}

static int network_ls_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    static const char *const known[] = {"dangling", "driver", "id", "label", "name", "scope", "type", NULL};
    const struct network_ls_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const struct roots *roots;
    struct list all = {0}, rows = {0};
    struct filters filters;
    int r = filters_parse(&o->filters, known, &cli->arena, &filters, e);

    if (r == 0)
        r = cli_roots(cli, &roots, e);
    if (r == 0)
        r = network_all(roots, &cli->arena, &all, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < all.n; i++)
        if (network_filters_fit(&filters, LIST_AT(struct network, &all, i)))
            add_row(&cli->arena, LIST_AT(struct network, &all, i), o->no_trunc, &rows);
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

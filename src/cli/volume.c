#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "engine/volume.h"
#include "model/units.h"

/* --- create ------------------------------------------------------------------------------------------------------------------- */

struct create_options {
    const char *driver;
    struct strs labels, opts;
};

static const struct option create_table[] = {
    OPTION_FULL(struct create_options, driver, 'd', "driver", OPTION_KIND_STR, "string", 0, "local", "Specify volume driver name"),
    OPTION_LIST(struct create_options, labels, 0, "label", "list", "Set metadata for a volume"),
    OPTION_LIST(struct create_options, opts, 'o', "opt", "map", "Set driver specific options"),
    OPTION_END,
};

static void split_pairs(const struct strs *texts, struct arena *a, struct map *ret) {
    for (size_t i = 0; i < texts->n; i++) {
        const char *equals = strchr(texts->v[i], '=');

        if (equals)
            map_set(a, ret, arena_strndup(a, texts->v[i], (size_t)(equals - texts->v[i])), equals + 1);
        else
            map_set(a, ret, texts->v[i], "");
    }
}

static int create_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct create_options *o = options;
    struct map opts = {0}, labels = {0};
    const struct roots *roots;
    struct volume v;
    int r = cli_roots(cli, &roots, e);

    if (r < 0)
        return r;
    split_pairs(&o->opts, &cli->arena, &opts);
    split_pairs(&o->labels, &cli->arena, &labels);
    r = volume_create(roots, args->n ? args->v[0] : NULL, o->driver, &opts, &labels, &cli->arena, &v, e);
    if (r < 0)
        return r;
    puts(v.name);
    return 0;
}

const struct command command_volume_create = {
    .names = {"volume create"},
    .usage = "[VOLUME]",
    .summary = "Create a volume",
    COMMAND_OPTIONS(struct create_options, create_table),
    .args_max = 1,
    .run = create_run,
};

/* --- ls ----------------------------------------------------------------------------------------------------------------------- */

struct ls_options {
    bool quiet;
    struct strs filters;
    const char *format;
};

static const struct option ls_table[] = {
    OPTION_LIST(struct ls_options, filters, 'f', "filter", "filter", "Provide filter values (e.g. \"dangling=true\")"),
    OPTION_STR(struct ls_options, format, 0, "format", "string",
               "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
    OPTION_BOOL(struct ls_options, quiet, 'q', "quiet", "Only display volume names"),
    OPTION_END,
};

enum column { AVAILABILITY, DRIVER, GROUP, LABELS, LINKS, MOUNTPOINT, NAME, SCOPE, SIZE, STATUS, COLUMNS };
static const struct format_column columns[COLUMNS] = {
    [AVAILABILITY] = {"Availability", "AVAILABILITY"},
    [DRIVER] = {"Driver", "DRIVER"},
    [GROUP] = {"Group", "GROUP"},
    [LABELS] = {"Labels", "LABELS"},
    [LINKS] = {"Links", "LINKS"},
    [MOUNTPOINT] = {"Mountpoint", "MOUNTPOINT"},
    [NAME] = {"Name", "VOLUME NAME"},
    [SCOPE] = {"Scope", "SCOPE"},
    [SIZE] = {"Size", "SIZE"},
    [STATUS] = {"Status", "STATUS"},
};
static const char *const filter_names[] = {"dangling", "driver", "label", "name", NULL};

/* Several values of one filter are alternatives; different filters must all fit. */
static bool any_value_fits(const struct filters *f, const char *key, const char *text, bool part) {
    bool asked = false;

    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->v[i].key, key) != 0)
            continue;
        asked = true;
        if (part ? strstr(text, f->v[i].value) != NULL : strcmp(text, f->v[i].value) == 0)
            return true;
    }
    return !asked;
}

static int volume_fits(const struct roots *roots, const struct volume *v, const struct filters *f, struct arena *a,
                       struct error *e) {
    const char *dangling = filters_get(f, "dangling");
    struct strs users = {0};
    bool wanted = false;
    int r;

    if (!any_value_fits(f, "name", v->name, true) || !any_value_fits(f, "driver", v->driver, false) ||
        !filters_labels_fit(f, "label", &v->labels))
        return 0;
    if (!dangling)
        return 1;
    if (bool_parse(dangling, &wanted) < 0)
        return error_set(e, -EINVAL, "invalid value for filter 'dangling': %s is neither true nor false", dangling);
    r = volume_users(roots, v->name, a, &users, e);
    return r < 0 ? r : (users.n == 0) == wanted;
}

static int ls_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct ls_options *o = options;
    const struct format_list list = {columns, COLUMNS, "{{.Driver}}\t{{.Name}}", "{{.Name}}"};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list volumes, rows = {0};
    const struct roots *roots;
    struct filters filters;
    int r = filters_parse(&o->filters, filter_names, &cli->arena, &filters, e);

    if (r >= 0)
        r = cli_roots(cli, &roots, e);
    if (r >= 0)
        r = volume_list(roots, &cli->arena, &volumes, e);
    for (size_t i = 0; r >= 0 && i < volumes.n; i++) {
        const struct volume *v = LIST_AT(struct volume, &volumes, i);
        struct format_row *row;

        r = volume_fits(roots, v, &filters, &cli->arena, e);
        if (r <= 0)
            continue;
        row = LIST_ADD(&cli->arena, struct format_row, &rows);
        row->labels = &v->labels;
        row->values = arena_array(&cli->arena, const char *, COLUMNS);
        row->values[AVAILABILITY] = row->values[GROUP] = row->values[LINKS] = row->values[SIZE] = row->values[STATUS] = "N/A";
        row->values[DRIVER] = v->driver;
        row->values[LABELS] = format_labels(&v->labels, &cli->arena);
        row->values[MOUNTPOINT] = v->mountpoint;
        row->values[NAME] = v->name;
        row->values[SCOPE] = v->scope;
    }
    if (r >= 0)
        r = format_rows(&list, o->format, o->quiet, &rows, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_volume_ls = {
    .names = {"volume ls", "volume list"},
    .summary = "List volumes",
    COMMAND_OPTIONS(struct ls_options, ls_table),
    .run = ls_run,
};

/* --- inspect ------------------------------------------------------------------------------------------------------------------ */

struct inspect_options {
    const char *format;
};

static const struct option inspect_table[] = {
    OPTION_STR(struct inspect_options, format, 'f', "format", "string",
               "Format output using a custom template: 'json' or 'TEMPLATE'"),
    OPTION_END,
};

static int inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct inspect_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct strs documents = {0};
    const struct roots *roots;
    bool failed = false;
    int r = cli_roots(cli, &roots, e);

    for (size_t i = 0; r >= 0 && i < args->n; i++) {
        _cleanup_error_ struct error one = ERROR_INIT;
        _cleanup_buf_ struct buf json = BUF_INIT;
        struct volume v;

        if (volume_open(roots, args->v[i], &cli->arena, &v, &one) < 0) {
            failed |= cli_report(&one);
            continue;
        }
        json_encode(&volume_table, &v, 4, &json);
        strs_add(&cli->arena, &documents, arena_strdup(&cli->arena, buf_text(&json)));
    }
    if (r >= 0)
        r = format_documents(o->format, &documents, &volume_table, &out, e);
    if (r >= 0)
        r = cli_write(&out, e);
    return r < 0 ? r : failed ? 1 : 0;
}

const struct command command_volume_inspect = {
    .names = {"volume inspect"},
    .usage = "VOLUME [VOLUME...]",
    .summary = "Display detailed information on one or more volumes",
    COMMAND_OPTIONS(struct inspect_options, inspect_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = inspect_run,
};

/* --- rm ----------------------------------------------------------------------------------------------------------------------- */

struct rm_options {
    bool force;
};

static const struct option rm_table[] = {
    OPTION_BOOL(struct rm_options, force, 'f', "force", "Force the removal of one or more volumes"),
    OPTION_END,
};

static int rm_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct rm_options *o = options;
    const struct roots *roots;
    bool failed = false;
    int r = cli_roots(cli, &roots, e);

    for (size_t i = 0; r >= 0 && i < args->n; i++) {
        _cleanup_error_ struct error one = ERROR_INIT;

        if (volume_remove(roots, args->v[i], o->force, &one) < 0)
            failed |= cli_report(&one);
        else
            puts(args->v[i]);
    }
    return r < 0 ? r : failed ? 1 : 0;
}

const struct command command_volume_rm = {
    .names = {"volume rm", "volume remove"},
    .usage = "VOLUME [VOLUME...]",
    .summary = "Remove one or more volumes",
    COMMAND_OPTIONS(struct rm_options, rm_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = rm_run,
};

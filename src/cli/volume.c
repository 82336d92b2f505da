#include <string.h>

#include "cli/command.h"
#include "cli/documents.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "engine/volume.h"
#include "model/units.h"

/* --- create ------------------------------------------------------------------------------------------------------------------- */

struct create_options {
    const char *driver, *name;
    struct strs labels, opts;
};

static const struct option create_table[] = {
    OPTION_FULL(struct create_options, driver, 'd', "driver", OPTION_KIND_STR, "string", 0, "local", "Specify volume driver name"),
    OPTION_FULL(struct create_options, name, 0, "name", OPTION_KIND_STR, "string", OPTION_HIDDEN, NULL, ""),
    OPTION_LIST(struct create_options, labels, 0, "label", "list", "Set metadata for a volume"),
    OPTION_LIST(struct create_options, opts, 'o', "opt", "map", "Set driver specific options"),
    OPTION_END,
};

static int create_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct create_options *o = options;
    struct map opts = {0}, labels = {0};
    const struct roots *roots;
    struct volume v;
    int r = cli_roots(cli, &roots, e);

    if (r >= 0 && o->name && args->n)
        r = error_set(e, -EINVAL, "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
    if (r < 0)
        return r;
    map_set_texts(&cli->arena, &opts, &o->opts);
    map_set_texts(&cli->arena, &labels, &o->labels);
    r = volume_create(roots, args->n ? args->v[0] : o->name, o->driver, &opts, &labels, &cli->arena, &v, e);
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
    OPTION_FORMAT_LIST(struct ls_options, format),
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

static int volume_fits(const struct roots *roots, const struct volume *v, const struct filters *f, struct arena *a,
                       struct error *e) {
    struct strs users = {0};
    bool wanted = false;
    int r;

    if (!filters_text_fit(f, "name", FILTER_PART, v->name) || !filters_text_fit(f, "driver", FILTER_EQUAL, v->driver) ||
        !filters_labels_fit(f, "label", &v->labels))
        return 0;
    r = filters_bool(f, "dangling", &wanted, e);
    if (r <= 0)
        return r < 0 ? r : 1;
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
    OPTION_FORMAT(struct inspect_options, format),
    OPTION_END,
};

static int open_volume(struct cli *cli, const void *options _unused_, const char *name, void *volume, struct error *e) {
    const struct roots *roots;
    int r = cli_roots(cli, &roots, e);

    return r < 0 ? r : volume_open(roots, name, &cli->arena, volume, e);
}

static int inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct inspect_options *o = options;

    return documents_print(cli, &volume_table, o->format, open_volume, o, args, e);
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

static int remove_volume(struct cli *cli, const char *name, void *context, struct error *e) {
    const struct rm_options *o = context;
    const struct roots *roots;
    int r = cli_roots(cli, &roots, e);

    if (r >= 0)
        r = volume_remove(roots, name, o->force, e);
    if (r >= 0)
        puts(name);
    return r;
}

static int rm_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    struct rm_options o = *(const struct rm_options *)options;

    return cli_each(cli, args, remove_volume, &o, e);
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

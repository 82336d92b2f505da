#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cli/command.h"
#include "cli/documents.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "engine/secret.h"

/* --- create ----------------------------------------------------------------------------------------------------------------- */

struct create_options {
    const char *driver, *template_driver;
    struct strs labels;
    bool replace;
};

static const struct option create_table[] = {
    OPTION_FULL(struct create_options, driver, 'd', "driver", OPTION_KIND_STR, "string", 0, "file", "Secret driver (file)"),
    OPTION_LIST(struct create_options, labels, 'l', "label", "list", "Secret labels"),
    OPTION_BOOL(struct create_options, replace, 0, "replace",
                "Take the place of a secret of that name; containers have it from their next start"),
    OPTION_STR(struct create_options, template_driver, 0, "template-driver", "string", "Template driver (there is none)"),
    OPTION_END,
};

static void forget(struct buf *b) {
    if (b->data)
        explicit_bzero(b->data, b->room);
    buf_release(b);
}

static int create_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct create_options *o = options;
    _cleanup_(forget) struct buf data = BUF_INIT;
    const char *path = args->n > 1 ? args->v[1] : "-";
    struct map labels = {0};
    const struct roots *roots;
    struct secret s;

    if (strcmp(o->driver, "file") != 0)
        return error_set(e, -ENOTSUP, "secret driver %s is not there (known: file)", o->driver);
    if (o->template_driver)
        return error_set(e, -ENOTSUP, "template driver %s is not there: secrets are given as they are", o->template_driver);
    /* Before the engine: an ordinary user reads his file as himself. */
    _cleanup_fd_ int fd = cli_open_input(path, e);
    int r = fd < 0 ? fd : fs_read_fd(fd, SECRET_SIZE_MAX + 1, &data, e);
    if (r < 0 && r != -EFBIG)
        return error_wrap(e, r, "secret %s", args->v[0]);
    error_release(e);
    *e = (struct error)ERROR_INIT;
    map_set_texts(&cli->arena, &labels, &o->labels);
    r = cli_roots(cli, &roots, e);
    if (r >= 0)
        r = secret_create(roots, args->v[0], &labels, data.data, data.size, o->replace, &cli->arena, &s, e);
    if (r < 0)
        return r;
    puts(s.id);
    return 0;
}

const struct command command_secret_create = {
    .names = {"secret create"},
    .usage = "SECRET [FILE|-]",
    .summary = "Create a secret from a file or STDIN as content",
    COMMAND_OPTIONS(struct create_options, create_table),
    .args_min = 1,
    .args_max = 2,
    .run = create_run,
};

/* --- ls --------------------------------------------------------------------------------------------------------------------- */

struct ls_options {
    bool quiet;
    struct strs filters;
    const char *format;
};

static const struct option ls_table[] = {
    OPTION_LIST(struct ls_options, filters, 'f', "filter", "filter",
                "Filter output based on conditions provided (id, label, name)"),
    OPTION_FORMAT_LIST(struct ls_options, format),
    OPTION_BOOL(struct ls_options, quiet, 'q', "quiet", "Only display IDs"),
    OPTION_END,
};

enum column { CREATED_AT, DRIVER, ID, LABELS, NAME, UPDATED_AT, COLUMNS };
static const struct format_column columns[COLUMNS] = {
    [CREATED_AT] = {"CreatedAt", "CREATED"}, [DRIVER] = {"Driver", "DRIVER"}, [ID] = {"ID", "ID"},
    [LABELS] = {"Labels", "LABELS"},         [NAME] = {"Name", "NAME"},       [UPDATED_AT] = {"UpdatedAt", "UPDATED"},
};
static const char *const filter_names[] = {"id", "label", "name", NULL};

static const char *age(const char *time, struct arena *a) {
    struct timespec then = {0};

    (void)time_parse(time, &then);
    return format_age(then.tv_sec, a);
}

static void add_row(const struct secret *s, struct arena *a, struct list *rows) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);

    row->labels = &s->spec.labels;
    row->values = arena_array(a, const char *, COLUMNS);
    row->values[CREATED_AT] = age(s->created_at, a);
    row->values[UPDATED_AT] = age(s->updated_at, a);
    row->values[DRIVER] = s->spec.driver.name;
    row->values[ID] = s->id;
    row->values[LABELS] = format_labels(&s->spec.labels, a);
    row->values[NAME] = s->spec.name;
}

static int ls_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct ls_options *o = options;
    const struct format_list list = {columns, COLUMNS, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.CreatedAt}}\t{{.UpdatedAt}}",
                                     "{{.ID}}"};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list all = {0}, rows = {0};
    const struct roots *roots;
    struct filters f;
    int r = filters_parse(&o->filters, filter_names, &cli->arena, &f, e);

    if (r >= 0)
        r = cli_roots(cli, &roots, e);
    if (r >= 0)
        r = secret_list(roots, &cli->arena, &all, e);
    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        const struct secret *s = LIST_AT(struct secret, &all, i);

        if (filters_text_fit(&f, "id", FILTER_PREFIX, s->id) && filters_text_fit(&f, "name", FILTER_PREFIX, s->spec.name) &&
            filters_labels_fit(&f, "label", &s->spec.labels))
            add_row(s, &cli->arena, &rows);
    }
    if (r >= 0)
        r = format_rows(&list, o->format, o->quiet, &rows, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_secret_ls = {
    .names = {"secret ls", "secret list"},
    .summary = "List secrets",
    COMMAND_OPTIONS(struct ls_options, ls_table),
    .run = ls_run,
};

/* --- inspect ---------------------------------------------------------------------------------------------------------------- */

struct inspect_options {
    const char *format;
    bool pretty;
};

static const struct option inspect_table[] = {
    OPTION_FORMAT(struct inspect_options, format),
    OPTION_BOOL(struct inspect_options, pretty, 0, "pretty", "Print the information in a human friendly format"),
    OPTION_END,
};

static void add_pretty(const struct secret *s, struct buf *out) {
    buf_printf(out, "ID:              %s\nName:            %s\n", s->id, s->spec.name);
    if (s->spec.labels.n > 0)
        buf_add_str(out, "Labels:\n");
    for (size_t i = 0; i < s->spec.labels.n; i++)
        buf_printf(out, " - %s=%s\n", s->spec.labels.v[i].key, s->spec.labels.v[i].value);
    buf_printf(out, "Driver:          %s\nCreated at:      %s\nUpdated at:      %s\n", s->spec.driver.name, s->created_at,
               s->updated_at);
}

static int open_secret(struct cli *cli, const void *options _unused_, const char *name, void *secret, struct error *e) {
    const struct roots *roots;
    int r = cli_roots(cli, &roots, e);

    return r < 0 ? r : secret_open(roots, name, &cli->arena, secret, e);
}

static int pretty_one(struct cli *cli, const char *name, void *out, struct error *e) {
    struct secret s;
    int r = open_secret(cli, NULL, name, &s, e);

    if (r >= 0)
        add_pretty(&s, out);
    return r;
}

static int inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct inspect_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    int r, status;

    if (!o->pretty)
        return documents_print(cli, &secret_table, o->format, open_secret, o, args, e);
    status = cli_each(cli, args, pretty_one, &out, e);
    r = status < 0 ? status : cli_write(&out, e);
    return r < 0 ? r : status;
}

const struct command command_secret_inspect = {
    .names = {"secret inspect"},
    .usage = "SECRET [SECRET...]",
    .summary = "Display detailed information on one or more secrets",
    .description = "Display detailed information on one or more secrets. Their content is not shown, by this or any other command.",
    COMMAND_OPTIONS(struct inspect_options, inspect_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = inspect_run,
};

/* --- rm --------------------------------------------------------------------------------------------------------------------- */

struct rm_options {
    bool force;
};

static const struct option rm_table[] = {
    OPTION_BOOL(struct rm_options, force, 'f', "force", "Also those that a container has, which then cannot start again"),
    OPTION_END,
};

static int remove_secret(struct cli *cli, const char *name, void *context, struct error *e) {
    const struct rm_options *o = context;
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    if (r >= 0)
        r = secret_remove(engine, name, o->force, &cli->arena, e);
    if (r >= 0)
        puts(name);
    return r;
}

static int rm_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    struct rm_options o = *(const struct rm_options *)options;

    return cli_each(cli, args, remove_secret, &o, e);
}

const struct command command_secret_rm = {
    .names = {"secret rm", "secret remove"},
    .usage = "SECRET [SECRET...]",
    .summary = "Remove one or more secrets",
    COMMAND_OPTIONS(struct rm_options, rm_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = rm_run,
};

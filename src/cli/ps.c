#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "engine/list.h"
#include "model/units.h"

#define COMMAND_WIDTH 20 /* code points of the command in a table */

struct ps_options {
    bool all, latest, no_trunc, quiet, size;
    int64_t last;
    struct strs filters;
    const char *format;
};

static const struct option ps_table[] = {
    OPTION_BOOL(struct ps_options, all, 'a', "all", "Show all containers (default shows just running)"),
    OPTION_LIST(struct ps_options, filters, 'f', "filter", "filter", "Filter output based on conditions provided"),
    OPTION_FORMAT_LIST(struct ps_options, format),
    OPTION_FULL(struct ps_options, last, 'n', "last", OPTION_KIND_INT, "int", 0, "-1",
                "Show n last created containers (includes all states)"),
    OPTION_BOOL(struct ps_options, latest, 'l', "latest", "Show the latest created container (includes all states)"),
    OPTION_BOOL(struct ps_options, no_trunc, 0, "no-trunc", "Don't truncate output"),
    OPTION_BOOL(struct ps_options, quiet, 'q', "quiet", "Only display container IDs"),
    OPTION_BOOL(struct ps_options, size, 's', "size", "Display total file sizes"),
    OPTION_END,
};

/* In the order that `--format json` has: Go sorts the keys of a map. */
enum column {
    COMMAND,
    CREATED_AT,
    HEALTH_STATUS,
    ID,
    IMAGE,
    LABELS,
    LOCAL_VOLUMES,
    MOUNTS,
    NAMES,
    NETWORKS,
    PLATFORM,
    PORTS,
    RUNNING_FOR,
    SIZE,
    STATE,
    STATUS,
    COLUMNS
};
static const struct format_column columns[COLUMNS] = {
    [COMMAND] = {"Command", "COMMAND"},
    [CREATED_AT] = {"CreatedAt", "CREATED AT"},
    [HEALTH_STATUS] = {"HealthStatus", "HEALTH STATUS"},
    [ID] = {"ID", "CONTAINER ID"},
    [IMAGE] = {"Image", "IMAGE"},
    [LABELS] = {"Labels", "LABELS"},
    [LOCAL_VOLUMES] = {"LocalVolumes", "LOCAL VOLUMES"},
    [MOUNTS] = {"Mounts", "MOUNTS"},
    [NAMES] = {"Names", "NAMES"},
    [NETWORKS] = {"Networks", "NETWORKS"},
    [PLATFORM] = {"Platform", "PLATFORM"},
    [PORTS] = {"Ports", "PORTS"},
    [RUNNING_FOR] = {"RunningFor", "CREATED"},
    [SIZE] = {"Size", "SIZE"},
    [STATE] = {"State", "STATE"},
    [STATUS] = {"Status", "STATUS"},
};

/* Which list of the query a filter fills. */
static const struct {
    const char *name;
    size_t offset;
} filter_lists[] = {
    {"ancestor", offsetof(struct list_query, ancestors)},
    {"exited", offsetof(struct list_query, exited)},
    {"expose", offsetof(struct list_query, expose)},
    {"health", offsetof(struct list_query, health)},
    {"id", offsetof(struct list_query, ids)},
    {"label", offsetof(struct list_query, labels)},
    {"name", offsetof(struct list_query, names)},
    {"network", offsetof(struct list_query, networks)},
    {"publish", offsetof(struct list_query, publish)},
    {"status", offsetof(struct list_query, statuses)},
    {"volume", offsetof(struct list_query, volumes)},
};
static const char *const filter_names[] = {"ancestor", "before",  "exited", "expose", "health", "id",     "label", "name",
                                           "network",  "publish", "since",  "status", "until",  "volume", NULL};

static int check_values(const struct list_query *q, struct error *e) {
    static const char *const statuses[] = {"created", "restarting", "running", "removing", "paused", "exited", "dead", NULL};
    static const char *const healths[] = {"none", "starting", "healthy", "unhealthy", NULL};
    const struct {
        const struct strs *values;
        const char *const *known;
        const char *name;
    } checks[] = {{&q->statuses, statuses, "status"}, {&q->health, healths, "health"}};
    int64_t code;

    for (size_t c = 0; c < ARRAY_SIZE(checks); c++)
        for (size_t i = 0; i < checks[c].values->n; i++) {
            size_t k = 0;

            while (checks[c].known[k] && strcmp(checks[c].known[k], checks[c].values->v[i]) != 0)
                k++;
            if (!checks[c].known[k])
                return error_set(e, -EINVAL, "invalid filter '%s=%s'", checks[c].name, checks[c].values->v[i]);
        }
    for (size_t i = 0; i < q->exited.n; i++)
        if (int_parse(q->exited.v[i], 0, 255, &code) < 0)
            return error_set(e, -EINVAL, "invalid filter 'exited=%s': a number from 0 to 255 is expected", q->exited.v[i]);
    return 0;
}

static int query_fill(const struct ps_options *o, struct arena *a, struct list_query *q, struct error *e) {
    struct filters filters;
    int r = filters_parse(&o->filters, filter_names, a, &filters, e);

    q->all = o->all;
    q->last = o->latest ? 1 : o->last;
    q->size = o->size || (o->format && strstr(o->format, ".Size"));
    for (size_t i = 0; r >= 0 && i < filters.n; i++)
        for (size_t k = 0; k < ARRAY_SIZE(filter_lists); k++)
            if (strcmp(filter_lists[k].name, filters.v[i].key) == 0)
                strs_add(a, (struct strs *)(void *)((unsigned char *)q + filter_lists[k].offset), filters.v[i].value);
    if (r < 0)
        return r;
    q->before = filters_get(&filters, "before");
    q->since = filters_get(&filters, "since");
    if (filters_get(&filters, "until"))
        r = filter_time(filters_get(&filters, "until"), &q->until, e);
    return r < 0 ? r : check_values(q, e);
}

static const char *joined(const struct strs *s, struct arena *a) {
    const char *text = "";

    for (size_t i = 0; i < s->n; i++)
        text = arena_printf(a, "%s%s%s", text, i ? "," : "", s->v[i]);
    return text;
}

static const char *command_cell(const char *command, bool whole, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (whole)
        buf_add_str(&text, command);
    else
        format_ellipsis(command, COMMAND_WIDTH, &text);
    return arena_printf(a, "\"%s\"", buf_text(&text));
}

static const char *size_cell(const struct container_summary *s, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    size_human_digits((int64_t)s->size_rw, 3, &text);
    buf_add_str(&text, " (virtual ");
    size_human_digits((int64_t)s->size_root, 3, &text);
    buf_add_char(&text, ')');
    return arena_strdup(a, buf_text(&text));
}

static void add_row(const struct container_summary *s, const struct ps_options *o, struct arena *a, struct list *rows) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);
    const char *image = s->image[0] ? s->image : s->image_id[0] ? s->image_id : "<no image>";

    row->labels = &s->labels;
    row->values = arena_array(a, const char *, COLUMNS);
    row->values[COMMAND] = command_cell(s->command, o->no_trunc, a);
    row->values[CREATED_AT] = format_local_time(s->created_ns / NS_PER_SEC, a);
    row->values[HEALTH_STATUS] = s->health;
    row->values[ID] = o->no_trunc ? s->id : arena_strndup(a, s->id, ID_SHORT_LENGTH);
    row->values[IMAGE] = o->no_trunc || strncmp(image, "sha256:", 7) != 0 ? image : arena_strndup(a, image + 7, ID_SHORT_LENGTH);
    row->values[LABELS] = format_labels(&s->labels, a);
    row->values[LOCAL_VOLUMES] = arena_printf(a, "%zu", s->volumes);
    row->values[MOUNTS] = joined(&s->mounts, a);
    row->values[NAMES] = s->name;
    row->values[NETWORKS] = joined(&s->networks, a);
    row->values[PLATFORM] = s->platform;
    row->values[PORTS] = s->ports;
    row->values[RUNNING_FOR] = format_age(s->created_ns / NS_PER_SEC, a);
    row->values[SIZE] = size_cell(s, a);
    row->values[STATE] = s->state_text;
    row->values[STATUS] = s->status_text;
}

static int ps_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    static const char plain[] = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
                      with_size[] =
                          "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}";
    const struct ps_options *o = options;
    const struct format_list list = {columns, COLUMNS, o->size ? with_size : plain, "{{.ID}}"};
    struct list_query query = LIST_QUERY_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list found = {0}, rows = {0};
    struct engine *engine;
    int r = query_fill(o, &cli->arena, &query, e);

    if (r >= 0)
        r = cli_engine(cli, &engine, e);
    if (r >= 0)
        r = container_list(engine, &query, &cli->arena, &found, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < found.n; i++)
        add_row(LIST_AT(struct container_summary, &found, i), o, &cli->arena, &rows);
    r = format_rows(&list, o->format, o->quiet, &rows, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_ps = {
    .names = {"ps", "container ls", "container list", "container ps"},
    .summary = "List containers",
    COMMAND_OPTIONS(struct ps_options, ps_table),
    .flags = COMMAND_COMMON,
    .run = ps_run,
};

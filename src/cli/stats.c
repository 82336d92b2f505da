#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/format.h"
#include "engine/list.h"
#include "engine/lookup.h"
#include "engine/usage.h"
#include "model/units.h"

struct stats_options {
    bool all, no_stream, no_trunc;
    const char *format;
};

static const struct option stats_table[] = {
    OPTION_BOOL(struct stats_options, all, 'a', "all", "Show all containers (default shows just running)"),
    OPTION_FORMAT_LIST(struct stats_options, format),
    OPTION_BOOL(struct stats_options, no_stream, 0, "no-stream", "Disable streaming stats and only pull the first result"),
    OPTION_BOOL(struct stats_options, no_trunc, 0, "no-trunc", "Do not truncate output"),
    OPTION_END,
};

enum column { BLOCK_IO, CONTAINER, CPU_PERC, ID, MEM_PERC, MEM_USAGE, NAME, NET_IO, PIDS, COLUMNS };
static const struct format_column columns[COLUMNS] = {
    [BLOCK_IO] = {"BlockIO", "BLOCK I/O"},
    [CONTAINER] = {"Container", "CONTAINER"},
    [CPU_PERC] = {"CPUPerc", "CPU %"},
    [ID] = {"ID", "CONTAINER ID"},
    [MEM_PERC] = {"MemPerc", "MEM %"},
    [MEM_USAGE] = {"MemUsage", "MEM USAGE / LIMIT"},
    [NAME] = {"Name", "NAME"},
    [NET_IO] = {"NetIO", "NET I/O"},
    [PIDS] = {"PIDs", "PIDS"},
};

struct watched {
    const char *asked; /* as the user wrote it */
    struct container container;
    struct usage_sample before, now;
    bool runs;
};

struct watch {
    struct watched *v;
    size_t n;
    struct cgroup_layout layout;
    uint64_t host_memory;
};

static void watch_release(struct watch *w) {
    for (size_t i = 0; i < w->n; i++)
        container_release(&w->v[i].container);
    w->n = 0;
}

static int watch_add(struct watch *w, struct engine *engine, const char *name, struct arena *a, struct error *e) {
    struct watched *one = &w->v[w->n];
    int r;

    *one = (struct watched){.asked = name, .container = CONTAINER_INIT};
    r = container_open(engine, name, a, &one->container, e);
    if (r < 0)
        return r;
    w->n++;
    one->runs = usage_sample(engine, &one->container, &w->layout, &one->before, NULL) == 0;
    return 0;
}

static int watch_open(struct watch *w, struct engine *engine, const struct stats_options *o, const struct strs *args,
                      struct arena *a, struct error *e) {
    struct list_query query = LIST_QUERY_INIT;
    struct list all = {0};
    int r = cgroup_layout_load(engine->roots->run_fd, &w->layout, e);

    query.all = o->all;
    w->host_memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (r == 0 && args->n == 0)
        r = container_list(engine, &query, a, &all, e);
    w->v = arena_array(a, struct watched, args->n + all.n + 1);
    for (size_t i = 0; r == 0 && i < args->n; i++)
        r = watch_add(w, engine, args->v[i], a, e);
    for (size_t i = 0; r == 0 && i < all.n; i++)
        (void)watch_add(w, engine, LIST_AT(struct container_summary, &all, i)->id, a, NULL); /* may be gone by now */
    return r;
}

static const char *pair_binary(uint64_t x, uint64_t y, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    size_human_binary((int64_t)x, &text);
    buf_add_str(&text, " / ");
    size_human_binary((int64_t)y, &text);
    return arena_strdup(a, buf_text(&text));
}

static const char *pair_decimal(uint64_t x, uint64_t y, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    size_human_digits((int64_t)x, 3, &text);
    buf_add_str(&text, " / ");
    size_human_digits((int64_t)y, 3, &text);
    return arena_strdup(a, buf_text(&text));
}

static void fill_running(const struct watched *w, uint64_t host_memory, struct arena *a, const char **values) {
    const struct cgroup_stats *g = &w->now.group;
    uint64_t limit = MIN_OF(g->memory_limit, host_memory);

    values[CPU_PERC] = arena_printf(a, "%.2f%%", usage_cpu_percent(&w->before, &w->now));
    values[MEM_USAGE] = pair_binary(g->memory_usage, limit, a);
    values[MEM_PERC] = arena_printf(a, "%.2f%%", limit ? (double)g->memory_usage / (double)limit * 100 : 0.0);
    values[NET_IO] = pair_decimal(w->now.network_in, w->now.network_out, a);
    values[BLOCK_IO] = pair_decimal(g->io_read_bytes, g->io_write_bytes, a);
    values[PIDS] = arena_printf(a, "%" PRIu64, g->pids);
}

static void add_row(const struct watched *w, const struct watch *all, const struct stats_options *o, struct arena *a,
                    struct list *rows) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);
    const char *id = o->no_trunc ? w->container.id : arena_strndup(a, w->container.id, ID_SHORT_LENGTH);

    row->values = arena_array(a, const char *, COLUMNS);
    row->values[CONTAINER] = w->asked;
    row->values[ID] = id;
    row->values[NAME] = w->container.record.name;
    row->values[CPU_PERC] = row->values[MEM_PERC] = "0.00%";
    row->values[MEM_USAGE] = row->values[NET_IO] = row->values[BLOCK_IO] = "0B / 0B";
    row->values[PIDS] = "0";
    if (w->runs)
        fill_running(w, all->host_memory, a, row->values);
}

static int print_once(struct watch *w, struct engine *engine, const struct stats_options *o, bool redraw, struct error *e) {
    static const struct format_list list = {
        columns, COLUMNS, "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
        "{{.ID}}"};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list rows = {0};
    int r;

    for (size_t i = 0; i < w->n; i++) {
        struct watched *one = &w->v[i];

        one->runs = usage_sample(engine, &one->container, &w->layout, &one->now, NULL) == 0;
        add_row(one, w, o, &a, &rows);
        one->before = one->now;
    }
    if (redraw)
        fputs("\x1b[H\x1b[2J", stdout);
    r = format_rows(&list, o->format, false, &rows, &out, e);
    if (r == 0)
        r = cli_write(&out, e);
    return r == 0 && fflush(stdout) != 0 ? error_errno(e, -errno, "write standard output") : r;
}

static int stats_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct stats_options *o = options;
    const struct timespec second = {1, 0};
    struct watch w = {0};
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    if (r == 0)
        r = watch_open(&w, engine, o, args, &cli->arena, e);
    /* A share of the processors is one between two moments: the first answer comes after a second. */
    do {
        if (r < 0)
            break;
        (void)nanosleep(&second, NULL);
        r = print_once(&w, engine, o, !o->no_stream && isatty(STDOUT_FILENO), e);
    } while (!o->no_stream);
    watch_release(&w);
    return r;
}

const struct command command_stats = {
    .names = {"stats", "container stats"},
    .usage = "[CONTAINER...]",
    .summary = "Display a live stream of container(s) resource usage statistics",
    COMMAND_OPTIONS(struct stats_options, stats_table),
    .args_max = COMMAND_ARGS_ANY,
    .run = stats_run,
};

/* What all containers use, in the text format that Prometheus reads (exposition format 0.0.4). */
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "engine/usage.h"
#include "kernel/cgroup.h"

struct metrics_row {
    const char *labels; /* id="…",name="…",image="…" */
    struct container_state state;
    struct usage_sample usage;
    bool runs;
};

enum metric_kind { GAUGE, COUNTER };

/* NAN-like "nothing to say" is told by false. */
struct metric {
    const char *name;
    enum metric_kind kind;
    const char *help;
    bool (*value)(const struct metrics_row *row, double *ret);
};

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

#define USAGE(function, expression)                                                                                                \
    static bool function(const struct metrics_row *row, double *ret) {                                                             \
        const struct cgroup_stats *g _unused_ = &row->usage.group;                                                                 \
        *ret = (double)(expression);                                                                                               \
        return row->runs;                                                                                                          \
    }
USAGE(cpu, seconds(g->cpu_ns))
USAGE(cpu_user, seconds(g->cpu_user_ns))
USAGE(cpu_system, seconds(g->cpu_system_ns))
USAGE(throttled, seconds(g->throttled_ns))
USAGE(memory, g->memory_usage)
USAGE(memory_failures, g->memory_failures)
USAGE(pids, g->pids)
USAGE(io_read, g->io_read_bytes)
USAGE(io_written, g->io_write_bytes)
USAGE(network_in, row->usage.network_in)
USAGE(network_out, row->usage.network_out)
#undef USAGE

static bool memory_limit(const struct metrics_row *row, double *ret) {
    *ret = (double)row->usage.group.memory_limit;
    return row->runs && row->usage.group.memory_limit != UINT64_MAX;
}

static bool pids_limit(const struct metrics_row *row, double *ret) {
    *ret = (double)row->usage.group.pids_limit;
    return row->runs && row->usage.group.pids_limit != UINT64_MAX;
}

static bool restarts(const struct metrics_row *row, double *ret) {
    *ret = (double)row->state.restart_count;
    return true;
}

static bool running(const struct metrics_row *row, double *ret) {
    *ret = container_is_alive(&row->state);
    return true;
}

static bool healthy(const struct metrics_row *row, double *ret) {
    *ret = row->state.health == HEALTH_HEALTHY;
    return container_is_alive(&row->state) && row->state.health != HEALTH_NONE;
}

static bool started(const struct metrics_row *row, double *ret) {
    *ret = (double)row->state.started_at.tv_sec + (double)row->state.started_at.tv_nsec / 1e9;
    return row->state.started_at.tv_sec != 0;
}

static bool exit_code(const struct metrics_row *row, double *ret) {
    *ret = row->state.exit_code;
    return row->state.status == STATUS_EXITED;
}

static const struct metric metrics[] = {
    {"tare_container_running", GAUGE, "Whether the container runs (1) or not (0).", running},
    {"tare_container_healthy", GAUGE, "Whether the health check finds it healthy; absent without one.", healthy},
    {"tare_container_start_time_seconds", GAUGE, "When it was last started, in seconds since the epoch.", started},
    {"tare_container_exit_code", GAUGE, "Exit status of a container that has ended.", exit_code},
    {"tare_container_restarts_total", COUNTER, "Restarts by its policy.", restarts},
    {"tare_container_cpu_seconds_total", COUNTER, "Processor time used.", cpu},
    {"tare_container_cpu_user_seconds_total", COUNTER, "Processor time used outside the kernel.", cpu_user},
    {"tare_container_cpu_system_seconds_total", COUNTER, "Processor time used inside the kernel.", cpu_system},
    {"tare_container_cpu_throttled_seconds_total", COUNTER, "Time for which its limit held it back.", throttled},
    {"tare_container_memory_usage_bytes", GAUGE, "Memory used, without inactive page cache.", memory},
    {"tare_container_memory_limit_bytes", GAUGE, "Memory that it may use; absent without a limit.", memory_limit},
    {"tare_container_memory_failures_total", COUNTER, "How often the memory limit was hit.", memory_failures},
    {"tare_container_pids", GAUGE, "Processes and threads.", pids},
    {"tare_container_pids_limit", GAUGE, "Processes and threads that it may have; absent without a limit.", pids_limit},
    {"tare_container_io_read_bytes_total", COUNTER, "Bytes read from block devices.", io_read},
    {"tare_container_io_written_bytes_total", COUNTER, "Bytes written to block devices.", io_written},
    {"tare_container_network_receive_bytes_total", COUNTER, "Bytes received through its interfaces.", network_in},
    {"tare_container_network_transmit_bytes_total", COUNTER, "Bytes sent through its interfaces.", network_out},
};

/* Label values: backslash, quote and newline are escaped, all else stands as it is. */
static void add_label(struct buf *out, const char *name, const char *value) {
    buf_printf(out, "%s%s=\"", out->size ? "," : "", name);
    for (; value && *value; value++) {
        if (*value == '\n')
            buf_add_str(out, "\\n");
        else if (*value == '\\' || *value == '"')
            buf_printf(out, "\\%c", *value);
        else
            buf_add_char(out, *value);
    }
    buf_add_char(out, '"');
}

static int read_row(struct engine *engine, const struct cgroup_layout *layout, const struct container_summary *s, struct arena *a,
                    struct metrics_row *row) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_buf_ struct buf labels = BUF_INIT;
    int r = container_open_id(engine, s->id, a, &c, NULL);

    if (r == 0)
        r = container_state(&c, &row->state, NULL);
    if (r < 0)
        return r; /* removed meanwhile */
    row->runs = usage_sample(engine, &c, layout, &row->usage, NULL) == 0;
    add_label(&labels, "id", s->id);
    add_label(&labels, "name", s->name);
    add_label(&labels, "image", s->image);
    row->labels = arena_strdup(a, buf_text(&labels));
    return 0;
}

static void add_metric(struct buf *out, const struct metric *m, const struct metrics_row *rows, size_t n) {
    bool begun = false;
    double value;

    for (size_t i = 0; i < n; i++) {
        if (!m->value(&rows[i], &value))
            continue;
        if (!begun)
            buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->kind == GAUGE ? "gauge" : "counter");
        begun = true;
        buf_printf(out, "%s{%s} %.17g\n", m->name, rows[i].labels, value);
    }
}

static int metrics_run(struct cli *cli, const void *options _unused_, const struct strs *args _unused_, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list_query query = LIST_QUERY_INIT;
    struct arena *a = &cli->arena;
    struct cgroup_layout layout;
    struct list all = {0};
    struct metrics_row *rows;
    struct engine *engine;
    size_t n = 0;
    int r = cli_engine(cli, &engine, e);

    query.all = true;
    if (r >= 0)
        r = cgroup_layout_load(engine->roots->run_fd, &layout, e);
    if (r >= 0)
        r = container_list(engine, &query, a, &all, e);
    if (r < 0)
        return r;
    rows = arena_array(a, struct metrics_row, all.n + 1);
    for (size_t i = 0; i < all.n; i++)
        if (read_row(engine, &layout, LIST_AT(struct container_summary, &all, i), a, &rows[n]) == 0)
            n++;
    buf_printf(&out, "# HELP tare_containers How many containers there are.\n# TYPE tare_containers gauge\ntare_containers %zu\n",
               n);
    for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
        add_metric(&out, &metrics[i], rows, n);
    return cli_write(&out, e);
}

const struct command command_metrics = {
    .names = {"metrics", "system metrics"},
    .summary = "Print what all containers use in Prometheus' text format",
    .description =
        "Print what all containers use (processors, memory, processes, block devices, network), how they are (running, healthy,\n"
        "exit status) and how often they were restarted, in the text format that Prometheus reads.\n\n"
        "No process serves it: let a timer write it where node_exporter's textfile collector looks.\n\n"
        "    tare metrics >/var/lib/node_exporter/tare.prom.new && mv /var/lib/node_exporter/tare.prom{.new,}",
    .args_min = 0,
    .args_max = 0,
    .run = metrics_run,
};

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/format.h"
#include "engine/container_event.h"
#include "engine/lookup.h"
#include "engine/usage.h"

#define TOP_WIDTH 20 /* of a column, as Docker has it here */

/* The processes are read from the host's /proc; no ps is run, neither the host's nor the container's (CVE-2022-1227). So of ps'
 * options those are known that people use: -ef, aux, and -o with a list of columns. */

static const char *clock_text(uint64_t seconds, struct arena *a) {
    return arena_printf(a, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60, seconds % 60);
}

/* ps' STIME: the hour of today's, the day of older ones. */
static const char *start_text(const struct process_info *p, struct arena *a) {
    time_t now = clock_wall().tv_sec, then = (time_t)p->started;
    struct tm tm;
    char text[16];

    if (!localtime_r(&then, &tm) || !strftime(text, sizeof(text), now - then < 24 * 3600 ? "%H:%M" : "%b%d", &tm))
        return "?";
    return arena_strdup(a, text);
}

static const char *elapsed_text(const struct process_info *p, struct arena *a) {
    uint64_t s = (uint64_t)MAX_OF(clock_wall().tv_sec - p->started, 0);

    return s >= 3600 ? clock_text(s, a) : arena_printf(a, "%02" PRIu64 ":%02" PRIu64, s / 60, s % 60);
}

#define CELL(name, text)                                                                                                           \
    static const char *cell_##name(const struct process_info *p, struct arena *a) {                                                \
        (void)a;                                                                                                                   \
        return (text);                                                                                                             \
    }
CELL(user, p->user)
CELL(uid, arena_printf(a, "%u", p->uid))
CELL(pid, arena_printf(a, "%d", (int)p->pid))
CELL(ppid, arena_printf(a, "%d", (int)p->parent))
CELL(cpu, arena_printf(a, "%u", p->cpu_percent))
CELL(pcpu, arena_printf(a, "%u.0", p->cpu_percent))
CELL(pmem,
     arena_printf(a, "%.1f", (double)p->rss_kib * 1024 * 100 / ((double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE))))
CELL(vsz, arena_printf(a, "%" PRIu64, p->vsz_kib))
CELL(rss, arena_printf(a, "%" PRIu64, p->rss_kib))
CELL(tty, p->terminal)
CELL(state, arena_printf(a, "%c", p->state))
CELL(start, start_text(p, a))
CELL(time, clock_text(p->cpu_s, a))
CELL(etime, elapsed_text(p, a))
CELL(comm, p->command)
CELL(args, p->arguments)

static const struct cell {
    const char *name, *header;
    const char *(*text)(const struct process_info *, struct arena *);
} cells[] = {
    {"user", "USER", cell_user},
    {"uid", "UID", cell_uid},
    {"pid", "PID", cell_pid},
    {"ppid", "PPID", cell_ppid},
    {"c", "C", cell_cpu},
    {"%cpu", "%CPU", cell_pcpu},
    {"pcpu", "%CPU", cell_pcpu},
    {"%mem", "%MEM", cell_pmem},
    {"pmem", "%MEM", cell_pmem},
    {"vsz", "VSZ", cell_vsz},
    {"rss", "RSS", cell_rss},
    {"tty", "TT", cell_tty},
    {"tt", "TT", cell_tty},
    {"stat", "STAT", cell_state},
    {"s", "S", cell_state},
    {"stime", "STIME", cell_start},
    {"start", "START", cell_start},
    {"time", "TIME", cell_time},
    {"etime", "ELAPSED", cell_etime},
    {"comm", "COMMAND", cell_comm},
    {"cmd", "CMD", cell_args},
    {"args", "COMMAND", cell_args},
    {"command", "COMMAND", cell_args},
};

/* Well-known forms; a header other than the column's own follows a colon. */
static const struct {
    const char *options, *columns;
} forms[] = {
    {"-ef", "user:UID pid ppid c stime tty:TTY time cmd"},
    {"-f", "user:UID pid ppid c stime tty:TTY time cmd"},
    {"aux", "user pid %cpu %mem vsz rss tty:TTY stat start time command"},
    {"-aux", "user pid %cpu %mem vsz rss tty:TTY stat start time command"},
    {"-e", "pid tty:TTY time comm:CMD"},
};

struct wanted {
    const struct cell *cell;
    const char *header;
};

static int add_column(const char *word, size_t n, struct arena *a, struct list *ret, struct error *e) {
    size_t length = MIN_OF(strcspn(word, ":="), n);

    for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
        if (strlen(cells[i].name) == length && strncasecmp(cells[i].name, word, length) == 0) {
            *LIST_ADD(a, struct wanted, ret) =
                (struct wanted){&cells[i], length < n ? arena_strndup(a, word + length + 1, n - length - 1) : cells[i].header};
            return 0;
        }
    return error_set(e, -EINVAL, "unknown column \"%.*s\" of ps", (int)n, word);
}

static int add_columns(const char *text, struct arena *a, struct list *ret, struct error *e) {
    for (const char *s = text; *s;) {
        size_t n = strcspn(s, " ,");
        int r = n ? add_column(s, n, a, ret, e) : 0;

        if (r < 0)
            return r;
        s += n + (s[n] != '\0');
    }
    return 0;
}

static int choose_columns(const struct strs *options, struct arena *a, struct list *ret, struct error *e) {
    const char *word = options->n ? options->v[0] : "-ef", *list = NULL;

    if (strncmp(word, "-eo", 3) == 0 || strncmp(word, "-o", 2) == 0) {
        list = word + (word[1] == 'e' ? 3 : 2);
        if (!*list)
            list = options->n > 1 ? options->v[1] : "";
    } else if (word[0] == 'o' || strncmp(word, "axo", 3) == 0) {
        list = options->n > 1 ? options->v[1] : "";
    }
    for (size_t i = 0; !list && i < ARRAY_SIZE(forms); i++)
        if (strcmp(forms[i].options, word) == 0)
            list = forms[i].columns;
    if (!list || !*list) {
        error_set(e, -EINVAL, "ps options \"%s\" are not known to tare, which runs no ps", word);
        return error_hint(e, "known: -ef, aux, -e, -o COLUMNS");
    }
    return add_columns(list, a, ret, e);
}

static void print_table(const struct list *columns, const struct list *processes, struct arena *a, struct buf *out) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (size_t c = 0; c < columns->n; c++)
        buf_printf(&text, "%s%s", c ? "\t" : "", LIST_AT(struct wanted, columns, c)->header);
    buf_add_char(&text, '\n');
    for (size_t i = 0; i < processes->n; i++) {
        for (size_t c = 0; c < columns->n; c++)
            buf_printf(&text, "%s%s", c ? "\t" : "",
                       LIST_AT(struct wanted, columns, c)->cell->text(LIST_AT(struct process_info, processes, i), a));
        buf_add_char(&text, '\n');
    }
    format_tabs(buf_text(&text), TOP_WIDTH, out);
}

static int top_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    const struct strs ps_options = {args->v + 1, args->n - 1};
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct list columns = {0}, processes = {0};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct engine *engine;
    int r = choose_columns(&ps_options, &cli->arena, &columns, e);

    if (r >= 0)
        r = cli_engine(cli, &engine, e);
    if (r >= 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r >= 0)
        r = usage_processes(engine, &c, &cli->arena, &processes, e);
    if (r < 0)
        return r;
    container_event(engine, &c.record, "top", (char *)NULL);
    print_table(&columns, &processes, &cli->arena, &out);
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

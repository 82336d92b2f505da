#include "runtime/processes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/tabs.h"

#define PROC_FILE_MAX ((size_t)1 << 20)

struct passwd_names {
    struct buf text;
};

static const char *user_name(const struct passwd_names *names, uint32_t uid, struct arena *a) {
    for (const char *line = buf_text(&names->text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char name[64];
        unsigned number;

        if (sscanf(line, "%63[^:\n]:%*[^:\n]:%u:", name, &number) == 2 && number == uid)
            return arena_strdup(a, name);
    }
    return arena_printf(a, "%u", uid);
}

static const char *terminal_name(unsigned device, struct arena *a) {
    if (major(device) == 136)
        return arena_printf(a, "pts/%u", minor(device));
    return "?";
}

/* proc(5), stat: what follows the last ')', since a process' name may hold anything. */
static int read_stat(pid_t pid, struct process_info *p, unsigned long long *ret_start, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    unsigned long long user, system, vsize;
    const char *open, *close;
    char path[64];
    long rss;
    int tty;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (fs_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
        return -ESRCH;
    open = strchr(buf_text(&text), '(');
    close = strrchr(buf_text(&text), ')');
    if (!open || !close ||
        sscanf(close + 1, " %c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %ld", &p->state,
               &p->parent, &tty, &user, &system, ret_start, &vsize, &rss) != 8)
        return -ESRCH;
    p->command = arena_strndup(a, open + 1, (size_t)(close - open - 1));
    p->terminal = terminal_name((unsigned)tty, a);
    p->cpu_s = (user + system) / (unsigned long long)sysconf(_SC_CLK_TCK);
    p->vsz_kib = vsize / 1024;
    p->rss_kib = (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    return 0;
}

static void read_arguments(pid_t pid, struct process_info *p, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    if (fs_read_at(AT_FDCWD, path, PROC_FILE_MAX, &text, NULL) < 0 || text.size == 0) {
        p->arguments = arena_printf(a, "[%s]", p->command);
        return;
    }
    for (size_t i = 0; i + 1 < text.size; i++) /* a line of a table: no control characters */
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            text.data[i] = ' ';
    p->arguments = arena_strdup(a, text.data);
}

static int read_process(pid_t pid, const struct passwd_names *names, struct arena *a, struct process_info *ret) {
    unsigned long long start = 0;
    struct process_info p = {.pid = pid};
    char path[64];
    struct stat st;
    int64_t age;

    (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &st) < 0 || read_stat(pid, &p, &start, a) < 0)
        return -ESRCH;
    p.uid = st.st_uid;
    p.user = user_name(names, p.uid, a);
    age = clock_boottime_ns() / NS_PER_SEC - (int64_t)(start / (unsigned long long)sysconf(_SC_CLK_TCK));
    p.started = clock_wall().tv_sec - age;
    p.cpu_percent = age > 0 ? (unsigned)(p.cpu_s * 100 / (uint64_t)age) : 0;
    read_arguments(pid, &p, a);
    *ret = p;
    return 0;
}

const char *processes_user(uint32_t uid, struct arena *a) {
    struct passwd_names names = {.text = BUF_INIT};
    const char *name;

    (void)fs_read_at(AT_FDCWD, "/etc/passwd", PROC_FILE_MAX, &names.text, NULL);
    name = user_name(&names, uid, a);
    buf_release(&names.text);
    return name;
}

static int by_pid(const void *a, const void *b) {
    return ((const struct process_info *)a)->pid - ((const struct process_info *)b)->pid;
}

void processes_read(const struct list *pids, struct arena *a, struct list *ret) {
    struct passwd_names names = {.text = BUF_INIT};

    (void)fs_read_at(AT_FDCWD, "/etc/passwd", PROC_FILE_MAX, &names.text, NULL);
    *ret = (struct list){0};
    for (size_t i = 0; i < pids->n; i++) {
        struct process_info p;

        if (read_process(*LIST_AT(pid_t, pids, i), &names, a, &p) == 0)
            *LIST_ADD(a, struct process_info, ret) = p;
    }
    buf_release(&names.text);
    if (ret->n > 1)
        qsort(ret->v, ret->n, sizeof(struct process_info), by_pid);
}

/* ---- Columns ---- */

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
    {"-x", "pid tty:TTY stat time command"},
    {"ax", "pid tty:TTY stat time command"},
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

int processes_columns(const struct strs *options, struct arena *a, struct list *ret, struct error *e) {
    const char *word = options->n ? options->v[0] : "-ef", *second = options->n > 1 ? options->v[1] : "", *list = NULL;

    if (strncmp(word, "-eo", 3) == 0 || strncmp(word, "-o", 2) == 0) {
        list = word + (word[1] == 'e' ? 3 : 2);
        if (!*list)
            list = second;
    } else if (word[0] == 'o' || strncmp(word, "axo", 3) == 0) {
        list = second;
    } else if (options->n == 2 && strcmp(word, "-e") == 0) { /* "-e -f": all are listed anyhow */
        word = second;
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

void processes_table(const struct list *columns, const struct list *processes, struct arena *a, size_t width_min, struct buf *out) {
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
    tabs_align(buf_text(&text), width_min, out);
}

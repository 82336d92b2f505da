#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/filter.h"
#include "engine/container.h"
#include "engine/log_inflate.h"
#include "engine/log_options.h"
#include "engine/lookup.h"
#include "model/units.h"
#include "runtime/log_reader.h"

struct logs_options {
    bool details, follow, timestamps;
    const char *since, *until, *tail;
};

static const struct option logs_table[] = {
    OPTION_BOOL(struct logs_options, details, 0, "details", "Show extra details provided to logs"),
    OPTION_BOOL(struct logs_options, follow, 'f', "follow", "Follow log output"),
    OPTION_STR(struct logs_options, since, 0, "since", "string",
               "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
    OPTION_FULL(struct logs_options, tail, 'n', "tail", OPTION_KIND_STR, "string", 0, "all",
                "Number of lines to show from the end of the logs"),
    OPTION_BOOL(struct logs_options, timestamps, 't', "timestamps", "Show timestamps"),
    OPTION_STR(struct logs_options, until, 0, "until", "string",
               "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
    OPTION_END,
};

struct printer {
    const struct logs_options *options;
    int r; /* of a failed write */
};

/* "key=value,key=value " from the record's object of strings, as --details shows it. */
/* As Go's url.QueryEscape. */
static void add_escaped(struct buf *line, const char *text) {
    for (const unsigned char *s = (const unsigned char *)text; *s; s++)
        if (isalnum(*s) || strchr("-_.~", *s))
            buf_add_char(line, (char)*s);
        else if (*s == ' ')
            buf_add_char(line, '+');
        else
            buf_printf(line, "%%%02X", *s);
}

static void add_details(const struct log_record *record, struct buf *line) {
    static const struct json_field fields[] = {{.name = "attrs", .kind = JSON_MAP, .offset = 0}, JSON_END};
    static const struct json_table table = {.name = "attrs", .size = sizeof(struct map), .fields = fields};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct map attrs;

    if (!record->attrs)
        return;
    buf_add_str(&text, "{\"attrs\":");
    buf_add(&text, record->attrs, record->attrs_size);
    buf_add_char(&text, '}');
    if (json_decode(&table, text.data, text.size, &a, &attrs, NULL) < 0)
        return;
    for (size_t i = 0; i < attrs.n; i++) {
        if (i)
            buf_add_char(line, ',');
        add_escaped(line, attrs.v[i].key);
        buf_add_char(line, '=');
        add_escaped(line, attrs.v[i].value);
    }
    if (attrs.n)
        buf_add_char(line, ' ');
}

static int print_record(const struct log_record *record, void *arg) {
    struct printer *p = arg;
    FILE *out = record->stream == 2 ? stderr : stdout;

    if (p->options->timestamps) {
        char text[32], fraction[16];
        struct timespec whole = {record->time.tv_sec, 0};
        char stamp[TIME_TEXT_MAX];

        /* Nine digits always: the columns stay aligned. */
        time_format(whole, stamp);
        stamp[strlen(stamp) - 1] = '\0';
        (void)snprintf(text, sizeof(text), "%s", stamp);
        (void)snprintf(fraction, sizeof(fraction), ".%09ldZ ", record->time.tv_nsec);
        fputs(text, out);
        fputs(fraction, out);
    }
    if (p->options->details) {
        _cleanup_buf_ struct buf line = BUF_INIT;

        add_details(record, &line);
        fputs(buf_text(&line), out);
    }
    if (fwrite(record->data, 1, record->size, out) != record->size || (p->options->follow && fflush(out) != 0)) {
        p->r = -errno;
        return 1;
    }
    return 0;
}

static int moment(const char *text, const char *flag, struct timespec *ret, struct error *e) {
    int64_t seconds, back;
    int r = 0;

    if (!text)
        return 0;
    if (time_parse(text, ret) == 0)
        return 0;
    if (duration_parse(text, &back) == 0 && back != 0) {
        int64_t ns = clock_wall().tv_sec * NS_PER_SEC + clock_wall().tv_nsec - back;

        *ret = (struct timespec){ns / NS_PER_SEC, ns % NS_PER_SEC};
        return 0;
    }
    r = filter_time(text, &seconds, e);
    if (r < 0)
        return error_set(e, -EINVAL, "invalid value for \"%s\": failed to parse value as time or duration: \"%s\"", flag, text);
    *ret = (struct timespec){seconds, 0};
    return 0;
}

static int driver_of(const struct container_record *r, struct arena *a, enum log_driver *ret, struct error *e) {
    struct monitor_log_options o;
    int result = log_options_fill(r, a, &o, e);

    if (result < 0)
        return result;
    *ret = (enum log_driver)o.driver;
    if (!o.no_file && log_file_name(*ret, "", (char[64]){0}, 64))
        return 0;
    error_set(e, -ENOTSUP, "configured logging driver does not support reading");
    return *ret == LOG_JOURNALD ? error_hint(e, "journalctl CONTAINER_NAME=%s", r->name) : -ENOTSUP;
}

static int query_fill(const struct logs_options *o, const struct container *c, struct arena *a, struct log_query *q,
                      struct error *e) {
    int r = driver_of(&c->record, a, &q->driver, e);

    if (r < 0)
        return r;
    q->id = c->id;
    q->follow = o->follow;
    q->run_dirfd = c->run_dirfd;
    /* Docker takes whatever is not a number for "all". */
    if (strcmp(o->tail, "all") == 0 || int_parse(o->tail, 0, INT64_MAX, &q->tail) < 0)
        q->tail = -1;
    r = moment(o->since, "since", &q->since, e);
    return r < 0 ? r : moment(o->until, "until", &q->until, e);
}

static int logs_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct printer printer = {.options = options};
    struct log_query query = LOG_QUERY_INIT;
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    if (r >= 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r >= 0)
        r = query_fill(options, &c, &cli->arena, &query, e);
    query.inflate = log_inflate;
    query.inflate_arg = engine;
    if (r >= 0)
        r = log_read(c.dirfd, &query, print_record, &printer, e);
    if (r < 0)
        return r;
    if (printer.r < 0 && printer.r != -EPIPE)
        return error_errno(e, printer.r, "write the log of %s", args->v[0]);
    return 0;
}

const struct command command_logs = {
    .names = {"logs", "container logs"},
    .usage = "CONTAINER",
    .summary = "Fetch the logs of a container",
    COMMAND_OPTIONS(struct logs_options, logs_table),
    .args_min = 1,
    .args_max = 1,
    .run = logs_run,
};

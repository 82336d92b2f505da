#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/template.h"
#include "cli/command.h"
#include "cli/filter.h"
#include "runtime/event_reader.h"

struct events_options {
    const char *since, *until, *format;
    struct strs filters;
};

static const struct option events_table[] = {
    OPTION_LIST(struct events_options, filters, 'f', "filter", "filter", "Filter output based on conditions provided"),
    OPTION_STR(struct events_options, format, 0, "format", "string",
               "Format output using a custom template:\n'json': Print in JSON format\n'TEMPLATE': Print output using the given Go "
               "template"),
    OPTION_STR(struct events_options, since, 0, "since", "string", "Show all events created since timestamp"),
    OPTION_STR(struct events_options, until, 0, "until", "string", "Stream events until this timestamp"),
    OPTION_END,
};

struct view {
    const struct filters *filters;
    struct template *template; /* NULL: words, or JSON */
    bool json;
    struct buf out;
};

/* An object is meant by its id, the beginning of it (as docker's filters take it), or its name. */
static bool names(const struct event_record *ev, const char *type, const char *value) {
    const char *name = map_get(&ev->attributes, "name"), *image = map_get(&ev->attributes, "image");

    if (strcmp(type, "image") == 0 && strcmp(ev->type, "container") == 0)
        return (image && strcmp(image, value) == 0) || (ev->from && strcmp(ev->from, value) == 0);
    if (strcmp(ev->type, type) != 0)
        return false;
    return (value[0] && strncmp(ev->id, value, strlen(value)) == 0) || (name && strcmp(name, value) == 0);
}

/* "health_status" stands for "health_status: healthy", "exec_start" for "exec_start: sh". */
static bool is_action(const struct event_record *ev, const char *value) {
    size_t n = strlen(value);

    return strncmp(ev->action, value, n) == 0 && (ev->action[n] == '\0' || ev->action[n] == ':');
}

static bool holds(const struct event_record *ev, const char *key, const char *value) {
    if (strcmp(key, "event") == 0)
        return is_action(ev, value);
    if (strcmp(key, "type") == 0)
        return strcmp(ev->type, value) == 0;
    if (strcmp(key, "scope") == 0)
        return ev->scope && strcmp(ev->scope, value) == 0;
    if (strcmp(key, "label") == 0)
        return map_fits(&ev->attributes, value);
    return names(ev, key, value);
}

/* Conditions of one kind are alternatives, except labels, which must all hold; different kinds must all hold. */
static bool fits(const struct event_record *ev, const struct filters *f) {
    for (size_t i = 0; i < f->n; i++) {
        bool found = holds(ev, f->v[i].key, f->v[i].value);

        for (size_t k = 0; !found && k < f->n && strcmp(f->v[i].key, "label") != 0; k++)
            found = strcmp(f->v[k].key, f->v[i].key) == 0 && holds(ev, f->v[k].key, f->v[k].value);
        if (!found)
            return false;
    }
    return true;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

/* 2026-11-24T17:00:00.123456789Z container start ID (image=x, name=y): always nine digits, as docker prints them. */
static void print_words(const struct event_record *ev, struct buf *out) {
    time_t seconds = (time_t)ev->time;
    struct tm tm;
    char text[32];

    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
    buf_printf(out, "%s.%09lldZ %s %s %s", text, (long long)(ev->time_nano % NS_PER_SEC), ev->type, ev->action, ev->id);
    if (ev->attributes.n) {
        qsort(ev->attributes.v, ev->attributes.n, sizeof(*ev->attributes.v), by_key);
        for (size_t i = 0; i < ev->attributes.n; i++)
            buf_printf(out, "%s%s=%s", i ? ", " : " (", ev->attributes.v[i].key, ev->attributes.v[i].value);
        buf_add_char(out, ')');
    }
}

static int show(const struct event_record *ev, const char *line, size_t n, void *arg, struct error *e) {
    struct view *v = arg;
    int r = 0;

    if (!fits(ev, v->filters))
        return 0;
    buf_clear(&v->out);
    if (v->json)
        buf_add(&v->out, line, n);
    else if (v->template)
        r = template_execute(v->template, line, n, &v->out, e);
    else
        print_words(ev, &v->out);
    buf_add_char(&v->out, '\n');
    r = r < 0 ? r : cli_write(&v->out, e);
    if (r == 0 && fflush(stdout) != 0) /* who follows wants it now */
        r = error_errno(e, -errno, "write");
    return r;
}

/* Nanoseconds, since "now" may lie within the same second as the event. Numbers may carry a fraction. */
static int moment(const char *text, int64_t *ret, struct error *e) {
    struct timespec now = clock_wall(), at;
    int64_t seconds, back;
    int r;

    if (time_parse(text, &at) == 0) {
        *ret = (int64_t)at.tv_sec * NS_PER_SEC + at.tv_nsec;
        return 0;
    }
    if (duration_parse(text, &back) == 0 && strspn(text, "0123456789.") != strlen(text)) {
        *ret = (int64_t)now.tv_sec * NS_PER_SEC + now.tv_nsec - back;
        return 0;
    }
    if (strspn(text, "0123456789.") == strlen(text)) {
        const char *dot = strchr(text, '.');
        char digits[10] = "000000000";

        if (dot)
            memcpy(digits, dot + 1, MIN_OF(strlen(dot + 1), 9U));
        *ret = (int64_t)strtoll(text, NULL, 10) * NS_PER_SEC + strtoll(digits, NULL, 10);
        return 0;
    }
    r = filter_time(text, &seconds, e);
    if (r == 0)
        *ret = seconds * NS_PER_SEC;
    return r;
}

static int events_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    static const char *const known[] = {"config", "container", "daemon", "event",   "image", "label",  "network", "node",
                                        "plugin", "scope",     "secret", "service", "type",  "volume", NULL};
    const struct events_options *o = options;
    _cleanup_template_ struct template *template = NULL;
    struct filters filters;
    struct view view = {.filters = &filters, .out = BUF_INIT};
    struct event_read q = {.history = o->since, .fn = show, .arg = &view};
    const struct roots *roots;
    int r = filters_parse(&o->filters, known, &cli->arena, &filters, e);

    if (r >= 0 && o->since)
        r = moment(o->since, &q.since_ns, e);
    if (r >= 0 && o->until)
        r = moment(o->until, &q.until_ns, e);
    view.json = o->format && strcmp(o->format, "json") == 0;
    if (r >= 0 && o->format && o->format[0] && !view.json) {
        _cleanup_free_ char *text = template_unescape(o->format);

        r = template_parse(text, &template, e);
    }
    view.template = template;
    if (r >= 0)
        r = cli_roots(cli, &roots, e);
    if (r >= 0)
        r = event_log_read(roots->run_fd, &q, e);
    buf_release(&view.out);
    return r < 0 ? r : 0;
}

const struct command command_events = {
    .names = {"events", "system events"},
    .summary = "Get real time events from the server",
    COMMAND_OPTIONS(struct events_options, events_table),
    .args_min = 0,
    .args_max = 0,
    .run = events_run,
};

#include "cli/format.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/tabs.h"
#include "base/template.h"
#include "model/units.h"

void format_ellipsis(const char *text, size_t max, struct buf *out) {
    size_t seen = 0, i = 0;

    if (tabs_width(text, strlen(text)) <= max) {
        buf_add_str(out, text);
        return;
    }
    for (; text[i]; i++) {
        if ((text[i] & 0xc0) != 0x80 && ++seen == max)
            break;
    }
    buf_add(out, text, i);
    buf_add_str(out, "…");
}

static void write_labels(const struct map *labels, struct buf *out) {
    buf_add_str(out, "{\"Label\":{");
    for (size_t i = 0; labels && i < labels->n; i++) {
        if (i)
            buf_add_char(out, ',');
        json_write_string(out, labels->v[i].key);
        buf_add_char(out, ':');
        json_write_string(out, labels->v[i].value);
    }
    buf_add_str(out, "}}");
}

/* One row (row == NULL: the headers) as a JSON object. */
static void write_row(const struct format_list *f, const struct format_row *row, struct buf *out) {
    buf_add_char(out, '{');
    for (size_t i = 0; i < f->column_count; i++) {
        const char *value = row ? row->values[i] : f->columns[i].header;

        if (i)
            buf_add_char(out, ',');
        json_write_string(out, f->columns[i].name);
        buf_add_char(out, ':');
        json_write_string(out, value ? value : "");
    }
    buf_add_char(out, '}');
}

static int render_row(const struct format_list *f, const struct template *t, const struct format_row *row, struct buf *out,
                      struct error *e) {
    _cleanup_buf_ struct buf json = BUF_INIT, labels = BUF_INIT;
    int r;

    write_row(f, row, &json);
    write_labels(row ? row->labels : NULL, &labels);
    r = template_execute_more(t, buf_text(&json), json.size, &labels, out, e);
    if (r >= 0)
        buf_add_char(out, '\n');
    return r;
}

/* --- rows without a template's machinery ----------------------------------------------------------------------------------------
 */

/* Text, or a column. */
struct piece {
    const char *text;
    size_t length;
    size_t column; /* COLUMN_NONE = text */
};
#define COLUMN_NONE SIZE_MAX

static size_t column_named(const struct format_list *f, const char *name, size_t n) {
    for (size_t i = 0; i < f->column_count; i++)
        if (strlen(f->columns[i].name) == n && strncmp(f->columns[i].name, name, n) == 0)
            return i;
    return COLUMN_NONE;
}

/* A template that is nothing but text and {{.Column}}, as those of all tables are, needs neither be parsed nor the rows be written
 * as JSON for it. False: it is more than that. */
static bool split_pieces(const struct format_list *f, const char *text, struct arena *a, struct list *ret) {
    while (*text) {
        const char *open = strstr(text, "{{"), *name = open ? open + 3 : NULL, *close;

        if (open != text)
            *LIST_ADD(a, struct piece, ret) = (struct piece){text, open ? (size_t)(open - text) : strlen(text), COLUMN_NONE};
        if (!open)
            return true;
        close = open[2] == '.' ? strstr(name, "}}") : NULL;
        if (!close)
            return false;
        *LIST_ADD(a, struct piece, ret) = (struct piece){name, 0, column_named(f, name, (size_t)(close - name))};
        if (LIST_AT(struct piece, ret, ret->n - 1)->column == COLUMN_NONE)
            return false;
        text = close + 2;
    }
    return true;
}

static void join_pieces(const struct format_list *f, const struct list *pieces, const struct format_row *row, struct buf *out) {
    for (size_t i = 0; i < pieces->n; i++) {
        const struct piece *p = LIST_AT(struct piece, pieces, i);
        const char *value = p->column == COLUMN_NONE ? NULL : row ? row->values[p->column] : f->columns[p->column].header;

        if (p->column == COLUMN_NONE)
            buf_add(out, p->text, p->length);
        else
            buf_add_str(out, value ? value : "");
    }
    buf_add_char(out, '\n');
}

/* {{.Label "key"}} in a table is headed by the key, as Docker does; here: by nothing, since the headers' map is empty. */
static int render(const struct format_list *f, const char *text, bool table, const struct list *rows, struct buf *out,
                  struct error *e) {
    _cleanup_template_ struct template *t = NULL;
    _cleanup_free_ char *unescaped = template_unescape(text);
    _cleanup_buf_ struct buf plain = BUF_INIT;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct list pieces = {0};
    bool simple = split_pieces(f, unescaped, &a, &pieces);
    int r = simple ? 0 : template_parse(unescaped, &t, e);

    for (size_t i = table ? 0 : 1; r >= 0 && i <= rows->n; i++) {
        const struct format_row *row = i ? LIST_AT(struct format_row, rows, i - 1) : NULL;

        if (simple)
            join_pieces(f, &pieces, row, &plain);
        else
            r = render_row(f, t, row, &plain, e);
    }
    if (r < 0)
        return r;
    if (table)
        tabs_align(buf_text(&plain), FORMAT_WIDTH, out);
    else
        buf_add(out, buf_text(&plain), plain.size);
    return 0;
}

int format_rows(const struct format_list *f, const char *format, bool quiet, const struct list *rows, struct buf *out,
                struct error *e) {
    bool table = !format || !*format || !strcmp(format, "table");

    if (table && quiet)
        return render(f, f->quiet, false, rows, out, e);
    if (table)
        return render(f, f->table, true, rows, out, e);
    if (!strcmp(format, "json")) {
        for (size_t i = 0; i < rows->n; i++) {
            write_row(f, LIST_AT(struct format_row, rows, i), out);
            buf_add_char(out, '\n');
        }
        return 0;
    }
    if (!strncmp(format, "table ", 6) || !strncmp(format, "table\\t", 7))
        return render(f, format + 6 - (format[5] == '\\'), true, rows, out, e);
    return render(f, format, false, rows, out, e);
}

const char *format_age(int64_t created, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (created <= 0)
        return "N/A";
    duration_human(clock_wall().tv_sec - created, &text);
    return arena_printf(a, "%s ago", buf_text(&text));
}

const char *format_local_time(int64_t t, struct arena *a) {
    time_t seconds = (time_t)t;
    struct tm tm;
    char text[64];

    if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z %Z", &tm))
        return "";
    return arena_strdup(a, text);
}

const char *format_labels(const struct map *labels, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (size_t i = 0; i < labels->n; i++)
        buf_printf(&text, "%s%s=%s", i ? "," : "", labels->v[i].key, labels->v[i].value);
    return arena_strdup(a, buf_text(&text));
}

int format_documents(const char *format, const struct strs *documents, const struct json_table *type, struct buf *out,
                     struct error *e) {
    _cleanup_template_ struct template *t = NULL;
    int r;

    if (!format || !*format) {
        if (!documents->n) {
            buf_add_str(out, "[]\n");
            return 0;
        }
        buf_add_str(out, "[\n");
        for (size_t i = 0; i < documents->n; i++) {
            const char *p = documents->v[i];

            buf_add_str(out, i ? ",\n    " : "    ");
            for (; *p; p++) { /* one level deeper; newlines inside strings are escaped, so each one here ends a line */
                buf_add_char(out, *p);
                if (*p == '\n')
                    buf_add_str(out, "    ");
            }
        }
        buf_add_str(out, "\n]\n");
        return 0;
    }
    r = template_parse(strcmp(format, "json") ? format : "{{json .}}", &t, e);
    for (size_t i = 0; r >= 0 && i < documents->n; i++) {
        r = template_execute_typed(t, documents->v[i], strlen(documents->v[i]), type, out, e);
        if (r >= 0)
            buf_add_char(out, '\n');
    }
    return r;
}

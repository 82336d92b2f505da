/* How lists are printed: Docker's --format for ps, images, volume ls, …: NULL (the command's own table), "table TEMPLATE", "json",
 * or a template for each row. Rows are strings by column. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/* --format of a list, and of an answer of `inspect`: rows of a command's option table. */
#define OPTION_FORMAT_LIST(struct_, member)                                                                                        \
    OPTION_STR(struct_, member, 0, "format", "string",                                                                             \
               "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'")
#define OPTION_FORMAT(struct_, member)                                                                                             \
    OPTION_STR(struct_, member, 'f', "format", "string", "Format output using a custom template: 'json' or 'TEMPLATE'")

struct format_column {
    const char *name;   /* of the field: "ID" */
    const char *header; /* in a table: "CONTAINER ID" */
};

struct format_list {
    const struct format_column *columns; /* all that a template may use, in the order of `json` */
    size_t column_count;
    const char *table; /* the default: "{{.ID}}\t{{.Names}}", without the word table */
    const char *quiet; /* what -q prints for a row: "{{.ID}}" */
};

struct format_row {
    const char **values;      /* by column; NULL = "" */
    const struct map *labels; /* for {{.Label "key"}}; NULL = none */
};

/* Prints all rows into out. rows: of struct format_row. -EINVAL: the template is wrong; out may then hold a part. */
int format_rows(const struct format_list *f, const char *format, bool quiet, const struct list *rows, struct buf *out,
                struct error *e);

/* Prints one answer of `inspect`: a template or "json" for each of `n` documents, NULL = a JSON array of all (indented by 4). type:
 * what they were encoded by, so that a template can name fields that are empty and left out; NULL = unknown. */
struct json_table;
int format_documents(const char *format, const struct strs *documents, const struct json_table *type, struct buf *out,
                     struct error *e);

/* Cells that several lists have. Seconds since the epoch as "3 hours ago" (0: "N/A") and as "2026-01-31 12:00:00 +0100 CET"; labels
 * as "a=b,c=d". In the arena. */
const char *format_age(int64_t created, struct arena *a);
const char *format_local_time(int64_t t, struct arena *a);
const char *format_labels(const struct map *labels, struct arena *a);

#define FORMAT_WIDTH 10 /* the least of a column in Docker's lists */
/* Shortens to `max` code points, the last being an ellipsis, as Docker does with commands. */
void format_ellipsis(const char *text, size_t max, struct buf *out);

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/format.h"
#include "image/image.h"
#include "model/units.h"

#define CREATED_BY_MAX 45
#define SHORT_ID       12

struct history_options {
    bool human, no_trunc, quiet;
    const char *format, *platform;
};

static const struct option history_table[] = {
    OPTION_FORMAT_LIST(struct history_options, format),
    OPTION_FULL(struct history_options, human, 'H', "human", OPTION_KIND_BOOL, NULL, 0, "true",
                "Print sizes and dates in human readable format"),
    OPTION_BOOL(struct history_options, no_trunc, 0, "no-trunc", "Don't truncate output"),
    OPTION_STR(struct history_options, platform, 0, "platform", "string", "Show history for the given platform"),
    OPTION_BOOL(struct history_options, quiet, 'q', "quiet", "Only show image IDs"),
    OPTION_END,
};

/* In the order that `--format json` has. */
enum column { COMMENT, CREATED_AT, CREATED_BY, CREATED_SINCE, ID, SIZE, COLUMNS };
static const struct format_column columns[COLUMNS] = {
    [COMMENT] = {"Comment", "COMMENT"},
    [CREATED_AT] = {"CreatedAt", "CREATED AT"},
    [CREATED_BY] = {"CreatedBy", "CREATED BY"},
    [CREATED_SINCE] = {"CreatedSince", "CREATED"},
    [ID] = {"ID", "IMAGE"},
    [SIZE] = {"Size", "SIZE"},
};

static const char *since(const char *created, const struct history_options *o, struct arena *a) {
    struct timespec t;

    if (!created || time_parse(created, &t) < 0)
        return o->human ? "N/A" : "";
    if (!o->human)
        return created;
    return format_age(t.tv_sec, a);
}

static const char *size_text(uint64_t bytes, const struct history_options *o, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (!o->human)
        return arena_printf(a, "%llu", (unsigned long long)bytes);
    size_human_digits((int64_t)bytes, 3, &text);
    return arena_strdup(a, buf_text(&text));
}

static const char *command_text(const char *created_by, const struct history_options *o, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char *flat = arena_strdup(a, created_by ? created_by : "");

    for (char *p = flat; *p; p++)
        if (*p == '\t' || *p == '\n') /* would break the table */
            *p = ' ';
    if (o->no_trunc)
        return flat;
    format_ellipsis(flat, CREATED_BY_MAX, &text);
    return arena_strdup(a, buf_text(&text));
}

static void add_row(const struct image_history *h, const char *id, uint64_t size, const struct history_options *o, struct arena *a,
                    struct list *rows) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);

    row->values = arena_array(a, const char *, COLUMNS);
    row->values[COMMENT] = h->comment;
    row->values[CREATED_AT] = h->created;
    row->values[CREATED_BY] = command_text(h->created_by, o, a);
    row->values[CREATED_SINCE] = since(h->created, o, a);
    row->values[ID] = id;
    row->values[SIZE] = size_text(size, o, a);
}

/* Newest first. An image without a history (import by other tools) still has its layers. */
static void make_rows(const struct image *image, const uint64_t *sizes, const struct history_options *o, struct arena *a,
                      struct list *rows) {
    const struct list *history = &image->config.history;
    size_t layer = image->config.rootfs.diff_ids.n;
    const char *id = o->no_trunc ? image->id : arena_strndup(a, digest_hex(image->id), SHORT_ID);

    for (size_t i = history->n; i-- > 0;) {
        const struct image_history *h = LIST_AT(struct image_history, history, i);

        add_row(h, rows->n ? "<missing>" : id, h->empty_layer || !layer ? 0 : sizes[--layer], o, a, rows);
    }
    while (layer-- > 0)
        add_row(&(const struct image_history){0}, rows->n ? "<missing>" : id, sizes[layer], o, a, rows);
}

static int history_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    static const struct format_list list = {columns, COLUMNS, "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
                                            "{{.ID}}"};
    const struct history_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct image_store *store;
    struct list rows = {0};
    struct image image;
    uint64_t *sizes;
    int r = cli_store(cli, &store, e);

    if (r >= 0)
        r = image_resolve(store, args->v[0], o->platform, &cli->arena, &image, e);
    if (r >= 0)
        r = image_layer_sizes(store, &image, &cli->arena, &sizes, e);
    if (r < 0)
        return r;
    make_rows(&image, sizes, o, &cli->arena, &rows);
    r = format_rows(&list, o->format, o->quiet, &rows, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_history = {
    .names = {"history", "image history"},
    .usage = "IMAGE",
    .summary = "Show the history of an image",
    COMMAND_OPTIONS(struct history_options, history_table),
    .args_min = 1,
    .args_max = 1,
    .run = history_run,
};

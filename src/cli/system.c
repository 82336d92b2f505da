#include <string.h>

#include "cli/command.h"
#include "cli/format.h"
#include "engine/check.h"
#include "engine/list.h"
#include "engine/volume.h"
#include "image/image.h"
#include "model/units.h"

/* --- check ---------------------------------------------------------------------------------------------------------------------
 */

static const struct option check_table[] = {
    OPTION_BOOL(struct check_options, repair, 0, "repair", "Undo and mend what is found"),
    OPTION_BOOL(struct check_options, quick, 0, "quick", "Do not read the images' blobs to compare their digests"),
    OPTION_END,
};

static int check_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list findings = {0};
    struct engine *engine;
    size_t open = 0;
    int r = cli_engine(cli, &engine, e);

    if (r >= 0)
        r = engine_check(engine, options, &cli->arena, &findings, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < findings.n; i++) {
        const struct check_finding *f = LIST_AT(struct check_finding, &findings, i);

        buf_printf(&out, "%s: %s\n", f->repaired ? "repaired" : "found", f->text);
        open += !f->repaired;
    }
    if (findings.n == 0)
        buf_add_str(&out, "all is well\n");
    r = cli_write(&out, e);
    return r < 0 ? r : open > 0 ? 1 : 0;
}

const struct command command_system_check = {
    .names = {"system check"},
    .summary = "Look for what a crash left behind: journals, torn files, wrong digests",
    .description =
        "Look for what a crash left behind: journals without a living owner, torn files, blobs and layers that are not what\n"
        "they should be. Ends with 1 when something is left to be mended. What cannot be mended is set aside in the data root's\n"
        "folder torn/, with --repair; pulling the image again brings it back.",
    COMMAND_OPTIONS(struct check_options, check_table),
    .run = check_run,
};

/* --- reset ---------------------------------------------------------------------------------------------------------------------
 */

struct reset_options {
    bool force;
};

static const struct option reset_table[] = {
    OPTION_BOOL(struct reset_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_END,
};

static int reset_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct reset_options *o = options;
    struct engine *engine;
    int r;

    if (!o->force && !cli_confirm("WARNING! This will kill all containers and remove them, all images, volumes and networks.\n"
                                  "Are you sure you want to continue?"))
        return 0;
    r = cli_engine(cli, &engine, e);
    return r < 0 ? r : engine_reset(engine, e);
}

const struct command command_system_reset = {
    .names = {"system reset"},
    .summary = "Remove everything that tare has made on this machine",
    COMMAND_OPTIONS(struct reset_options, reset_table),
    .run = reset_run,
};

/* --- df ------------------------------------------------------------------------------------------------------------------------
 */

struct df_options {
    const char *format;
};

static const struct option df_table[] = {
    OPTION_FORMAT_LIST(struct df_options, format),
    OPTION_END,
};

enum df_column { ACTIVE, RECLAIMABLE, SIZE, TOTAL_COUNT, TYPE, DF_COLUMNS };
static const struct format_column df_columns[DF_COLUMNS] = {
    [ACTIVE] = {"Active", "ACTIVE"}, [RECLAIMABLE] = {"Reclaimable", "RECLAIMABLE"},
    [SIZE] = {"Size", "SIZE"},       [TOTAL_COUNT] = {"TotalCount", "TOTAL"},
    [TYPE] = {"Type", "TYPE"},
};

struct usage {
    const char *type;
    size_t total, active;
    uint64_t size, reclaimable;
};

static const char *bytes(uint64_t n, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    size_human((int64_t)n, &text);
    return arena_strdup(a, buf_text(&text));
}

static void add_usage(const struct usage *u, struct arena *a, struct list *rows) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);

    row->values = arena_array(a, const char *, DF_COLUMNS);
    row->values[TYPE] = u->type;
    row->values[TOTAL_COUNT] = arena_printf(a, "%zu", u->total);
    row->values[ACTIVE] = arena_printf(a, "%zu", u->active);
    row->values[SIZE] = bytes(u->size, a);
    row->values[RECLAIMABLE] =
        u->size ? arena_printf(a, "%s (%u%%)", bytes(u->reclaimable, a), (unsigned)(u->reclaimable * 100 / u->size)) : bytes(0, a);
}

static int usage_of_images(struct engine *engine, struct arena *a, struct usage *ret, struct error *e) {
    struct image_usage usage = {0};
    struct image_store *store;
    struct list images = {0};
    int r = engine_store(engine, &store, e);

    if (r >= 0)
        r = image_store_usage(store, &usage, e);
    if (r >= 0)
        r = image_list(store, a, &images, e);
    *ret = (struct usage){"Images", images.n, 0, usage.layer_bytes + usage.blob_bytes, usage.reclaimable_bytes};
    for (size_t i = 0; i < images.n; i++)
        ret->active += LIST_AT(struct image_summary, &images, i)->users.n > 0;
    return r;
}

static int usage_of_containers(struct engine *engine, struct arena *a, struct usage *ret, struct error *e) {
    struct list_query query = LIST_QUERY_INIT;
    struct list all = {0};
    int r;

    query.all = query.size = true;
    r = container_list(engine, &query, a, &all, e);
    *ret = (struct usage){.type = "Containers", .total = all.n};
    for (size_t i = 0; i < all.n; i++) {
        const struct container_summary *s = LIST_AT(struct container_summary, &all, i);
        bool alive = s->status == STATUS_RUNNING || s->status == STATUS_PAUSED || s->status == STATUS_RESTARTING;

        ret->active += alive;
        ret->size += s->size_rw;
        ret->reclaimable += alive ? 0 : s->size_rw;
    }
    return r;
}

static int usage_of_volumes(struct engine *engine, struct arena *a, struct usage *ret, struct error *e) {
    struct list all = {0};
    int r = volume_list(engine->roots, a, &all, e);

    *ret = (struct usage){.type = "Local Volumes", .total = all.n};
    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        const char *name = LIST_AT(struct volume, &all, i)->name;
        struct strs users = {0};
        uint64_t size = 0;

        if (volume_size(engine->roots, name, &size, NULL) < 0)
            continue; /* removed meanwhile */
        r = volume_users(engine->roots, name, a, &users, e);
        ret->active += users.n > 0;
        ret->size += size;
        ret->reclaimable += users.n ? 0 : size;
    }
    return r;
}

static int df_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    static int (*const counters[])(struct engine *, struct arena *, struct usage *,
                                   struct error *) = {usage_of_images, usage_of_containers, usage_of_volumes};
    const struct format_list list = {df_columns, DF_COLUMNS, "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                                     "{{.Type}}"};
    const struct df_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list rows = {0};
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(counters); i++) {
        struct usage usage;

        r = counters[i](engine, &cli->arena, &usage, e);
        if (r >= 0)
            add_usage(&usage, &cli->arena, &rows);
    }
    if (r >= 0)
        add_usage(&(const struct usage){.type = "Build Cache"}, &cli->arena, &rows);
    if (r >= 0)
        r = format_rows(&list, o->format, false, &rows, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_system_df = {
    .names = {"system df"},
    .summary = "Show disk usage",
    COMMAND_OPTIONS(struct df_options, df_table),
    .run = df_run,
};

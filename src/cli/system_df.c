/* `system df`: how much there is of each kind; -v: each image, container and volume. */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "cli/command.h"
#include "cli/format.h"
#include "engine/list.h"
#include "engine/volume.h"
#include "image/image.h"
#include "model/reference.h"
#include "model/units.h"

#define COMMAND_WIDTH 20

struct df_options {
    const char *format;
    bool verbose;
};

static const struct option df_table[] = {
    OPTION_FORMAT_LIST(struct df_options, format),
    OPTION_BOOL(struct df_options, verbose, 'v', "verbose", "Show detailed information on space usage"),
    OPTION_END,
};

static const char *bytes(uint64_t n, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    size_human((int64_t)n, &text);
    return arena_strdup(a, buf_text(&text));
}

static const char *rounded(uint64_t n, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    size_human_digits((int64_t)n, 3, &text);
    return arena_strdup(a, buf_text(&text));
}

static const char **row_add(struct list *rows, size_t columns, struct arena *a) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);

    row->values = arena_array(a, const char *, columns);
    return row->values;
}

/* --- the sums ---------------------------------------------------------------------------------------------------------------- */

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

static void add_usage(const struct usage *u, struct arena *a, struct list *rows) {
    const char **v = row_add(rows, DF_COLUMNS, a);

    v[TYPE] = u->type;
    v[TOTAL_COUNT] = arena_printf(a, "%zu", u->total);
    v[ACTIVE] = arena_printf(a, "%zu", u->active);
    v[SIZE] = bytes(u->size, a);
    v[RECLAIMABLE] =
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

static int print_sums(struct engine *engine, const char *format, struct arena *a, struct buf *out, struct error *e) {
    static int (*const counters[])(struct engine *, struct arena *, struct usage *,
                                   struct error *) = {usage_of_images, usage_of_containers, usage_of_volumes};
    const struct format_list list = {df_columns, DF_COLUMNS, "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                                     "{{.Type}}"};
    struct list rows = {0};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(counters); i++) {
        struct usage usage;

        r = counters[i](engine, a, &usage, e);
        if (r >= 0)
            add_usage(&usage, a, &rows);
    }
    if (r >= 0)
        add_usage(&(const struct usage){.type = "Build Cache"}, a, &rows);
    return r < 0 ? r : format_rows(&list, format, false, &rows, out, e);
}

/* --- -v: each ---------------------------------------------------------------------------------------------------------------- */

enum { I_CONTAINERS, I_CREATED_AT, I_CREATED, I_ID, I_REPOSITORY, I_SHARED, I_SIZE, I_TAG, I_UNIQUE, I_COLUMNS };
static const struct format_column image_columns[I_COLUMNS] = {
    {"Containers", "CONTAINERS"},
    {"CreatedAt", "CREATED AT"},
    {"CreatedSince", "CREATED"},
    {"ID", "IMAGE ID"},
    {"Repository", "REPOSITORY"},
    {"SharedSize", "SHARED SIZE"},
    {"Size", "SIZE"},
    {"Tag", "TAG"},
    {"UniqueSize", "UNIQUE SIZE"},
};

static int each_image(struct engine *engine, struct arena *a, struct list *rows, struct error *e) {
    struct image_store *store;
    struct list images = {0};
    uint64_t *shared = NULL;
    int r = engine_store(engine, &store, e);

    if (r >= 0)
        r = image_list(store, a, &images, e);
    if (r >= 0)
        r = image_shared_sizes(store, &images, a, &shared, e);
    for (size_t i = 0; r >= 0 && i < images.n; i++) {
        const struct image_summary *s = LIST_AT(struct image_summary, &images, i);
        const char **v = row_add(rows, I_COLUMNS, a), *name = s->repo_tags.n ? s->repo_tags.v[0] : "<none>:<none>";
        const char *colon = strrchr(name, ':');

        v[I_CONTAINERS] = arena_printf(a, "%zu", s->users.n);
        v[I_CREATED_AT] = format_local_time(s->created, a);
        v[I_CREATED] = format_age(s->created, a);
        v[I_ID] = arena_strndup(a, digest_hex(s->id), ID_SHORT_LENGTH);
        v[I_REPOSITORY] = arena_strndup(a, name, (size_t)(colon - name));
        v[I_SHARED] = bytes(shared[i], a);
        v[I_SIZE] = rounded(s->size, a);
        v[I_TAG] = colon + 1;
        v[I_UNIQUE] = bytes(s->size - MIN_OF(shared[i], s->size), a);
    }
    return r;
}

enum { C_COMMAND, C_CREATED_AT, C_ID, C_IMAGE, C_LABELS, C_VOLUMES, C_NAMES, C_CREATED, C_SIZE, C_STATE, C_STATUS, C_COLUMNS };
static const struct format_column container_columns[C_COLUMNS] = {
    {"Command", "COMMAND"}, {"CreatedAt", "CREATED AT"}, {"ID", "CONTAINER ID"},
    {"Image", "IMAGE"},     {"Labels", "LABELS"},        {"LocalVolumes", "LOCAL VOLUMES"},
    {"Names", "NAMES"},     {"RunningFor", "CREATED"},   {"Size", "SIZE"},
    {"State", "STATE"},     {"Status", "STATUS"},
};

static int each_container(struct engine *engine, struct arena *a, struct list *rows, struct error *e) {
    struct list_query query = LIST_QUERY_INIT;
    struct list all = {0};
    int r;

    query.all = query.size = true;
    r = container_list(engine, &query, a, &all, e);
    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        const struct container_summary *s = LIST_AT(struct container_summary, &all, i);
        const char **v = row_add(rows, C_COLUMNS, a);
        _cleanup_buf_ struct buf command = BUF_INIT;

        format_ellipsis(s->command, COMMAND_WIDTH, &command);
        v[C_COMMAND] = arena_printf(a, "\"%s\"", buf_text(&command));
        v[C_CREATED_AT] = format_local_time(s->created_ns / NS_PER_SEC, a);
        v[C_ID] = arena_strndup(a, s->id, ID_SHORT_LENGTH);
        v[C_IMAGE] = s->image;
        v[C_LABELS] = format_labels(&s->labels, a);
        v[C_VOLUMES] = arena_printf(a, "%zu", s->volumes);
        v[C_NAMES] = s->name;
        v[C_CREATED] = format_age(s->created_ns / NS_PER_SEC, a);
        v[C_SIZE] = rounded(s->size_rw, a);
        v[C_STATE] = s->state_text;
        v[C_STATUS] = s->status_text;
    }
    return r;
}

enum { V_DRIVER, V_LABELS, V_LINKS, V_MOUNTPOINT, V_NAME, V_SCOPE, V_SIZE, V_COLUMNS };
static const struct format_column volume_columns[V_COLUMNS] = {
    {"Driver", "DRIVER"},    {"Labels", "LABELS"}, {"Links", "LINKS"}, {"Mountpoint", "MOUNTPOINT"},
    {"Name", "VOLUME NAME"}, {"Scope", "SCOPE"},   {"Size", "SIZE"},
};

static int each_volume(struct engine *engine, struct arena *a, struct list *rows, struct error *e) {
    struct list all = {0};
    int r = volume_list(engine->roots, a, &all, e);

    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        const struct volume *volume = LIST_AT(struct volume, &all, i);
        struct strs users = {0};
        uint64_t size = 0;

        if (volume_size(engine->roots, volume->name, &size, NULL) < 0)
            continue; /* removed meanwhile */
        r = volume_users(engine->roots, volume->name, a, &users, e);
        const char **v = row_add(rows, V_COLUMNS, a);
        v[V_DRIVER] = volume->driver;
        v[V_LABELS] = format_labels(&volume->labels, a);
        v[V_LINKS] = arena_printf(a, "%zu", users.n);
        v[V_MOUNTPOINT] = volume->mountpoint;
        v[V_NAME] = volume->name;
        v[V_SCOPE] = "local";
        v[V_SIZE] = bytes(size, a);
    }
    return r;
}

/* There is no build, and so no cache of one, yet. */
static int no_cache(struct engine *engine _unused_, struct arena *a _unused_, struct list *rows _unused_,
                    struct error *e _unused_) {
    return 0;
}

static const struct format_column cache_columns[] = {
    {"ID", "CACHE ID"},          {"CacheType", "CACHE TYPE"},    {"Size", "SIZE"},
    {"CreatedSince", "CREATED"}, {"LastUsedSince", "LAST USED"}, {"UsageCount", "USAGE"},
    {"Shared", "SHARED"}};

static const struct section {
    const char *key, *title;
    struct format_list list;
    int (*fill)(struct engine *, struct arena *, struct list *, struct error *);
} sections[] = {
    {"Images",
     "Images space usage:",
     {image_columns, I_COLUMNS,
      "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}", NULL},
     each_image},
    {"Containers",
     "Containers space usage:",
     {container_columns, C_COLUMNS,
      "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}", NULL},
     each_container},
    {"Volumes", "Local Volumes space usage:", {volume_columns, V_COLUMNS, "{{.Name}}\t{{.Links}}\t{{.Size}}", NULL}, each_volume},
    {"BuildCache",
     "Build cache usage: 0B",
     {cache_columns, ARRAY_SIZE(cache_columns),
      "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}", NULL},
     no_cache},
};

/* For a template: {"Images":[…],"Containers":[…],…}. */
static int add_section(const struct section *s, const struct list *rows, struct buf *document, struct error *e) {
    _cleanup_buf_ struct buf lines = BUF_INIT;
    int r = format_rows(&s->list, "json", false, rows, &lines, e);
    char *rest = lines.data, *line;

    buf_printf(document, "%s\"%s\":[", document->size ? "," : "{", s->key);
    for (bool first = true; r >= 0 && rest && (line = strsep(&rest, "\n")); first = false)
        if (*line)
            buf_printf(document, "%s%s", first ? "" : ",", line);
    buf_add_char(document, ']');
    return r;
}

static int print_each(struct engine *engine, const char *format, struct arena *a, struct buf *out, struct error *e) {
    _cleanup_buf_ struct buf document = BUF_INIT;
    struct strs documents = {0};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(sections); i++) {
        const struct section *s = &sections[i];
        struct list rows = {0};

        r = s->fill(engine, a, &rows, e);
        if (r >= 0 && format) {
            r = add_section(s, &rows, &document, e);
        } else if (r >= 0) {
            buf_printf(out, "%s%s\n\n", i ? "\n" : "", s->title);
            r = format_rows(&s->list, NULL, false, &rows, out, e);
        }
    }
    if (r < 0 || !format)
        return r;
    buf_add_char(&document, '}');
    strs_add(a, &documents, buf_text(&document));
    return format_documents(format, &documents, NULL, out, e);
}

static int df_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct df_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    if (r >= 0)
        r = (o->verbose ? print_each : print_sums)(engine, o->format && *o->format ? o->format : NULL, &cli->arena, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_system_df = {
    .names = {"system df"},
    .summary = "Show disk usage",
    COMMAND_OPTIONS(struct df_options, df_table),
    .run = df_run,
};

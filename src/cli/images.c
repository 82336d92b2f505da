#include <fnmatch.h>
#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "image/image.h"
#include "model/units.h"

#define NONE     "<none>"
#define SHORT_ID 12

struct images_options {
    bool all, digests, no_trunc, quiet;
    struct strs filters;
    const char *format;
};

static const struct option images_table[] = {
    OPTION_BOOL(struct images_options, all, 'a', "all",
                "Show all images (tare keeps no intermediate ones, so all are shown in any case)"),
    OPTION_BOOL(struct images_options, digests, 0, "digests", "Show digests"),
    OPTION_LIST(struct images_options, filters, 'f', "filter", "filter", "Filter output based on conditions provided"),
    OPTION_FORMAT_LIST(struct images_options, format),
    OPTION_BOOL(struct images_options, no_trunc, 0, "no-trunc", "Don't truncate output"),
    OPTION_BOOL(struct images_options, quiet, 'q', "quiet", "Only show image IDs"),
    OPTION_END,
};

/* In the order that `--format json` has: Go sorts the keys of a map. */
enum column { CONTAINERS, CREATED_AT, CREATED_SINCE, DIGEST, ID, REPOSITORY, SHARED_SIZE, SIZE, TAG, UNIQUE_SIZE, COLUMNS };
static const struct format_column columns[COLUMNS] = {
    [CONTAINERS] = {"Containers", "CONTAINERS"},
    [CREATED_AT] = {"CreatedAt", "CREATED AT"},
    [CREATED_SINCE] = {"CreatedSince", "CREATED"},
    [DIGEST] = {"Digest", "DIGEST"},
    [ID] = {"ID", "IMAGE ID"},
    [REPOSITORY] = {"Repository", "REPOSITORY"},
    [SHARED_SIZE] = {"SharedSize", "SHARED SIZE"},
    [SIZE] = {"Size", "SIZE"},
    [TAG] = {"Tag", "TAG"},
    [UNIQUE_SIZE] = {"UniqueSize", "UNIQUE SIZE"},
};

static const char *const filter_names[] = {"before", "dangling", "label", "reference", "since", "until", NULL};

/* What the filters ask for, with names resolved. */
struct wanted {
    struct filters filters;
    int64_t before, since; /* seconds; 0 = any */
    int64_t until;
    bool has_dangling, dangling;
};

static int created_of(const struct list *all, struct image_store *store, const char *name, struct arena *a, int64_t *ret,
                      struct error *e) {
    const char *id;
    int r = image_lookup(store, name, a, &id, e);

    for (size_t i = 0; r >= 0 && i < all->n; i++)
        if (!strcmp(LIST_AT(struct image_summary, all, i)->id, id))
            *ret = LIST_AT(struct image_summary, all, i)->created;
    return r;
}

static int prepare(struct image_store *store, const struct list *all, const struct strs *texts, struct arena *a, struct wanted *w,
                   struct error *e) {
    const char *value;
    int r = filters_parse(texts, filter_names, a, &w->filters, e);

    if (r >= 0 && (value = filters_get(&w->filters, "before")))
        r = created_of(all, store, value, a, &w->before, e);
    if (r >= 0 && (value = filters_get(&w->filters, "since")))
        r = created_of(all, store, value, a, &w->since, e);
    if (r >= 0 && (r = filters_bool(&w->filters, "dangling", &w->dangling, e)) > 0)
        w->has_dangling = true;
    if (r >= 0 && (value = filters_get(&w->filters, "until")))
        r = filter_time(value, &w->until, e);
    return r;
}

static bool image_fits(const struct wanted *w, const struct image_summary *s) {
    if (w->has_dangling && (s->repo_tags.n == 0) != w->dangling)
        return false;
    if ((w->before && s->created >= w->before) || (w->since && s->created <= w->since) || (w->until && s->created >= w->until))
        return false;
    return filters_labels_fit(&w->filters, "label", &s->labels);
}

/* path.Match over "repository", "repository:tag" and the canonical forms. */
static bool name_fits(const struct wanted *w, const char *repository, const char *tag, struct arena *a) {
    bool asked = false;

    for (size_t i = 0; i < w->filters.n; i++) {
        const char *pattern = w->filters.v[i].value, *full = arena_printf(a, "%s:%s", repository, tag);
        struct reference ref;

        if (strcmp(w->filters.v[i].key, "reference") != 0)
            continue;
        asked = true;
        if (!fnmatch(pattern, repository, FNM_PATHNAME) || !fnmatch(pattern, full, FNM_PATHNAME))
            return true;
        if (reference_parse(full, a, &ref, NULL) >= 0 &&
            (!fnmatch(pattern, ref.repository, FNM_PATHNAME) || !fnmatch(pattern, ref.full, FNM_PATHNAME)))
            return true;
    }
    return !asked;
}

static void add_row(const struct image_summary *s, const struct images_options *o, const char *repository, const char *tag,
                    const char *digest, struct arena *a, struct list *rows) {
    struct format_row *row = LIST_ADD(a, struct format_row, rows);
    _cleanup_buf_ struct buf size = BUF_INIT;

    size_human_digits((int64_t)s->size, 3, &size);
    row->values = arena_array(a, const char *, COLUMNS);
    row->values[CONTAINERS] = arena_printf(a, "%zu", s->users.n);
    row->values[CREATED_AT] = format_local_time(s->created, a);
    row->values[CREATED_SINCE] = format_age(s->created, a);
    row->values[DIGEST] = digest;
    row->values[ID] = o->no_trunc ? s->id : arena_strndup(a, digest_hex(s->id), SHORT_ID);
    row->values[REPOSITORY] = repository;
    row->values[SHARED_SIZE] = "N/A";
    row->values[SIZE] = arena_strdup(a, buf_text(&size));
    row->values[TAG] = tag;
    row->values[UNIQUE_SIZE] = "N/A";
}

/* The digest of "repository@digest" among the image's. */
static const char *digest_for(const struct image_summary *s, const char *repository) {
    size_t n = strlen(repository);

    for (size_t i = 0; i < s->repo_digests.n; i++)
        if (!strncmp(s->repo_digests.v[i], repository, n) && s->repo_digests.v[i][n] == '@')
            return s->repo_digests.v[i] + n + 1;
    return NONE;
}

static void add_image(const struct image_summary *s, const struct images_options *o, const struct wanted *w, struct arena *a,
                      struct list *rows) {
    for (size_t i = 0; i < s->repo_tags.n; i++) {
        const char *colon = strrchr(s->repo_tags.v[i], ':');
        const char *repository = arena_strndup(a, s->repo_tags.v[i], (size_t)(colon - s->repo_tags.v[i]));

        if (name_fits(w, repository, colon + 1, a))
            add_row(s, o, repository, colon + 1, digest_for(s, repository), a, rows);
    }
    if (s->repo_tags.n)
        return;
    for (size_t i = 0; i < s->repo_digests.n; i++) {
        const char *at = strchr(s->repo_digests.v[i], '@');
        const char *repository = arena_strndup(a, s->repo_digests.v[i], (size_t)(at - s->repo_digests.v[i]));

        if (name_fits(w, repository, NONE, a))
            add_row(s, o, repository, NONE, at + 1, a, rows);
    }
    if (!s->repo_digests.n && name_fits(w, NONE, NONE, a))
        add_row(s, o, NONE, NONE, NONE, a, rows);
}

/* -q names an image once, however many tags it has. */
static void drop_repeated(struct list *rows) {
    size_t kept = 0;

    for (size_t i = 0; i < rows->n; i++) {
        bool seen = false;

        for (size_t k = 0; k < kept && !seen; k++)
            seen = !strcmp(LIST_AT(struct format_row, rows, k)->values[ID], LIST_AT(struct format_row, rows, i)->values[ID]);
        if (!seen)
            *LIST_AT(struct format_row, rows, kept++) = *LIST_AT(struct format_row, rows, i);
    }
    rows->n = kept;
}

static int images_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    static const char plain[] = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
                      with_digests[] = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
    const struct images_options *o = options;
    const struct format_list list = {columns, COLUMNS, o->digests ? with_digests : plain, "{{.ID}}"};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct arena *a = &cli->arena;
    struct list images, rows = {0};
    struct strs filters = o->filters;
    struct wanted w = {0};
    struct image_store *store;
    int r = cli_store(cli, &store, e);

    if (args->n)
        strs_add(a, &filters, arena_printf(a, "reference=%s", args->v[0]));
    if (r >= 0)
        r = image_list(store, a, &images, e);
    if (r >= 0)
        r = prepare(store, &images, &filters, a, &w, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < images.n; i++)
        if (image_fits(&w, LIST_AT(struct image_summary, &images, i)))
            add_image(LIST_AT(struct image_summary, &images, i), o, &w, a, &rows);
    if (o->quiet)
        drop_repeated(&rows);
    r = format_rows(&list, o->format, o->quiet, &rows, &out, e);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_images = {
    .names = {"images", "image ls", "image list"},
    .usage = "[REPOSITORY[:TAG]]",
    .summary = "List images",
    COMMAND_OPTIONS(struct images_options, images_table),
    .args_min = 0,
    .args_max = 1,
    .flags = COMMAND_COMMON,
    .run = images_run,
};

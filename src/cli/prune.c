/* container prune, network prune, volume prune, system prune: they ask and print, engine/prune.h removes. */
#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "engine/prune.h"
#include "image/image.h"
#include "model/units.h"

struct prune_options {
    bool all, force, volumes;
    struct strs filters;
};

/* `known`: of label, label!, until and all. */
static int read_filters(const struct strs *texts, const char *const *known, struct arena *a, struct prune_filter *ret,
                        struct error *e) {
    struct filters f;
    int r = filters_parse(texts, known, a, &f, e);

    for (size_t i = 0; r >= 0 && i < f.n; i++) {
        const char *key = f.v[i].key, *value = f.v[i].value;

        if (strcmp(key, "label") == 0)
            strs_add(a, &ret->labels, value);
        else if (strcmp(key, "label!") == 0)
            strs_add(a, &ret->not_labels, value);
        else if (strcmp(key, "until") == 0)
            r = filter_time(value, &ret->until, e);
        else if (bool_parse(value, &ret->named_volumes) < 0)
            r = error_set(e, -EINVAL, "invalid value for filter 'all': %s is neither true nor false", value);
    }
    return r < 0 ? r : 0;
}

static const char *const filters_timed[] = {"label", "label!", "until", NULL};
static const char *const filters_of_volumes[] = {"all", "label", "label!", NULL};

static void add_names(struct buf *out, const char *title, const struct strs *names) {
    if (names->n == 0)
        return;
    buf_printf(out, "%s:\n", title);
    for (size_t i = 0; i < names->n; i++)
        buf_printf(out, "%s\n", names->v[i]);
    buf_add_char(out, '\n');
}

static int add_total(struct buf *out, uint64_t freed, struct error *e) {
    buf_add_str(out, "Total reclaimed space: ");
    size_human((int64_t)freed, out);
    buf_add_char(out, '\n');
    return cli_write(out, e);
}

/* --- container prune ------------------------------------------------------------------------------------------------------- */

static const struct option container_prune_table[] = {
    OPTION_LIST(struct prune_options, filters, 0, "filter", "filter", "Provide filter values (e.g. \"until=<timestamp>\")"),
    OPTION_BOOL(struct prune_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_END,
};

static int container_prune_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct prune_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct prune_filter filter = {0};
    struct strs removed = {0};
    struct engine *engine;
    uint64_t freed = 0;
    int r = read_filters(&o->filters, filters_timed, &cli->arena, &filter, e);

    if (r == 0 && !o->force &&
        !cli_confirm("WARNING! This will remove all stopped containers.\nAre you sure you want to continue?"))
        return 0;
    if (r == 0)
        r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = prune_containers(engine, &filter, &cli->arena, &removed, &freed, e);
    if (r < 0)
        return r;
    add_names(&out, "Deleted Containers", &removed);
    return add_total(&out, freed, e);
}

const struct command command_container_prune = {
    .names = {"container prune"},
    .summary = "Remove all stopped containers",
    COMMAND_OPTIONS(struct prune_options, container_prune_table),
    .run = container_prune_run,
};

/* --- network prune --------------------------------------------------------------------------------------------------------- */

static const struct option network_prune_table[] = {
    OPTION_LIST(struct prune_options, filters, 0, "filter", "filter", "Provide filter values (e.g. \"until=24h\")"),
    OPTION_BOOL(struct prune_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_END,
};

static int network_prune_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct prune_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct prune_filter filter = {0};
    struct strs removed = {0};
    struct engine *engine;
    int r = read_filters(&o->filters, filters_timed, &cli->arena, &filter, e);

    if (r == 0 && !o->force &&
        !cli_confirm("WARNING! This will remove all custom networks not used by at least one container.\n"
                     "Are you sure you want to continue?"))
        return 0;
    if (r == 0)
        r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = prune_networks(engine, &filter, &cli->arena, &removed, e);
    if (r < 0)
        return r;
    add_names(&out, "Deleted Networks", &removed);
    return cli_write(&out, e);
}

const struct command command_network_prune = {
    .names = {"network prune"},
    .summary = "Remove all unused networks",
    COMMAND_OPTIONS(struct prune_options, network_prune_table),
    .run = network_prune_run,
};

/* --- volume prune ---------------------------------------------------------------------------------------------------------- */

static const struct option volume_prune_table[] = {
    OPTION_BOOL(struct prune_options, all, 'a', "all", "Remove all unused volumes, not just anonymous ones"),
    OPTION_LIST(struct prune_options, filters, 0, "filter", "filter", "Provide filter values (e.g. \"label=<label>\")"),
    OPTION_BOOL(struct prune_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_END,
};

static int volume_prune_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct prune_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT, question = BUF_INIT;
    struct prune_filter filter = {0};
    struct strs removed = {0};
    struct engine *engine;
    uint64_t freed = 0;
    int r = read_filters(&o->filters, filters_of_volumes, &cli->arena, &filter, e);

    filter.named_volumes |= o->all;
    buf_printf(&question,
               "WARNING! This will remove %s local volumes not used by at least one container.\n"
               "Are you sure you want to continue?",
               filter.named_volumes ? "all" : "anonymous");
    if (r == 0 && !o->force && !cli_confirm(buf_text(&question)))
        return 0;
    if (r == 0)
        r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = prune_volumes(engine, &filter, &cli->arena, &removed, &freed, e);
    if (r < 0)
        return r;
    add_names(&out, "Deleted Volumes", &removed);
    return add_total(&out, freed, e);
}

const struct command command_volume_prune = {
    .names = {"volume prune"},
    .summary = "Remove unused local volumes",
    COMMAND_OPTIONS(struct prune_options, volume_prune_table),
    .run = volume_prune_run,
};

/* --- system prune ---------------------------------------------------------------------------------------------------------- */

static const struct option system_prune_table[] = {
    OPTION_BOOL(struct prune_options, all, 'a', "all", "Remove all unused images not just dangling ones"),
    OPTION_LIST(struct prune_options, filters, 0, "filter", "filter", "Provide filter values (e.g. \"label=<key>=<value>\")"),
    OPTION_BOOL(struct prune_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_BOOL(struct prune_options, volumes, 0, "volumes", "Prune anonymous volumes"),
    OPTION_END,
};

static bool ask(const struct prune_options *o) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    buf_printf(&text,
               "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n"
               "%s  - all %s\n",
               o->volumes ? "  - all anonymous volumes not used by at least one container\n" : "",
               o->all ? "images without at least one container associated to them" : "dangling images");
    if (o->filters.n)
        buf_add_str(&text, "\n  Items to be pruned will be filtered with:\n");
    for (size_t i = 0; i < o->filters.n; i++)
        buf_printf(&text, "  - %s\n", o->filters.v[i]);
    buf_add_str(&text, "\nAre you sure you want to continue?");
    return cli_confirm(buf_text(&text));
}

static int remove_images(struct engine *engine, const struct prune_options *o, const struct prune_filter *f, struct arena *a,
                         struct buf *out, uint64_t *freed, struct error *e) {
    const struct image_prune_options po = {.all = o->all, .until = f->until, .labels = f->labels, .not_labels = f->not_labels};
    struct image_store *store;
    struct strs lines = {0};
    struct list done = {0};
    uint64_t bytes = 0;
    int r = engine_store(engine, &store, e);

    if (r >= 0)
        r = image_prune(store, &po, a, &done, &bytes, e);
    for (size_t i = 0; r >= 0 && i < done.n; i++) {
        const struct image_removal *one = LIST_AT(struct image_removal, &done, i);

        strs_add(a, &lines, arena_printf(a, "%s: %s", one->untagged ? "untagged" : "deleted", one->what));
    }
    add_names(out, "Deleted Images", &lines);
    *freed += bytes;
    return r < 0 ? r : 0;
}

/* Containers first: what they held is then unused. */
static int system_prune_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct prune_options *o = options;
    struct strs containers = {0}, networks = {0}, volumes = {0};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct prune_filter filter = {0};
    struct arena *a = &cli->arena;
    struct engine *engine;
    uint64_t freed = 0;
    int r = read_filters(&o->filters, filters_timed, a, &filter, e);

    if (r == 0 && o->volumes && filter.until)
        return error_set(e, -EINVAL, "The \"until\" filter is not supported with \"--volumes\"");
    if (r == 0 && !o->force && !ask(o))
        return 0;
    if (r == 0)
        r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = prune_containers(engine, &filter, a, &containers, &freed, e);
    if (r == 0)
        r = prune_networks(engine, &filter, a, &networks, e);
    if (r == 0 && o->volumes)
        r = prune_volumes(engine, &filter, a, &volumes, &freed, e);
    add_names(&out, "Deleted Containers", &containers);
    add_names(&out, "Deleted Networks", &networks);
    add_names(&out, "Deleted Volumes", &volumes);
    if (r == 0)
        r = remove_images(engine, o, &filter, a, &out, &freed, e);
    if (r < 0) { /* what is gone is told, also when the rest failed */
        (void)cli_write(&out, NULL);
        return r;
    }
    return add_total(&out, freed, e);
}

const struct command command_system_prune = {
    .names = {"system prune"},
    .summary = "Remove unused data",
    COMMAND_OPTIONS(struct prune_options, system_prune_table),
    .run = system_prune_run,
};

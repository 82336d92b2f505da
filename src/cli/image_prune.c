#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "image/image.h"
#include "model/units.h"

struct prune_options {
    bool all, force;
    struct strs filters;
};

static const struct option prune_table[] = {
    OPTION_BOOL(struct prune_options, all, 'a', "all", "Remove all unused images, not just dangling ones"),
    OPTION_LIST(struct prune_options, filters, 0, "filter", "filter", "Provide filter values (e.g. \"until=<timestamp>\")"),
    OPTION_BOOL(struct prune_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_END,
};

static int prune_filters(const struct strs *texts, struct arena *a, struct image_prune_options *ret, struct error *e) {
    static const char *const known[] = {"dangling", "label", "label!", "until", NULL};
    struct filters f;
    bool dangling = true;
    int r = filters_parse(texts, known, a, &f, e);

    if (r >= 0)
        r = filters_bool(&f, "dangling", &dangling, e);
    ret->all |= !dangling;

    for (size_t i = 0; r >= 0 && i < f.n; i++) {
        const char *key = f.v[i].key, *value = f.v[i].value;

        if (!strcmp(key, "label"))
            strs_add(a, &ret->labels, value);
        else if (!strcmp(key, "label!"))
            strs_add(a, &ret->not_labels, value);
        else if (!strcmp(key, "until"))
            r = filter_time(value, &ret->until, e);
    }
    return r;
}

static int prune_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct prune_options *o = options;
    struct image_prune_options po = {.all = o->all};
    _cleanup_buf_ struct buf freed_text = BUF_INIT;
    struct image_store *store;
    struct list done = {0};
    uint64_t freed = 0;
    int r = prune_filters(&o->filters, &cli->arena, &po, e);

    if (r < 0)
        return r;
    if (!o->force) {
        printf("WARNING! This will remove all %s.\n",
               po.all ? "images without at least one container associated to them" : "dangling images");
        if (!cli_confirm("Are you sure you want to continue?"))
            return 0;
    }
    r = cli_store(cli, &store, e);
    if (r >= 0)
        r = image_prune(store, &po, &cli->arena, &done, &freed, e);
    if (done.n)
        puts("Deleted Images:");
    for (size_t i = 0; i < done.n; i++) {
        const struct image_removal *removal = LIST_AT(struct image_removal, &done, i);

        printf("%s: %s\n", removal->untagged ? "untagged" : "deleted", removal->what);
    }
    if (done.n)
        putchar('\n');
    if (r < 0)
        return r;
    size_human((int64_t)freed, &freed_text);
    printf("Total reclaimed space: %s\n", buf_text(&freed_text));
    return 0;
}

const struct command command_image_prune = {
    .names = {"image prune"},
    .summary = "Remove unused images",
    COMMAND_OPTIONS(struct prune_options, prune_table),
    .args_min = 0,
    .args_max = 0,
    .run = prune_run,
};

#include <string.h>

#include "cli/command.h"
#include "cli/pull_view.h"
#include "image/pull.h"

struct pull_flags {
    bool all_tags, quiet;
    const char *platform;
};

static const struct option pull_table[] = {
    OPTION_BOOL(struct pull_flags, all_tags, 'a', "all-tags", "Download all tagged images in the repository"),
    OPTION_STR(struct pull_flags, platform, 0, "platform", "string", "Set platform if server is multi-platform capable"),
    OPTION_BOOL(struct pull_flags, quiet, 'q', "quiet", "Suppress verbose output"),
    OPTION_END,
};

static int pull_all(struct image_store *store, const char *name, const struct pull_options *o, const struct reference *ref,
                    struct arena *a, struct error *e) {
    struct strs names;
    int r;

    if (strcmp(ref->full, arena_printf(a, "%s:" REFERENCE_DEFAULT_TAG, ref->repository)) != 0 ||
        strchr(strrchr(name, '/') ? strrchr(name, '/') : name, ':'))
        return error_set(e, -EINVAL, "tag can't be used with --all-tags/-a");
    r = image_pull_all_tags(store, name, o, a, &names, e);
    if (r >= 0)
        puts(ref->repository);
    return r;
}

static int pull_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct pull_flags *f = options;
    struct pull_options o = {.policy = PULL_ALWAYS, .platform = f->platform};
    struct image_store *store;
    struct reference ref;
    struct pull_view view;
    const char *name = args->v[0];
    int r = reference_parse(name, &cli->arena, &ref, e);

    if (r >= 0)
        r = cli_store(cli, &store, e);
    if (r < 0)
        return r;
    pull_view_init(&view, stdout, f->quiet);
    o.observer = &view.observer;
    if (f->all_tags) {
        r = pull_all(store, name, &o, &ref, &cli->arena, e);
    } else {
        bool tagged = ref.digest || strchr(strrchr(name, '/') ? strrchr(name, '/') : name, ':');

        if (!tagged && !f->quiet)
            puts("Using default tag: " REFERENCE_DEFAULT_TAG);
        r = image_pull(store, name, &o, &cli->arena, NULL, e);
        if (r >= 0)
            puts(ref.full);
    }
    pull_view_end(&view);
    return r < 0 ? r : 0;
}

const struct command command_pull = {
    .names = {"pull", "image pull"},
    .usage = "NAME[:TAG|@DIGEST]",
    .summary = "Download an image from a registry",
    COMMAND_OPTIONS(struct pull_flags, pull_table),
    .args_min = 1,
    .args_max = 1,
    .flags = COMMAND_COMMON,
    .run = pull_run,
};

#include "image/push.h"
#include "cli/command.h"
#include "cli/pull_view.h"

struct push_flags {
    bool all_tags, quiet;
    const char *platform;
};

static const struct option push_table[] = {
    OPTION_BOOL(struct push_flags, all_tags, 'a', "all-tags", "Push all tags of an image to the repository"),
    OPTION_STR(struct push_flags, platform, 0, "platform", "string", "Push only the image of this platform"),
    OPTION_BOOL(struct push_flags, quiet, 'q', "quiet", "Suppress verbose output"),
    OPTION_END,
};

static int push_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct push_flags *f = options;
    struct push_options o = {.all_tags = f->all_tags, .platform = f->platform};
    struct image_store *store;
    struct pull_view view;
    struct reference ref;
    int r = reference_parse(args->v[0], &cli->arena, &ref, e);

    if (r >= 0)
        r = cli_store(cli, &store, e);
    if (r < 0)
        return r;
    pull_view_init(&view, stdout, f->quiet);
    o.observer = &view.observer;
    r = image_push(store, args->v[0], &o, &cli->arena, e);
    pull_view_end(&view);
    if (r >= 0 && f->quiet)
        puts(ref.full);
    return r;
}

const struct command command_push = {
    .names = {"push", "image push"},
    .usage = "NAME[:TAG]",
    .summary = "Upload an image to a registry",
    COMMAND_OPTIONS(struct push_flags, push_table),
    .args_min = 1,
    .args_max = 1,
    .flags = COMMAND_COMMON,
    .run = push_run,
};

#include "model/image_inspect.h"
#include "cli/command.h"
#include "cli/documents.h"
#include "cli/format.h"
#include "image/image.h"

struct image_inspect_options {
    const char *format, *platform;
};

static const struct option image_inspect_options_table[] = {
    OPTION_FORMAT(struct image_inspect_options, format),
    OPTION_STR(struct image_inspect_options, platform, 0, "platform", "string",
               "Inspect a specific platform of the multi-platform image"),
    OPTION_END,
};

static int open_image(struct cli *cli, const void *options, const char *name, void *image, struct error *e) {
    const struct image_inspect_options *o = options;
    struct image_store *store;
    int r = cli_store(cli, &store, e);

    return r < 0 ? r : image_inspect(store, name, o->platform, &cli->arena, image, e);
}

static int image_inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct image_inspect_options *o = options;

    return documents_print(cli, &image_inspect_table, o->format, open_image, o, args, e);
}

const struct command command_image_inspect = {
    .names = {"image inspect"},
    .usage = "IMAGE [IMAGE...]",
    .summary = "Display detailed information on one or more images",
    COMMAND_OPTIONS(struct image_inspect_options, image_inspect_options_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = image_inspect_run,
};

#include "cli/command.h"
#include "image/image.h"

static int tag_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    struct image_store *store;
    int r = cli_store(cli, &store, e);

    return r < 0 ? r : image_tag(store, args->v[0], args->v[1], e);
}

const struct command command_tag = {
    .names = {"tag", "image tag"},
    .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    .summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    .args_min = 2,
    .args_max = 2,
    .run = tag_run,
};

#include <string.h>
#include <strings.h>

#include "cli/command.h"
#include "image/image.h"

struct import_options {
    struct strs changes;
    const char *message, *platform;
};

static const struct option import_table[] = {
    OPTION_LIST(struct import_options, changes, 'c', "change", "list", "Apply Dockerfile instruction to the created image"),
    OPTION_STR(struct import_options, message, 'm', "message", "string", "Set commit message for imported image"),
    OPTION_STR(struct import_options, platform, 0, "platform", "string", "Set platform if server is multi-platform capable"),
    OPTION_END,
};

static int import_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct import_options *o = options;
    struct image_import_options io = {
        .reference = args->n > 1 ? args->v[1] : NULL,
        .message = o->message ? o->message : "",
        .platform = o->platform,
        .changes = o->changes,
        .source = args->v[0],
    };
    _cleanup_fd_ int fd = -1;
    struct image_store *store;
    const char *id;
    int r;

    if (!strncasecmp(args->v[0], "http://", 7) || !strncasecmp(args->v[0], "https://", 8))
        return error_set(e, -ENOTSUP, "import takes a file or -: download %s first, so that you can check it", args->v[0]);
    r = cli_store(cli, &store, e);
    if (r < 0)
        return r;
    fd = cli_open_input(args->v[0], e);
    if (fd < 0)
        return fd;
    r = image_import(store, fd, &io, NULL, &cli->arena, &id, e);
    if (r >= 0)
        puts(id);
    return r < 0 ? r : 0;
}

const struct command command_import = {
    .names = {"import", "image import"},
    .usage = "file|- [REPOSITORY[:TAG]]",
    .summary = "Import the contents from a tarball to create a filesystem image",
    COMMAND_OPTIONS(struct import_options, import_table),
    .args_min = 1,
    .args_max = 2,
    .run = import_run,
};

#include <unistd.h>

#include "cli/command.h"
#include "image/image.h"

struct save_options {
    const char *output, *platform;
};

static const struct option save_table[] = {
    OPTION_STR(struct save_options, output, 'o', "output", "string", "Write to a file, instead of STDOUT"),
    OPTION_STR(struct save_options, platform, 0, "platform", "string", "Save only the given platform(s)"),
    OPTION_END,
};

struct saving {
    struct image_store *store;
    const struct strs *names;
    const char *platform;
};

static int save_to(int fd, void *arg, struct error *e) {
    const struct saving *s = arg;

    return image_save(s->store, s->names, s->platform, fd, e);
}

static int save_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct save_options *o = options;
    struct saving saving = {.names = args, .platform = o->platform};
    int r;

    if (!o->output && isatty(STDOUT_FILENO))
        return error_set(e, -EINVAL, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    r = cli_store(cli, &saving.store, e);
    if (r < 0)
        return r;
    return o->output ? cli_output(cli, o->output, 0666, save_to, &saving, e) : save_to(STDOUT_FILENO, &saving, e);
}

const struct command command_save = {
    .names = {"save", "image save"},
    .usage = "IMAGE [IMAGE...]",
    .summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
    COMMAND_OPTIONS(struct save_options, save_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = save_run,
};

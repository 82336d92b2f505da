#include <string.h>

#include "cli/command.h"
#include "cli/pull_view.h"
#include "image/ingest.h"

struct load_options {
    const char *input, *platform;
    bool quiet;
};

static const struct option load_table[] = {
    OPTION_STR(struct load_options, input, 'i', "input", "string", "Read from tar archive file, instead of STDIN"),
    OPTION_STR(struct load_options, platform, 0, "platform", "string", "Load only the given platform(s)"),
    OPTION_BOOL(struct load_options, quiet, 'q', "quiet", "Suppress the load output"),
    OPTION_END,
};

static int load_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct load_options *o = options;
    _cleanup_fd_ int fd = -1;
    struct image_store *store;
    struct strs names = {0};
    struct pull_view view;
    int r = cli_store(cli, &store, e);

    if (r < 0)
        return r;
    fd = cli_open_input(o->input, e);
    if (fd < 0)
        return fd;
    pull_view_init(&view, stdout, o->quiet || !isatty(STDOUT_FILENO));
    r = image_load(store, fd, o->platform, &view.progress, &cli->arena, &names, e);
    pull_view_end(&view);
    for (size_t i = 0; r >= 0 && i < names.n; i++) {
        bool is_id = !strncmp(names.v[i], "sha256:", 7);

        printf("Loaded image%s: %s\n", is_id ? " ID" : "", names.v[i]);
    }
    return r < 0 ? error_wrap(e, r, "load %s", o->input && strcmp(o->input, "-") != 0 ? o->input : "standard input") : 0;
}

const struct command command_load = {
    .names = {"load", "image load"},
    .summary = "Load an image from a tar archive or STDIN",
    COMMAND_OPTIONS(struct load_options, load_table),
    .args_min = 0,
    .args_max = 0,
    .run = load_run,
};

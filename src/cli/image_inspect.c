#include "model/image_inspect.h"
#include "cli/command.h"
#include "cli/format.h"
#include "image/image.h"

#define INDENT 4

struct image_inspect_options {
    const char *format, *platform;
};

static const struct option image_inspect_options_table[] = {
    OPTION_STR(struct image_inspect_options, format, 'f', "format", "string",
               "Format output using a custom template: 'json' or 'TEMPLATE'"),
    OPTION_STR(struct image_inspect_options, platform, 0, "platform", "string",
               "Inspect a specific platform of the multi-platform image"),
    OPTION_END,
};

static int image_inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct image_inspect_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct image_store *store;
    struct strs documents = {0};
    bool failed = false;
    int r = cli_store(cli, &store, e);

    for (size_t i = 0; r >= 0 && i < args->n; i++) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        struct image_inspect answer = {0};
        struct error inner = ERROR_INIT;

        if (image_inspect(store, args->v[i], o->platform, &cli->arena, &answer, &inner) < 0) {
            failed |= cli_report(&inner); /* the others are shown nevertheless */
            continue;
        }
        json_encode(&image_inspect_table, &answer, INDENT, &text);
        strs_add(&cli->arena, &documents, arena_strdup(&cli->arena, buf_text(&text)));
    }
    if (r >= 0)
        r = format_documents(o->format, &documents, &image_inspect_table, &out, e);
    if (r >= 0)
        r = cli_write(&out, e);
    return r < 0 ? r : failed ? 1 : 0;
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

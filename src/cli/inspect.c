/* inspect of anything by name: containers first, then images, volumes, networks, as Docker tries them. */
#include <string.h>

#include "cli/command.h"
#include "cli/format.h"
#include "engine/inspect.h"
#include "engine/lookup.h"
#include "engine/volume.h"
#include "image/image.h"
#include "model/image_inspect.h"
#include "network/manage.h"

struct inspect_flags {
    const char *format, *type;
    bool size;
};

static const struct option inspect_table[] = {
    OPTION_STR(struct inspect_flags, format, 'f', "format", "string",
               "Format output using a custom template:\n'json':             Print in JSON format\n'TEMPLATE':         Print output "
               "using the "
               "given Go template."),
    OPTION_BOOL(struct inspect_flags, size, 's', "size", "Display total file sizes if the type is container"),
    OPTION_STR(struct inspect_flags, type, 0, "type", "string", "Only inspect objects of the given type"),
    OPTION_END,
};

/* Appends the document of one kind; -ENOENT: there is none of that name. */
typedef int document_fn(struct cli *cli, const char *name, const struct inspect_flags *f, struct buf *out, struct error *e);

static int of_container(struct cli *cli, const char *name, const struct inspect_flags *f, struct buf *out, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = container_open(engine, name, &cli->arena, &c, e);
    return r < 0 ? r : container_inspect(engine, &c, f->size, &cli->arena, out, e);
}

static int of_image(struct cli *cli, const char *name, const struct inspect_flags *f _unused_, struct buf *out, struct error *e) {
    struct image_inspect image;
    struct image_store *store;
    int r = cli_store(cli, &store, e);
    if (r == 0)
        r = image_inspect(store, name, NULL, &cli->arena, &image, e);
    if (r == 0)
        json_encode(&image_inspect_table, &image, 4, out);
    return r;
}

static int of_volume(struct cli *cli, const char *name, const struct inspect_flags *f _unused_, struct buf *out, struct error *e) {
    const struct roots *roots;
    struct volume volume;
    int r = cli_roots(cli, &roots, e);
    if (r == 0)
        r = volume_open(roots, name, &cli->arena, &volume, e);
    if (r == 0)
        json_encode(&volume_table, &volume, 4, out);
    return r;
}

static int of_network(struct cli *cli, const char *name, const struct inspect_flags *f _unused_, struct buf *out, struct error *e) {
    const struct roots *roots;
    struct network network;
    int r = cli_roots(cli, &roots, e);
    if (r == 0)
        r = network_inspect(roots, name, &cli->arena, &network, e);
    network.format = 0; /* belongs to the file */
    network.auto_subnet = false;
    if (r == 0)
        json_encode(&network_table, &network, 4, out);
    return r;
}

static const struct kind {
    const char *name;
    document_fn *fn;
    const struct json_table *type; /* what the document is written by */
} kinds[] = {{"container", of_container, &container_inspect_table},
             {"image", of_image, &image_inspect_table},
             {"volume", of_volume, &volume_table},
             {"network", of_network, &network_table}};

/* *ret: the kind of what was found. */
static int find(struct cli *cli, const char *name, const struct inspect_flags *f, struct buf *out, const struct kind **ret,
                struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct error why = ERROR_INIT;
        if (f->type && strcmp(f->type, kinds[i].name) != 0)
            continue;
        int r = kinds[i].fn(cli, name, f, out, &why);
        if (r == 0 || f->type || (r != -ENOENT && r != -EINVAL)) {
            error_move(e, &why);
            *ret = &kinds[i];
            return r;
        }
        error_release(&why);
    }
    return error_set(e, -ENOENT, "No such object: %s", name);
}

static bool type_is_known(const char *type) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(type, kinds[i].name) == 0)
            return true;
    return false;
}

/* Docker prints what it found and complains about the rest, with status 1. */
static int inspect_all(struct cli *cli, const struct inspect_flags *f, const struct strs *names, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct strs documents = {0};
    bool failed = false;
    struct error why = ERROR_INIT, first = ERROR_INIT;
    if (f->type && !type_is_known(f->type))
        return error_set(e, -EINVAL, "unknown type: \"%s\"", f->type);
    int r = 0;
    for (size_t i = 0; r == 0 && i < names->n; i++) {
        _cleanup_buf_ struct buf document = BUF_INIT;
        const struct kind *kind = NULL;
        if (find(cli, names->v[i], f, &document, &kind, &why) == 0) {
            const char *text = arena_strdup(&cli->arena, buf_text(&document));
            if (f->format)
                r = format_documents(f->format, &(struct strs){&text, 1}, kind->type, &out, e);
            else
                strs_add(&cli->arena, &documents, text);
            continue;
        }
        if (failed)
            (void)cli_report(&why);
        else
            error_move(&first, &why);
        failed = true;
    }
    if (r == 0 && !f->format)
        r = format_documents(NULL, &documents, NULL, &out, e);
    if (r == 0)
        r = cli_write(&out, e);
    if (failed && r == 0)
        (void)cli_report(&first);
    error_release(&first);
    return r < 0 ? r : failed;
}

static int inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    return inspect_all(cli, options, args, e);
}

static int inspect_kind_run(struct cli *cli, const void *options, const char *type, const struct strs *args, struct error *e) {
    struct inspect_flags f = *(const struct inspect_flags *)options;
    f.type = type;
    return inspect_all(cli, &f, args, e);
}

static int container_inspect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    return inspect_kind_run(cli, options, "container", args, e);
}

const struct command command_inspect = {.names = {"inspect"},
                                        .usage = "NAME|ID [NAME|ID...]",
                                        .summary = "Return low-level information on tare objects",
                                        COMMAND_OPTIONS(struct inspect_flags, inspect_table),
                                        .args_min = 1,
                                        .args_max = COMMAND_ARGS_ANY,
                                        .run = inspect_run};

static const struct option container_table[] = {
    OPTION_STR(struct inspect_flags, format, 'f', "format", "string", "Format output using a custom template"),
    OPTION_BOOL(struct inspect_flags, size, 's', "size", "Display total file sizes"),
    OPTION_END,
};
const struct command command_container_inspect = {.names = {"container inspect"},
                                                  .usage = "CONTAINER [CONTAINER...]",
                                                  .summary = "Display detailed information on one or more containers",
                                                  COMMAND_OPTIONS(struct inspect_flags, container_table),
                                                  .args_min = 1,
                                                  .args_max = COMMAND_ARGS_ANY,
                                                  .run = container_inspect_run};

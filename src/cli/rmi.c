#include "cli/command.h"
#include "engine/container.h"
#include "image/image.h"

struct rmi_options {
    bool force, no_prune;
    const char *platform;
};

static const struct option rmi_table[] = {
    OPTION_BOOL(struct rmi_options, force, 'f', "force", "Force removal of the image"),
    OPTION_BOOL(struct rmi_options, no_prune, 0, "no-prune", "Do not delete untagged parents (images of tare have none)"),
    OPTION_STR(struct rmi_options, platform, 0, "platform", "string", "Remove only the image of this platform"),
    OPTION_END,
};

/* What cannot be read is taken for running: its image stays. */
static bool is_running(const char *owner, void *arg) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct container_state state;
    int r = container_open_id(arg, owner, &a, &c, NULL);

    if (r < 0)
        return r != -ENOENT;
    return container_state(&c, &state, NULL) < 0 || container_is_alive(&state);
}

static int remove_one(struct cli *cli, struct image_store *store, const char *name, const struct rmi_options *o, struct error *e) {
    struct image_remove_options ro = {
        .force = o->force, .no_prune = o->no_prune, .is_running = is_running, .arg = cli->engine_value};
    struct arena *a = &cli->arena;
    struct list done = {0};
    struct image image;
    int r = 0;

    if (o->platform) /* only if that is what it is */
        r = image_resolve(store, name, o->platform, a, &image, e);
    if (r >= 0)
        r = image_remove(store, name, &ro, a, &done, e);
    for (size_t i = 0; i < done.n; i++) {
        const struct image_removal *removal = LIST_AT(struct image_removal, &done, i);

        printf("%s: %s\n", removal->untagged ? "Untagged" : "Deleted", removal->what);
    }
    return r;
}

static int rmi_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct rmi_options *o = options;
    struct image_store *store;
    bool failed = false;
    int r = cli_store(cli, &store, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < args->n; i++) {
        struct error inner = ERROR_INIT;

        r = remove_one(cli, store, args->v[i], o, &inner);
        if (r < 0) {
            cli_report(&inner);
            failed |= !(o->force && r == -ENOENT); /* Docker says it, and is content when forced */
        }
        error_release(&inner);
    }
    return failed ? 1 : 0;
}

const struct command command_rmi = {
    .names = {"rmi", "image rm", "image remove"},
    .usage = "IMAGE [IMAGE...]",
    .summary = "Remove one or more images",
    COMMAND_OPTIONS(struct rmi_options, rmi_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = rmi_run,
};

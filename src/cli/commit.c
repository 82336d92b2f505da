#include "engine/commit.h"
#include "cli/command.h"
#include "engine/lookup.h"

struct commit_flags {
    struct commit_options commit;
    struct opt_bool pause;
};

static const struct option commit_table[] = {
    OPTION_STR(struct commit_flags, commit.author, 'a', "author", "string",
               "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
    OPTION_LIST(struct commit_flags, commit.changes, 'c', "change", "list", "Apply Dockerfile instruction to the created image"),
    OPTION_STR(struct commit_flags, commit.message, 'm', "message", "string", "Commit message"),
    OPTION_BOOL(struct commit_flags, commit.no_pause, 0, "no-pause", "Disable pausing container during commit"),
    OPTION_FULL(struct commit_flags, pause, 'p', "pause", OPTION_KIND_OPT_BOOL, NULL, OPTION_HIDDEN, NULL, ""),
    OPTION_END,
};

static int commit_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct commit_flags *o = options;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct commit_options commit = o->commit;
    struct engine *engine;
    const char *id;
    int r = cli_engine(cli, &engine, e);

    commit.reference = args->n > 1 ? args->v[1] : NULL;
    commit.no_pause = commit.no_pause || (o->pause.set && !o->pause.value);
    if (r == 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r == 0)
        r = container_commit(engine, &c, &commit, &cli->arena, &id, e);
    if (r == 0)
        puts(id);
    return r;
}

const struct command command_commit = {
    .names = {"commit", "container commit"},
    .usage = "CONTAINER [REPOSITORY[:TAG]]",
    .summary = "Create a new image from a container's changes",
    COMMAND_OPTIONS(struct commit_flags, commit_table),
    .args_min = 1,
    .args_max = 2,
    .run = commit_run,
};

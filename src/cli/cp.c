#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "engine/copy.h"
#include "engine/lookup.h"
#include "model/units.h"

struct cp_options {
    struct copy_options copy;
    struct opt_bool quiet;
};

static const struct option cp_table[] = {
    OPTION_BOOL(struct cp_options, copy.archive, 'a', "archive", "Archive mode (copy all uid/gid information)"),
    OPTION_BOOL(struct cp_options, copy.follow, 'L', "follow-link", "Always follow symbol link in SRC_PATH"),
    OPTION_AT(struct cp_options, quiet, 'q', "quiet", OPTION_KIND_OPT_BOOL, NULL,
              "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached"),
    OPTION_END,
};

/* CONTAINER:PATH, or a path of the host: "/a:b" and "./a:b" are the host's, as docker cp splits them. */
struct cp_arg {
    const char *container; /* NULL = the host */
    const char *path;
};

static struct cp_arg split(const char *text, struct arena *a) {
    const char *colon = strchr(text, ':');

    if (text[0] == '/' || text[0] == '.' || !colon || colon == text)
        return (struct cp_arg){NULL, text};
    return (struct cp_arg){arena_strndup(a, text, (size_t)(colon - text)), colon + 1};
}

static void report(const struct cp_options *o, uint64_t bytes, const char *container, const char *path) {
    _cleanup_buf_ struct buf size = BUF_INIT;

    if (o->quiet.set ? o->quiet.value : !isatty(STDERR_FILENO))
        return;
    size_human_digits((int64_t)bytes, 3, &size);
    fprintf(stderr, "Successfully copied %s to %s%s%s\n", buf_text(&size), container ? container : "", container ? ":" : "", path);
}

static int copy_out(struct engine *engine, struct container *c, const struct cp_options *o, const char *from, const char *to,
                    struct error *e) {
    uint64_t bytes = 0;
    int r;

    if (strcmp(to, "-") == 0)
        return container_archive_out(engine, c, from, o->copy.follow, STDOUT_FILENO, e);
    r = container_copy_out(engine, c, from, to, &o->copy, &bytes, e);
    if (r == 0)
        report(o, bytes, NULL, to);
    return r;
}

static int copy_in(struct engine *engine, struct container *c, const struct cp_options *o, const char *from,
                   const struct cp_arg *to, struct error *e) {
    _cleanup_fd_ int in = -1;
    uint64_t bytes = 0;
    int r;

    if (strcmp(from, "-") == 0) {
        in = cli_open_input(NULL, e);
        return in < 0 ? in : container_archive_in(engine, c, to->path, in, e);
    }
    r = container_copy_in(engine, c, from, to->path, &o->copy, &bytes, e);
    if (r == 0)
        report(o, bytes, to->container, to->path);
    return r;
}

static int copy_one(struct cli *cli, struct engine *engine, const struct cp_options *o, const struct cp_arg *from,
                    const struct cp_arg *to, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    int r;

    if (!from->path[0])
        return error_set(e, -EINVAL, "source can not be empty");
    if (!to->path[0])
        return error_set(e, -EINVAL, "destination can not be empty");
    if (from->container && to->container)
        return error_set(e, -EINVAL, "copying between containers is not supported");
    if (!from->container && !to->container)
        return error_set(e, -EINVAL, "must specify at least one container source");
    r = container_open(engine, from->container ? from->container : to->container, &cli->arena, &c, e);
    if (r < 0)
        return r;
    return from->container ? copy_out(engine, &c, o, from->path, to->path, e) : copy_in(engine, &c, o, from->path, to, e);
}

/* Several sources need a directory to go into: the last argument is taken as one. */
static int cp_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct cp_options *o = options;
    struct cp_arg to = split(args->v[args->n - 1], &cli->arena);
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    if (args->n > 2 && strcmp(to.path, "-") == 0)
        return error_set(e, -EINVAL, "an archive on standard output takes one source");
    if (args->n > 2 && to.path[0])
        to.path = arena_printf(&cli->arena, "%s/.", to.path);
    for (size_t i = 0; r == 0 && i + 1 < args->n; i++) {
        struct cp_arg from = split(args->v[i], &cli->arena);

        r = copy_one(cli, engine, o, &from, &to, e);
        if (r < 0 && args->n > 2)
            error_wrap(e, r, "%s", args->v[i]);
    }
    return r;
}

const struct command command_cp = {
    .names = {"cp", "container cp"},
    .usage = "CONTAINER:SRC_PATH... DEST_PATH|-\n\ttare cp [OPTIONS] SRC_PATH|-... CONTAINER:DEST_PATH",
    .summary = "Copy files/folders between a container and the local filesystem",
    .description = "Copy files/folders between a container and the local filesystem\n\n"
                   "Use '-' as the source to read a tar archive from stdin\n"
                   "and extract it to a directory destination in a container.\n"
                   "Use '-' as the destination to stream a tar archive of a\n"
                   "container source to stdout.",
    COMMAND_OPTIONS(struct cp_options, cp_table),
    .args_min = 2,
    .args_max = COMMAND_ARGS_ANY,
    .run = cp_run,
};

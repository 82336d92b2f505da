/* load, import, save: images as files. */
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/pull_view.h"
#include "image/ingest.h"

/* --- load ----------------------------------------------------------------------------------------------------------------------
 */

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

/* "-" and NULL are standard input. The descriptor is the caller's to close. */
static int open_input(const char *path, struct error *e) {
    int fd;

    if (path && strcmp(path, "-") != 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    else if (isatty(STDIN_FILENO))
        return error_set(e, -EINVAL, "requested to read an archive from stdin, but stdin is a terminal");
    else
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? error_errno(e, -errno, "open %s", path ? path : "standard input") : fd;
}

static int load_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct load_options *o = options;
    _cleanup_fd_ int fd = -1;
    struct image_store *store;
    struct strs names = {0};
    struct pull_view view;
    int r = cli_store(cli, &store, e);

    if (r < 0)
        return r;
    fd = open_input(o->input, e);
    if (fd < 0)
        return fd;
    pull_view_init(&view, stdout, o->quiet || !isatty(STDOUT_FILENO));
    r = image_load(store, fd, o->platform, &view.progress, &cli->arena, &names, e);
    pull_view_end(&view);
    for (size_t i = 0; r >= 0 && i < names.n; i++) {
        bool is_id = !strncmp(names.v[i], "sha256:", 7);

        printf("Loaded image%s: %s\n", is_id ? " ID" : "", names.v[i]);
    }
    return r < 0 ? r : 0;
}

const struct command command_load = {
    .names = {"load", "image load"},
    .summary = "Load an image from a tar archive or STDIN",
    COMMAND_OPTIONS(struct load_options, load_table),
    .args_min = 0,
    .args_max = 0,
    .run = load_run,
};

/* --- import --------------------------------------------------------------------------------------------------------------------
 */

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
    fd = open_input(args->v[0], e);
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

/* --- save ----------------------------------------------------------------------------------------------------------------------
 */

struct save_options {
    const char *output, *platform;
};

static const struct option save_table[] = {
    OPTION_STR(struct save_options, output, 'o', "output", "string", "Write to a file, instead of STDOUT"),
    OPTION_STR(struct save_options, platform, 0, "platform", "string", "Save only the given platform(s)"),
    OPTION_END,
};

/* Into a temporary beside the file, which gets its name only when it is whole. */
static int save_to_file(struct image_store *store, const struct strs *names, const struct save_options *o, struct arena *a,
                        struct error *e) {
    char *temporary = arena_printf(a, "%s.XXXXXX", o->output);
    _cleanup_fd_ int fd = mkostemp(temporary, O_CLOEXEC);
    mode_t mask = umask(0);
    int r;

    (void)umask(mask);
    if (fd < 0)
        return error_errno(e, -errno, "create %s", o->output);
    r = image_save(store, names, o->platform, fd, e);
    if (r >= 0 && (fchmod(fd, 0666 & ~mask) < 0 || rename(temporary, o->output) < 0))
        r = error_errno(e, -errno, "write %s", o->output);
    if (r < 0)
        (void)unlink(temporary);
    return r;
}

static int save_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct save_options *o = options;
    struct image_store *store;
    struct stat st;
    int r;

    if (!o->output && isatty(STDOUT_FILENO))
        return error_set(e, -EINVAL, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    r = cli_store(cli, &store, e);
    if (r < 0)
        return r;
    if (o->output && (stat(o->output, &st) < 0 || S_ISREG(st.st_mode)))
        return save_to_file(store, args, o, &cli->arena, e);
    if (o->output) { /* a device or FIFO cannot be replaced */
        _cleanup_fd_ int fd = open(o->output, O_WRONLY | O_CLOEXEC);

        return fd < 0 ? error_errno(e, -errno, "open %s", o->output) : image_save(store, args, o->platform, fd, e);
    }
    return image_save(store, args, o->platform, STDOUT_FILENO, e);
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

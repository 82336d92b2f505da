#include <fcntl.h>
#include <sys/stat.h>

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

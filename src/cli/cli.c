#include "cli/cli.h"

#include <fcntl.h>
#include <string.h>

#include "engine/engine.h"

int cli_roots(struct cli *cli, const struct roots **ret, struct error *e) {
    if (cli->roots_value.root_fd < 0) {
        int r = roots_open(cli->global.root, cli->global.run_root, geteuid() != 0, &cli->roots_value, e);
        if (r < 0)
            return r;
    }
    *ret = &cli->roots_value;
    return 0;
}

int cli_engine(struct cli *cli, struct engine **ret, struct error *e) {
    if (!cli->engine_value) {
        const struct roots *roots;
        int r = cli_roots(cli, &roots, e);
        if (r == 0)
            r = engine_open(roots, &cli->engine_value, e);
        if (r < 0)
            return r;
    }
    *ret = cli->engine_value;
    return 0;
}

int cli_store(struct cli *cli, struct image_store **ret, struct error *e) {
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);
    return r < 0 ? r : engine_store(engine, ret, e);
}

bool cli_report(struct error *e) {
    _cleanup_free_ char *sentence = error_sentence(e);
    fflush(stdout);
    fprintf(stderr, "Error: %s\n", sentence);
    error_release(e);
    *e = (struct error)ERROR_INIT;
    return true;
}

bool cli_confirm(const char *text) {
    printf("%s [y/N] ", text);
    fflush(stdout);
    char line[16];
    if (!fgets(line, sizeof(line), stdin))
        return false;
    line[strcspn(line, "\n")] = 0;
    return strcmp(line, "y") == 0 || strcmp(line, "Y") == 0;
}

/* "-" and NULL are standard input. The descriptor is the caller's to close. */
int cli_open_input(const char *path, struct error *e) {
    int fd;

    if (path && strcmp(path, "-") != 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    else if (isatty(STDIN_FILENO))
        return error_set(e, -EINVAL, "requested to read an archive from stdin, but stdin is a terminal");
    else
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? error_errno(e, -errno, "open %s", path ? path : "standard input") : fd;
}

int cli_write(const struct buf *b, struct error *e) {
    if (b->failed)
        return error_set(e, -EFBIG, "the answer is too large");
    if (fwrite(buf_text(b), 1, b->size, stdout) != b->size)
        return error_errno(e, -errno, "write standard output");
    return 0;
}

void cli_release(struct cli *cli) {
    engine_close(cli->engine_value);
    roots_release(&cli->roots_value);
    arena_release(&cli->arena);
}

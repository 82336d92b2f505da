#include "cli/cli.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/heal.h"
#include "model/config.h"
#include "network/rootless.h"
#include "runtime/delegation.h"
#include "runtime/rootless.h"

#define SYSTEM_CONFIG "/etc/tare/tare.conf"

static int read_config(struct cli *cli, const char *path, bool required, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_error_ struct error why = ERROR_INIT;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r;

    if (fd < 0)
        return errno == ENOENT && !required ? 0 : error_errno(e, -errno, "read the configuration %s", path);
    r = fs_read_fd(fd, CONFIG_SIZE_MAX, &text, &why);
    if (r < 0)
        return error_set(e, r, "read the configuration %s: %s", path, why.text);
    return config_parse(path, buf_text(&text), text.size, &cli->arena, cli->config_value, e);
}

static const char *user_config(struct cli *cli) {
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (base && base[0] == '/')
        return arena_printf(&cli->arena, "%s/tare/tare.conf", base);
    return home && home[0] == '/' ? arena_printf(&cli->arena, "%s/.config/tare/tare.conf", home) : NULL;
}

int cli_config(struct cli *cli, const struct config **ret, struct error *e) {
    int r = 0;

    if (!cli->config_value) {
        cli->config_value = arena_new(&cli->arena, struct config);
        config_init(&cli->arena, cli->config_value);
        if (cli->global.config) {
            r = read_config(cli, cli->global.config, true, e);
        } else {
            const char *user = user_config(cli);

            r = read_config(cli, SYSTEM_CONFIG, false, e);
            if (r == 0 && user)
                r = read_config(cli, user, false, e);
            if (r == -EACCES)
                error_hint(e, "%s is another user's: su takes it along", getenv("XDG_CONFIG_HOME") ? "XDG_CONFIG_HOME" : "HOME");
        }
    }
    if (r == 0 && !cli->global.log_level && !cli->global.debug && log_level_parse(cli->config_value->log_level, &log_level) < 0)
        r = error_set(e, -EINVAL, "tare.conf: log_level: unknown level %s", cli->config_value->log_level);
    if (r < 0)
        return r;
    *ret = cli->config_value;
    return 0;
}

/* An ordinary user becomes root of his namespace before anything of his is opened. */
static int enter_roots(struct cli *cli, const struct config *config, struct error *e) {
    struct roots *roots = &cli->roots_value;
    struct rootless rootless;
    int r = roots_name(cli->global.root ? cli->global.root : config->root,
                       cli->global.run_root ? cli->global.run_root : config->run_root, geteuid(), roots, e);

    if (r >= 0)
        r = rootless_enter(roots->run_root, cli->starts, &rootless, e);
    if (r < 0)
        return r;
    roots->rootless = rootless.active;
    roots->single_id = rootless.single_id;
    if (rootless.active && rootless.uid != 0 && cli->enters) /* the mount namespace is ours */
        delegation_enter(roots->tag, rootless.joined);
    roots->uid = rootless.uid;
    roots->gid = rootless.gid;
    roots->uids = rootless.uids;
    roots->gids = rootless.gids;
    r = roots_open(roots, e);
    return r < 0 ? r : rootless_network_use(roots, false, e);
}

int cli_roots(struct cli *cli, const struct roots **ret, struct error *e) {
    if (cli->roots_value.root_fd < 0) {
        const struct config *config;
        int r = cli_config(cli, &config, e);

        if (r >= 0)
            r = enter_roots(cli, config, e);
        if (r < 0)
            return r;
    }
    *ret = &cli->roots_value;
    return 0;
}

int cli_engine(struct cli *cli, struct engine **ret, struct error *e) {
    if (!cli->engine_value) {
        const struct roots *roots;
        struct engine *engine = NULL;
        int r = cli_roots(cli, &roots, e);

        if (r >= 0)
            r = engine_open(roots, &engine, e);
        if (r < 0)
            return r;
        engine->config = cli->config_value;
        engine->userns_user = cli->config_value->userns_user;
        cli->engine_value = engine;
    }
    *ret = cli->engine_value;
    return 0;
}

int cli_store(struct cli *cli, struct image_store **ret, struct error *e) {
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);
    return r < 0 ? r : engine_store(engine, ret, e);
}

int cli_each(struct cli *cli, const struct strs *names, cli_one_fn *one, void *context, struct error *e) {
    const struct roots *roots;
    bool failed = false;
    int r = cli_roots(cli, &roots, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < names->n; i++) {
        _cleanup_error_ struct error why = ERROR_INIT;

        if (one(cli, names->v[i], context, &why) < 0)
            failed |= cli_report(&why);
    }
    return failed ? 1 : 0;
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

/* Into a temporary beside the file, which gets its name only when it is whole. */
static int output_to_file(struct cli *cli, const char *path, mode_t mode, cli_output_fn *fn, void *arg, struct error *e) {
    char *temporary = arena_printf(&cli->arena, "%s.XXXXXX", path);
    _cleanup_fd_ int fd = mkostemp(temporary, O_CLOEXEC);
    mode_t mask = umask(0);
    int r;

    (void)umask(mask);
    if (fd < 0)
        return error_errno(e, -errno, "create %s", path);
    r = fn(fd, arg, e);
    if (r >= 0 && (fchmod(fd, mode & ~mask) < 0 || rename(temporary, path) < 0))
        r = error_errno(e, -errno, "write %s", path);
    if (r < 0)
        (void)unlink(temporary);
    return r;
}

int cli_output(struct cli *cli, const char *path, mode_t mode, cli_output_fn *fn, void *arg, struct error *e) {
    struct stat st;
    _cleanup_fd_ int fd = -1;

    if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
        return output_to_file(cli, path, mode, fn, arg, e);
    fd = open(path, O_WRONLY | O_CLOEXEC); /* a device or FIFO cannot be replaced */
    return fd < 0 ? error_errno(e, -errno, "open %s", path) : fn(fd, arg, e);
}

int cli_write(const struct buf *b, struct error *e) {
    _cleanup_buf_ struct buf shown = BUF_INIT;
    if (b->failed)
        return error_set(e, -EFBIG, "the answer is too large");
    /* What images and registries say is not told to a terminal as it is. */
    if (isatty(STDOUT_FILENO))
        buf_add_visible(&shown, buf_text(b), b->size, "\n\t");
    if (shown.failed)
        return error_set(e, -EFBIG, "the answer is too large");
    if (isatty(STDOUT_FILENO))
        b = &shown;
    if (fwrite(buf_text(b), 1, b->size, stdout) != b->size)
        return error_errno(e, -errno, "write standard output");
    return 0;
}

void cli_release(struct cli *cli) {
    if (cli->engine_value) /* after the answer: what commands left that were killed */
        engine_heal_later(cli->engine_value);
    engine_close(cli->engine_value);
    roots_release(&cli->roots_value);
    arena_release(&cli->arena);
}

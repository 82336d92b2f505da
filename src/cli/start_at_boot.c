/* system start-at-boot: the unit that an init calls at boot and before it goes down, and what it calls. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/fs.h"
#include "cli/command.h"
#include "engine/boot.h"
#include "engine/boot_unit.h"
#include "model/user.h"

#define SYSTEM_UNITS "/etc/systemd/system"

struct boot_flags {
    const char *unit_dir;
};

static const struct option boot_table[] = {
    OPTION_STR(struct boot_flags, unit_dir, 0, "unit-dir", "string",
               "Where units lie (default: /etc/systemd/system; of an ordinary user ~/.config/systemd/user)"),
    OPTION_END,
};

struct boot_call {
    struct cli *cli;
    const struct boot_flags *flags;
    struct boot_unit unit;
};

static const char *absolute(const char *path, struct arena *a) {
    _cleanup_fd_ int fd = path && path[0] != '/' ? open(path, O_PATH | O_CLOEXEC) : -1;
    _cleanup_free_ char *full = fd >= 0 ? fs_fd_path(fd) : NULL;

    return full ? arena_strdup(a, full) : path;
}

static const char *user_units(struct arena *a, struct error *e) {
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (base && base[0] == '/')
        return arena_printf(a, "%s/systemd/user", base);
    if (home && home[0] == '/')
        return arena_printf(a, "%s/.config/systemd/user", home);
    error_set(e, -ENOENT, "no directory for units: neither XDG_CONFIG_HOME nor HOME is set");
    return NULL;
}

/* Without the engine: an ordinary user stays himself, since the files are his. */
static int fill_unit(struct boot_call *call, struct error *e) {
    struct cli *cli = call->cli;
    const struct global_options *g = &cli->global;
    _cleanup_roots_ struct roots roots = ROOTS_INIT;
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (n < 0)
        return error_errno(e, -errno, "find the path of tare");
    program[n] = '\0';
    int r = roots_name(g->root, g->run_root, geteuid(), &roots, e);
    if (r < 0)
        return r;
    struct boot_unit *u = &call->unit;
    *u = (struct boot_unit){
        .program = arena_strdup(&cli->arena, program),
        .root = g->root ? arena_strdup(&cli->arena, roots.root) : NULL,
        .run_root = g->run_root ? arena_strdup(&cli->arena, roots.run_root) : NULL,
        .config = absolute(g->config, &cli->arena),
        .data_home = getenv("XDG_DATA_HOME"),
        .tag = arena_strdup(&cli->arena, roots.tag),
        .user = geteuid() != 0,
    };
    if (call->flags->unit_dir)
        u->dir = absolute(call->flags->unit_dir, &cli->arena);
    else
        u->dir = u->user ? user_units(&cli->arena, e) : SYSTEM_UNITS;
    return u->dir ? 0 : -ENOENT;
}

/* --- enable, disable, status ------------------------------------------------------------------------------------------------ */

/* sd_booted(3) */
static bool has_systemd(void) {
    return faccessat(AT_FDCWD, "/run/systemd/system", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Containers of an ordinary user start at boot when his systemd does: loginctl(1), enable-linger. */
static void add_linger_hint(struct arena *a, struct buf *out) {
    _cleanup_buf_ struct buf passwd = BUF_INIT;
    _cleanup_error_ struct error ignored = ERROR_INIT;
    const struct strs none = {0};
    struct identity user = {0};

    (void)fs_read_at(AT_FDCWD, "/etc/passwd", USER_FILE_MAX, &passwd, NULL);
    (void)identity_resolve(arena_printf(a, "%u", geteuid()), &none, buf_text(&passwd), NULL, a, &user, &ignored);
    if (user.name && faccessat(AT_FDCWD, arena_printf(a, "/var/lib/systemd/linger/%s", user.name), F_OK, 0) == 0)
        return;
    buf_printf(out, "Your systemd starts when you log in. For it to start at boot: loginctl enable-linger%s%s\n",
               user.name ? " " : "", user.name ? user.name : "");
}

static void add_other_init(const struct boot_unit *u, struct buf *out) {
    buf_add_str(out, "There is no systemd here. Have your init call at boot, when the network is up:\n\n    ");
    boot_unit_command(u, "run", out);
    buf_add_str(out, "\n\nand before it goes down, so that containers end in order:\n\n    ");
    boot_unit_command(u, "stop", out);
    buf_printf(out, "\n\nFor cron(8), a line of %s:\n\n    @reboot ", u->user ? "crontab -e" : "root's crontab");
    boot_unit_command(u, "run", out);
    buf_add_char(out, '\n');
}

static int enable(struct boot_call *call, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    char name[BOOT_UNIT_NAME_MAX];
    int r = fill_unit(call, e);

    if (r < 0)
        return r;
    if (!has_systemd() && !call->flags->unit_dir) {
        add_other_init(&call->unit, &out);
        return cli_write(&out, e);
    }
    r = boot_unit_enable(&call->unit, e);
    if (r < 0)
        return r;
    boot_unit_name(&call->unit, name);
    buf_printf(&out,
               "%s/%s: enabled. It counts from the next boot on; for containers to be stopped in order at the next\n"
               "shutdown already: systemctl%s daemon-reload && systemctl%s start %s\n",
               call->unit.dir, name, call->unit.user ? " --user" : "", call->unit.user ? " --user" : "", name);
    if (call->unit.user)
        add_linger_hint(&call->cli->arena, &out);
    return cli_write(&out, e);
}

static int disable(struct boot_call *call, struct error *e) {
    int r = fill_unit(call, e);

    return r < 0 ? r : boot_unit_disable(&call->unit, e);
}

static int show_status(struct boot_call *call, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    char name[BOOT_UNIT_NAME_MAX];
    int r = fill_unit(call, e);

    if (r < 0)
        return r;
    boot_unit_name(&call->unit, name);
    bool enabled = boot_unit_enabled(&call->unit);
    buf_printf(&out, "%s (%s/%s)\n", enabled ? "enabled" : "disabled", call->unit.dir, name);
    r = cli_write(&out, e);
    return r < 0 ? r : !enabled;
}

/* --- run, stop -------------------------------------------------------------------------------------------------------------- */

static void report(const char *name, struct error *e, void *arg _unused_) {
    if (e)
        (void)cli_report(e);
    else
        puts(name);
}

static int run_all(struct boot_call *call, struct error *e) {
    struct engine *engine;
    int r = cli_engine(call->cli, &engine, e);

    if (r == 0)
        r = boot_start(engine, &call->cli->arena, report, NULL, e);
    return r < 0 ? r : r > 0;
}

static int stop_all(struct boot_call *call, struct error *e) {
    struct engine *engine;
    int r = cli_engine(call->cli, &engine, e);

    if (r == 0)
        r = boot_stop(engine, &call->cli->arena, report, NULL, e);
    return r < 0 ? r : r > 0;
}

static const struct verb {
    const char *name;
    int (*run)(struct boot_call *call, struct error *e);
} verbs[] = {
    {"enable", enable}, {"disable", disable}, {"status", show_status}, {"run", run_all}, {"stop", stop_all},
};

static int boot_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    struct boot_call call = {.cli = cli, .flags = options};

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, args->v[0]) == 0)
            return verbs[i].run(&call, e);
    return error_set(e, -EINVAL, "unknown verb %s: enable, disable, status, run or stop", args->v[0]);
}

const struct command command_system_start_at_boot = {
    .names = {"system start-at-boot"},
    .usage = "enable|disable|status|run|stop",
    .summary = "Have containers with a restart policy come back after a reboot",
    .description =
        "Have containers with a restart policy come back after a reboot.\n\n"
        "enable installs a unit of systemd (of the user's own, for an ordinary user), disable removes it, status tells which, and "
        "ends\n"
        "with 1 when there is none. Where there is no systemd, enable prints what another init is to call.\n\n"
        "run is what the unit calls at boot: it starts the containers whose policy is always; unless-stopped, unless the user had\n"
        "stopped them; on-failure, when they ended with a failure and tries are left. Those that were never started stay as they "
        "are.\n"
        "stop is what it calls before the machine goes down: all containers are stopped, at once, each with its own signal and "
        "time.",
    COMMAND_OPTIONS(struct boot_flags, boot_table),
    .args_min = 1,
    .args_max = 1,
    .flags = COMMAND_STARTS,
    .run = boot_run,
};

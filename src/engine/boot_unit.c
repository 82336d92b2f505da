#include "engine/boot_unit.h"

#include <fcntl.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"

void boot_unit_name(const struct boot_unit *u, char name[BOOT_UNIT_NAME_MAX]) {
    (void)snprintf(name, BOOT_UNIT_NAME_MAX, "tare-boot%s.service", u->tag);
}

static const char *target_of(const struct boot_unit *u) {
    return u->user ? "default.target" : "multi-user.target";
}

/* --- text ------------------------------------------------------------------------------------------------------------------- */

typedef void quote_fn(const char *s, struct buf *out);

/* As systemd.service(5), "Command lines", reads it: in double quotes, % and $ doubled. */
static void quote_unit(const char *s, struct buf *out) {
    buf_add_char(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_add_char(out, '\\');
        else if (*s == '%' || *s == '$')
            buf_add_char(out, *s);
        buf_add_char(out, *s);
    }
    buf_add_char(out, '"');
}

static void quote_shell(const char *s, struct buf *out) {
    if (strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-=:@+,") == strlen(s)) {
        buf_add_str(out, s);
        return;
    }
    buf_add_char(out, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            buf_add_str(out, "'\\'");
        buf_add_char(out, *s);
    }
    buf_add_char(out, '\'');
}

static void command_line(const struct boot_unit *u, const char *verb, quote_fn *quote, struct buf *out) {
    const struct {
        const char *option, *value;
    } options[] = {{"--root", u->root}, {"--run-root", u->run_root}, {"--config", u->config}};

    quote(u->program, out);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (!options[i].value)
            continue;
        buf_printf(out, " %s ", options[i].option);
        quote(options[i].value, out);
    }
    buf_printf(out, " system start-at-boot %s", verb);
}

void boot_unit_command(const struct boot_unit *u, const char *verb, struct buf *out) {
    command_line(u, verb, quote_shell, out);
}

void boot_unit_text(const struct boot_unit *u, struct buf *out) {
    buf_add_str(out,
                "[Unit]\nDescription=Containers of tare that come back at boot\nDocumentation=man:tare-system-start-at-boot(1)\n");
    if (!u->user) /* a user's systemd does not know this target */
        buf_add_str(out, "Wants=network-online.target\nAfter=network-online.target\n");
    /* Nothing of the unit runs once the containers have started: monitors and containers are in control groups of their own, and
     * those that the host leaves in the unit's are not to be killed with it, but stopped. */
    buf_add_str(out, "\n[Service]\nType=oneshot\nRemainAfterExit=yes\nKillMode=process\n");
    if (u->user && u->data_home) {
        _cleanup_arena_ struct arena a = ARENA_INIT;

        buf_add_str(out, "Environment=");
        quote_unit(arena_printf(&a, "XDG_DATA_HOME=%s", u->data_home), out);
        buf_add_char(out, '\n');
    }
    buf_add_str(out, "ExecStart=");
    command_line(u, "run", quote_unit, out);
    buf_add_str(out, "\nExecStop=");
    command_line(u, "stop", quote_unit, out);
    buf_printf(out, "\n\n[Install]\nWantedBy=%s\n", target_of(u));
}

/* --- files ------------------------------------------------------------------------------------------------------------------ */

static const char *wants_path(const struct boot_unit *u, struct arena *a) {
    return arena_printf(a, "%s/%s.wants", u->dir, target_of(u));
}

int boot_unit_enable(const struct boot_unit *u, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT;
    char name[BOOT_UNIT_NAME_MAX];
    _cleanup_fd_ int dir = fs_open_dir_make(u->dir, 0755, e);
    _cleanup_fd_ int wants = dir < 0 ? -1 : fs_open_dir_make(wants_path(u, &a), 0755, e);

    if (dir < 0 || wants < 0)
        return error_wrap(e, dir < 0 ? dir : wants, "write a unit to %s", u->dir);
    boot_unit_name(u, name);
    boot_unit_text(u, &text);
    int r =
        text.failed ? error_errno(e, -ENOMEM, "write the unit") : fs_replace_at(dir, name, text.data, text.size, 0644, FS_SYNC, e);
    if (r < 0)
        return error_wrap(e, r, "write %s/%s", u->dir, name);
    if (symlinkat(arena_printf(&a, "../%s", name), wants, name) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "link %s into %s", name, wants_path(u, &a));
    return fsync(wants) < 0 ? error_errno(e, -errno, "sync %s", wants_path(u, &a)) : 0;
}

int boot_unit_disable(const struct boot_unit *u, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char name[BOOT_UNIT_NAME_MAX];

    boot_unit_name(u, name);
    const char *paths[] = {arena_printf(&a, "%s/%s", wants_path(u, &a), name), arena_printf(&a, "%s/%s", u->dir, name)};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (unlinkat(AT_FDCWD, paths[i], 0) < 0 && errno != ENOENT)
            return error_errno(e, -errno, "remove %s", paths[i]);
    return 0;
}

bool boot_unit_enabled(const struct boot_unit *u) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char name[BOOT_UNIT_NAME_MAX];

    boot_unit_name(u, name);
    /* Through the link: the unit must be there too. */
    return faccessat(AT_FDCWD, arena_printf(&a, "%s/%s", wants_path(u, &a), name), F_OK, 0) == 0;
}

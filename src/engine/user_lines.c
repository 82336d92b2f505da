#include "engine/user_lines.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "engine/rootfs.h"
#include "engine/userns.h"
#include "model/user.h"
#include "runtime/rootless.h"

struct etc {
    struct strs dirs;             /* what the container's root is made of, top first */
    int parts[ROOTFS_LAYERS_MAX]; /* of /etc; owned */
    size_t n;
    struct stat st;
    int changes;            /* where its own files lie; owned */
    struct id_shift owners; /* of those in `dirs`, to what they are on the host */
};

/* Nothing of it is reached by a link: what is not a directory, or a file, is left alone. */
static bool etc_open(struct etc *etc) {
    int roots[ROOTFS_LAYERS_MAX], n = rootfs_open_dirs(&etc->dirs, "/", roots);
    bool found = n > 0 && rootfs_child(roots, (size_t)n, "etc", &etc->st, etc->parts, &etc->n) == 1 && etc->n > 0;

    while (n-- > 0)
        (void)fd_close(roots[n]);
    return found;
}

static void etc_close(struct etc *etc) {
    while (etc->n > 0)
        (void)fd_close(etc->parts[--etc->n]);
    etc->changes = fd_close(etc->changes);
}

static int give(int fd, const struct stat *st, const struct id_shift *owners) {
    return fchown(fd, id_outside(&owners->uids, st->st_uid), id_outside(&owners->gids, st->st_gid)) < 0 ||
                   fchmod(fd, st->st_mode & 07777) < 0
               ? -errno
               : 0;
}

/* /etc among the container's own files, as it is below. */
static int own_etc(const struct etc *etc) {
    int fd, r;
    bool made = mkdirat(etc->changes, "etc", 0700) == 0;

    if (!made && errno != EEXIST)
        return -errno;
    fd = openat(etc->changes, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = made ? give(fd, &etc->st, &etc->owners) : 0;
    return r < 0 ? fd_close(fd), r : fd;
}

static int write_file(const struct etc *etc, const char *name, const struct buf *text, const struct stat *st, struct error *e) {
    _cleanup_fd_ int dir = own_etc(etc), fd = -1;
    int r = dir;

    if (r >= 0)
        r = fs_replace_at(dir, name, text->data, text->size, 0600, FS_NO_SYNC, NULL);
    if (r >= 0)
        r = fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (r >= 0)
        r = give(fd, st, &etc->owners);
    return r < 0 ? error_errno(e, r, "write /etc/%s of the container", name) : 0;
}

/* "NAME:REST", or "NUMBER:REST" where the name is somebody else's. */
static int add_line(const struct etc *etc, const char *file, const char *name, uint32_t number, const char *rest, struct arena *a,
                    struct error *e) {
    _cleanup_buf_ struct buf text = BUF_WITH_MAX(2 * USER_FILE_MAX);
    struct stat st;
    int none[ROOTFS_LAYERS_MAX];
    size_t n = 0;

    if (rootfs_child(etc->parts, etc->n, file, &st, none, &n) != 1)
        return 0;
    while (n > 0)
        (void)fd_close(none[--n]);
    if (!S_ISREG(st.st_mode) || rootfs_read(&etc->dirs, arena_printf(a, "/etc/%s", file), USER_FILE_MAX, &text) < 0)
        return 0;
    if (user_file_has(buf_text(&text), NULL, number))
        return 0;
    if (text.size && text.data[text.size - 1] != '\n')
        buf_add_str(&text, "\n");
    if (!*name || user_file_has(buf_text(&text), name, 0))
        buf_printf(&text, "%u:%s\n", number, rest);
    else
        buf_printf(&text, "%s:%s\n", name, rest);
    return write_file(etc, file, &text, &st, e);
}

/* The user's home of the host, where it, or a directory above, is mounted at its own place. */
static const char *home_of(const struct container_record *c, const char *home) {
    for (size_t i = 0; i < c->mounts.n; i++) {
        const char *at = LIST_AT(struct mount_point, &c->mounts, i)->destination;
        size_t n = strlen(at);

        if (n > 1 && strncmp(home, at, n) == 0 && (home[n] == '/' || !home[n]))
            return home;
    }
    return c->config.working_dir && *c->config.working_dir ? c->config.working_dir : "/";
}

static bool is_one_field(const char *text) {
    for (; *text; text++)
        if (*text == ':' || (unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

int user_lines_add(const struct engine *engine, const struct container *c, struct arena *a, struct error *e) {
    struct host_user user;
    struct etc etc = {.changes = -1};
    uint32_t uid, gid;
    const char *home;
    int r = 0;

    if (!userns_kept(engine, c, &uid, &gid) || (c->record.host.rootfs && c->record.host.rootfs_writable))
        return 0;
    rootless_host_user(engine->roots->uid, &user);
    home = home_of(&c->record, user.home);
    container_rootfs_dirs(engine, &c->record, a, &etc.dirs);
    if (!c->record.own_files)
        etc.owners = userns_shift(c);
    if (mkdirat(c->dirfd, container_changes_name(&c->record), 0755) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create directory %s", container_changes_name(&c->record));
    etc.changes = openat(c->dirfd, container_changes_name(&c->record), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (etc.changes < 0)
        r = error_errno(e, -errno, "open directory %s", container_changes_name(&c->record));
    if (r == 0 && etc_open(&etc)) {
        r = add_line(&etc, "passwd", user.name, uid,
                     arena_printf(a, "*:%u:%u::%s:/bin/sh", uid, gid, is_one_field(home) ? home : "/"), a, e);
        if (r == 0)
            r = add_line(&etc, "group", user.name, gid, arena_printf(a, "x:%u:", gid), a, e);
    }
    etc_close(&etc);
    return r;
}

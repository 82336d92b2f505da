#include "base/event_change.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/fs.h"

#define CHANGES_DIR    "changes"
#define ENTRY_SIZE_MAX ((size_t)512 << 10)

static uint64_t inode_of(int root_fd, const char *path) {
    struct stat st;

    return fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* FNV-1a: two things with one name only wait for each other. */
static void name_of(const char *path, char name[17]) {
    uint64_t h = 0xcbf29ce484222325;

    for (; *path; path++)
        h = (h ^ (unsigned char)*path) * 0x100000001b3;
    (void)snprintf(name, 17, "%016" PRIx64, h);
}

/* "INODE BEGUN_NS PATH\nEVENT\n"; one that is cut short is of a maker that had not begun to change anything. */
static void finish(int run_root_fd, int root_fd, int fd) {
    _cleanup_buf_ struct buf text = BUF_WITH_MAX(ENTRY_SIZE_MAX), line = BUF_WITH_MAX(ENTRY_SIZE_MAX);
    char *at, *path, *event, *end;

    if (lseek(fd, 0, SEEK_SET) < 0 || fs_read_fd(fd, ENTRY_SIZE_MAX, &text, NULL) < 0 || text.size == 0)
        return;
    uint64_t inode = strtoull(buf_text(&text), &at, 10);
    int64_t begun_ns = strtoll(at, &path, 10);
    event = strchr(path, '\n');
    end = event ? strchr(event + 1, '\n') : NULL;
    if (!end || *path != ' ')
        return;
    *event++ = '\0';
    buf_add(&line, event, (size_t)(end - event));
    if (inode_of(root_fd, path + 1) != inode && !event_was_told(run_root_fd, &line, begun_ns))
        (void)event_append_line(run_root_fd, &line, NULL);
}

/* The locked file under this name: whoever had it may have removed it while we waited. */
static int take(int dir, const char *name) {
    for (;;) {
        _cleanup_fd_ int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat ours, named;

        if (fd < 0)
            return -errno;
        while (flock(fd, LOCK_EX) < 0)
            if (errno != EINTR)
                return -errno;
        if (fstat(fd, &ours) == 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_ino == named.st_ino)
            return TAKE_FD(fd);
    }
}

static int open_changes(int run_root_fd, bool make) {
    if (make && mkdirat(run_root_fd, CHANGES_DIR, 0700) < 0 && errno != EEXIST)
        return -errno;
    return openat(run_root_fd, CHANGES_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void write_down(struct event_change *c, const char *path) {
    _cleanup_buf_ struct buf text = BUF_WITH_MAX(ENTRY_SIZE_MAX);
    struct timespec now = clock_wall();

    buf_printf(&text, "%" PRIu64 " %lld %s\n%s\n", inode_of(c->root_fd, path), (long long)now.tv_sec * NS_PER_SEC + now.tv_nsec,
               path, buf_text(&c->line));
    /* What was there is finished, and a half of a line is no entry: without it (a full disk) the event is told all the same. */
    if (ftruncate(c->fd, 0) == 0 && lseek(c->fd, 0, SEEK_SET) == 0 && !text.failed)
        (void)fs_write_all(c->fd, text.data, text.size);
}

static void begin(struct event_change *c, int run_root_fd, int root_fd, const char *path) {
    _cleanup_fd_ int dir = open_changes(run_root_fd, true);

    c->run_root_fd = run_root_fd;
    c->root_fd = root_fd;
    name_of(path, c->name);
    c->fd = dir < 0 ? -1 : take(dir, c->name);
    if (c->fd < 0)
        return;
    finish(run_root_fd, root_fd, c->fd);
    write_down(c, path);
}

void event_change_begin(struct event_change *c, int run_root_fd, int root_fd, const char *path, const struct event *ev) {
    if (run_root_fd < 0)
        return;
    event_format(&c->line, ev);
    begin(c, run_root_fd, root_fd, path);
}

void event_change_of(struct event_change *c, int run_root_fd, int root_fd, const char *path, const char *type, const char *action,
                     const char *id, ...) {
    va_list pairs;

    if (run_root_fd < 0)
        return;
    va_start(pairs, id);
    event_format_pairs(&c->line, type, action, id, pairs);
    va_end(pairs);
    begin(c, run_root_fd, root_fd, path);
}

void event_change_release(struct event_change *c) {
    _cleanup_fd_ int dir = c->fd < 0 ? -1 : open_changes(c->run_root_fd, false);

    if (dir >= 0)
        (void)unlinkat(dir, c->name, 0);
    c->fd = fd_close(c->fd);
    buf_release(&c->line);
    c->run_root_fd = -1;
}

void event_change_tell(struct event_change *c) {
    if (c->run_root_fd >= 0)
        (void)event_append_line(c->run_root_fd, &c->line, NULL);
    event_change_release(c);
}

struct place {
    int run_root_fd, root_fd;
};

static int heal_one(int dir, const char *name, void *arg, struct error *e _unused_) {
    const struct place *p = arg;
    _cleanup_fd_ int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
        return 0;
    finish(p->run_root_fd, p->root_fd, fd);
    (void)unlinkat(dir, name, 0);
    return 0;
}

void event_changes_heal(int run_root_fd, int root_fd) {
    _cleanup_fd_ int dir = run_root_fd < 0 ? -1 : open_changes(run_root_fd, false);
    struct place p = {run_root_fd, root_fd};

    if (dir >= 0)
        (void)fs_each(dir, ".", heal_one, &p, NULL);
}

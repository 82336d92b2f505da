#include "runtime/event_log.h"

#include <fcntl.h>

#include "base/clock.h"
#include "base/fs.h"

/* Many processes append: O_APPEND and one write a line keep lines whole. The one that finds the file full turns it over; two that
 * do so at once only lose the older of two old files. */
static void turn_over(int run_root_fd, int fd) {
    struct stat now, named;

    if (fstat(fd, &now) < 0 || now.st_size < EVENT_LOG_SIZE_MAX)
        return;
    if (fstatat(run_root_fd, EVENT_LOG_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == now.st_ino)
        (void)renameat(run_root_fd, EVENT_LOG_FILE, run_root_fd, EVENT_LOG_FILE ".1");
}

static void add_member(struct buf *b, const char *members) {
    if (!members || !*members)
        return;
    if (b->data[b->size - 1] != '{')
        buf_add_char(b, ',');
    buf_add_str(b, members);
}

int event_append(int run_root_fd, const struct event *ev, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX((size_t)256 << 10);
    _cleanup_fd_ int fd = -1;
    struct timespec now = clock_wall();
    int r;

    buf_printf(&b, "{\"status\":\"%s\",\"id\":\"%s\",", ev->action, ev->id);
    if (ev->image)
        buf_printf(&b, "\"from\":\"%s\",", ev->image);
    buf_printf(&b, "\"Type\":\"%s\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\",\"Attributes\":{", ev->type, ev->action, ev->id);
    add_member(&b, ev->attributes);
    add_member(&b, ev->more);
    buf_printf(&b, "}},\"scope\":\"local\",\"time\":%lld,\"timeNano\":%lld}\n", (long long)now.tv_sec,
               (long long)now.tv_sec * NS_PER_SEC + now.tv_nsec);
    if (b.failed)
        return error_errno(e, -E2BIG, "write an event");
    fd = openat(run_root_fd, EVENT_LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(e, -errno, "open the event log");
    r = fs_write_all(fd, b.data, b.size);
    if (r < 0)
        return error_errno(e, r, "write an event");
    turn_over(run_root_fd, fd);
    return 0;
}

#include "base/event_log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"

#define EVENT_SIZE_MAX    ((size_t)256 << 10)
#define PREPARED_SIZE_MAX ((size_t)1 << 20)

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
    if (b->size && b->data[b->size - 1] != '{')
        buf_add_char(b, ',');
    buf_add_str(b, members);
}

/* Everything but the time and the last brace. */
static void format(struct buf *b, const struct event *ev) {
    buf_printf(b, "{\"status\":\"%s\",\"id\":\"%s\",", ev->action, ev->id);
    if (ev->image)
        buf_printf(b, "\"from\":\"%s\",", ev->image);
    buf_printf(b, "\"Type\":\"%s\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\",\"Attributes\":{", ev->type, ev->action, ev->id);
    add_member(b, ev->attributes);
    add_member(b, ev->more);
    buf_add_str(b, "}},\"scope\":\"local\"");
}

static int append(int run_root_fd, struct buf *b, struct error *e) {
    _cleanup_fd_ int fd = -1;
    struct timespec now = clock_wall();
    int r;

    buf_printf(b, ",\"time\":%lld,\"timeNano\":%lld}\n", (long long)now.tv_sec, (long long)now.tv_sec * NS_PER_SEC + now.tv_nsec);
    if (b->failed)
        return error_errno(e, -E2BIG, "write an event");
    fd = openat(run_root_fd, EVENT_LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(e, -errno, "open the event log");
    r = fs_write_all(fd, b->data, b->size);
    if (r < 0)
        return error_errno(e, r, "write an event");
    turn_over(run_root_fd, fd);
    return 0;
}

int event_append(int run_root_fd, const struct event *ev, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(EVENT_SIZE_MAX);

    format(&b, ev);
    return append(run_root_fd, &b, e);
}

/* By hand: tare-monitor has no JSON library, and names and texts here are the engine's own, or checked by it. */
static void add_string(struct buf *b, const char *text) {
    buf_add_char(b, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_char(b, '\\');
        if ((unsigned char)*text < ' ')
            buf_printf(b, "\\u%04x", (unsigned char)*text);
        else
            buf_add_char(b, *text);
    }
    buf_add_char(b, '"');
}

static void add_attributes(struct buf *b, va_list pairs) {
    const char *key, *value;

    while ((key = va_arg(pairs, const char *))) {
        value = va_arg(pairs, const char *);
        if (!value)
            continue;
        if (b->size)
            buf_add_char(b, ',');
        add_string(b, key);
        buf_add_char(b, ':');
        add_string(b, value);
    }
}

void event_tell(int run_root_fd, const char *type, const char *action, const char *id, ...) {
    _cleanup_buf_ struct buf attributes = BUF_WITH_MAX(EVENT_SIZE_MAX);
    struct event ev = {.type = type, .action = action, .id = id};
    va_list pairs;

    if (run_root_fd < 0)
        return;
    va_start(pairs, id);
    add_attributes(&attributes, pairs);
    va_end(pairs);
    ev.attributes = buf_text(&attributes);
    (void)event_append(run_root_fd, &ev, NULL);
}

void event_prepare(struct buf *out, const char *type, const char *action, const char *id, ...) {
    _cleanup_buf_ struct buf attributes = BUF_WITH_MAX(EVENT_SIZE_MAX);
    struct event ev = {.type = type, .action = action, .id = id};
    va_list pairs;

    va_start(pairs, id);
    add_attributes(&attributes, pairs);
    va_end(pairs);
    ev.attributes = buf_text(&attributes);
    format(out, &ev);
    buf_add_char(out, '\n');
}

void event_tell_prepared(int run_root_fd, int dirfd, const char *name) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    const char *line;

    if (run_root_fd < 0 || fs_read_at(dirfd, name, PREPARED_SIZE_MAX, &text, NULL) < 0)
        return;
    if (unlinkat(dirfd, name, 0) < 0) /* somebody else was faster */
        return;
    for (line = buf_text(&text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
        _cleanup_buf_ struct buf b = BUF_WITH_MAX(EVENT_SIZE_MAX);

        buf_add(&b, line, strcspn(line, "\n"));
        (void)append(run_root_fd, &b, NULL);
    }
}

#include "runtime/event_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/event_log.h"

#define LINE_MAX_BYTES ((size_t)512 << 10)

struct actor {
    const char *id;
    struct map attributes;
};
struct line {
    const char *type, *action, *from, *scope;
    struct actor actor;
    int64_t time, time_nano;
};
static const struct json_field actor_fields[] = {
    JSON_FIELD(struct actor, id, "ID", JSON_STR, 0),
    JSON_FIELD(struct actor, attributes, "Attributes", JSON_MAP, 0),
    JSON_END,
};
static const struct json_table actor_table = JSON_TABLE("actor", struct actor, actor_fields);
static const struct json_field line_fields[] = {
    JSON_FIELD(struct line, type, "Type", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct line, action, "Action", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct line, from, "from", JSON_STR, 0),
    JSON_FIELD_OF(struct line, actor, "Actor", JSON_OBJ, 0, &actor_table),
    JSON_FIELD(struct line, scope, "scope", JSON_STR, 0),
    JSON_FIELD(struct line, time, "time", JSON_I64, 0),
    JSON_FIELD(struct line, time_nano, "timeNano", JSON_I64, 0),
    JSON_END,
};
static const struct json_table line_table = JSON_TABLE("event", struct line, line_fields);

struct reader {
    const struct event_read *query;
    int run_root;
    int file; /* -1: none yet */
    struct buf rest;
    bool skip; /* what stands in the file now was there before we came, and does not count */
};

/* A line that is torn (a full disk) is passed over: those around it are whole. */
static int take_line(struct reader *r, const char *text, size_t n, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct line l;
    struct event_record ev;

    if (json_decode(&line_table, text, n, &a, &l, NULL) < 0)
        return 0;
    if (l.time_nano < r->query->since_ns || (r->query->until_ns && l.time_nano > r->query->until_ns))
        return 0;
    ev = (struct event_record){l.type,      l.action, l.actor.id ? l.actor.id : "", l.from, l.actor.attributes, l.time,
                               l.time_nano, l.scope};
    return r->query->fn(&ev, text, n, r->query->arg, e);
}

static int take_lines(struct reader *r, struct error *e) {
    char *end;

    while (r->rest.size && (end = memchr(r->rest.data, '\n', r->rest.size))) {
        size_t n = (size_t)(end - r->rest.data);
        int code = r->skip ? 0 : take_line(r, r->rest.data, n, e);

        buf_consume(&r->rest, n + 1);
        if (code != 0)
            return code;
    }
    if (r->rest.size > LINE_MAX_BYTES)
        buf_clear(&r->rest);
    return 0;
}

static int drain(struct reader *r, struct error *e) {
    char block[32768];
    ssize_t n;

    while (r->file >= 0 && (n = read(r->file, block, sizeof(block))) != 0) {
        int code;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(e, -errno, "read the event log");
        buf_add(&r->rest, block, (size_t)n);
        code = take_lines(r, e);
        if (code != 0)
            return code;
    }
    return 0;
}

static int open_log(const struct reader *r, const char *name) {
    return openat(r->run_root, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* When the log was turned over, the file that we read is finished, and a new one bears the name. */
static int go_on(struct reader *r, struct error *e) {
    struct stat mine, named;
    int code = drain(r, e);

    if (code != 0)
        return code;
    if (fstatat(r->run_root, EVENT_LOG_FILE, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (r->file >= 0 && fstat(r->file, &mine) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
        return 0;
    code = drain(r, e); /* what came between the two looks */
    if (code != 0)
        return code;
    r->file = fd_close(r->file);
    buf_clear(&r->rest);
    r->file = open_log(r, EVENT_LOG_FILE);
    return drain(r, e);
}

static int read_history(struct reader *r, struct error *e) {
    int code;

    if (r->query->history) {
        r->file = open_log(r, EVENT_LOG_FILE ".1");
        code = drain(r, e);
        r->file = fd_close(r->file);
        buf_clear(&r->rest);
        if (code != 0)
            return code;
    }
    r->file = open_log(r, EVENT_LOG_FILE);
    r->skip = !r->query->history;
    code = drain(r, e);
    r->skip = false;
    return code;
}

/* Until when to wait, by the clock that nobody sets; 0: without end. */
static int64_t deadline(const struct event_read *q) {
    struct timespec now = clock_wall();

    if (!q->until_ns)
        return 0;
    return MAX_OF(q->until_ns - ((int64_t)now.tv_sec * NS_PER_SEC + now.tv_nsec) + clock_monotonic_ns(), 1);
}

/* Milliseconds to wait at most; 0: the end is reached. */
static int time_left(int64_t end_ns) {
    int64_t left;

    if (!end_ns)
        return -1;
    left = (end_ns - clock_monotonic_ns()) / 1000000;
    return left <= 0 ? 0 : (int)MIN_OF(left + 1, 60000);
}

int event_log_read(int run_root_fd, const struct event_read *q, struct error *e) {
    struct reader r = {.query = q, .run_root = run_root_fd, .file = -1, .rest = BUF_WITH_MAX(LINE_MAX_BYTES * 2)};
    _cleanup_fd_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char path[40], ignored[4096];
    int64_t end_ns = deadline(q);
    int code = 0, left;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", run_root_fd);
    if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return error_errno(e, -errno, "watch the event log");
    code = read_history(&r, e); /* after the watch: nothing is missed in between */
    while (code == 0 && (left = time_left(end_ns)) != 0) {
        struct pollfd p = {.fd = watch, .events = POLLIN};

        if (poll(&p, 1, left) < 0 && errno != EINTR)
            code = error_errno(e, -errno, "wait for events");
        while (read(watch, ignored, sizeof(ignored)) > 0)
            ;
        if (code == 0)
            code = go_on(&r, e);
    }
    (void)fd_close(r.file);
    buf_release(&r.rest);
    return code;
}

#include "base/event_log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

void event_format(struct buf *b, const struct event *ev) {
    buf_printf(b, "{\"status\":\"%s\",\"id\":\"%s\",", ev->action, ev->id);
    if (ev->image)
        buf_printf(b, "\"from\":\"%s\",", ev->image);
    buf_printf(b, "\"Type\":\"%s\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\",\"Attributes\":{", ev->type, ev->action, ev->id);
    add_member(b, ev->attributes);
    add_member(b, ev->more);
    buf_add_str(b, "}},\"scope\":\"local\"");
}

int event_append_line(int run_root_fd, const struct buf *line, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(EVENT_SIZE_MAX);
    _cleanup_fd_ int fd = -1;
    struct timespec now = clock_wall();
    int r;

    buf_add(&b, line->data, line->size);
    buf_printf(&b, ",\"time\":%lld,\"timeNano\":%lld}\n", (long long)now.tv_sec, (long long)now.tv_sec * NS_PER_SEC + now.tv_nsec);
    if (b.failed || line->failed)
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

int event_append(int run_root_fd, const struct event *ev, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(EVENT_SIZE_MAX);

    event_format(&b, ev);
    return event_append_line(run_root_fd, &b, e);
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

void event_format_pairs(struct buf *out, const char *type, const char *action, const char *id, va_list pairs) {
    _cleanup_buf_ struct buf attributes = BUF_WITH_MAX(EVENT_SIZE_MAX);
    struct event ev = {.type = type, .action = action, .id = id};

    add_attributes(&attributes, pairs);
    ev.attributes = buf_text(&attributes);
    event_format(out, &ev);
}

void event_tell(int run_root_fd, const char *type, const char *action, const char *id, ...) {
    _cleanup_buf_ struct buf line = BUF_WITH_MAX(EVENT_SIZE_MAX);
    va_list pairs;

    if (run_root_fd < 0)
        return;
    va_start(pairs, id);
    event_format_pairs(&line, type, action, id, pairs);
    va_end(pairs);
    (void)event_append_line(run_root_fd, &line, NULL);
}

void event_prepare(struct buf *out, const char *type, const char *action, const char *id, ...) {
    va_list pairs;

    va_start(pairs, id);
    event_format_pairs(out, type, action, id, pairs);
    va_end(pairs);
    buf_add_char(out, '\n');
}

/* ---- Looking back ---- */

typedef bool look_fn(const char *line, size_t n, void *arg);

/* Lines from the last to the first, until the function says that it has seen enough. */
static bool look_back_in(int run_root_fd, const char *name, look_fn *fn, void *arg) {
    _cleanup_fd_ int fd = openat(run_root_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    bool enough = false;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
        return false;
    const size_t size = (size_t)st.st_size;
    const char *text = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (text == MAP_FAILED)
        return false;
    for (size_t end = size; !enough && end > 0;) {
        const char *before = memrchr(text, '\n', end - 1);
        size_t start = before ? (size_t)(before - text) + 1 : 0;

        enough = fn(text + start, end - start, arg);
        end = start;
    }
    (void)munmap((void *)(uintptr_t)text, size);
    return enough;
}

static bool look_back(int run_root_fd, look_fn *fn, void *arg) {
    return look_back_in(run_root_fd, EVENT_LOG_FILE, fn, arg) || look_back_in(run_root_fd, EVENT_LOG_FILE ".1", fn, arg);
}

static bool begins(const char *line, size_t n, const char *with, size_t size) {
    return n >= size && memcmp(line, with, size) == 0;
}

/* The action of a line about the id, {"status":"ACTION","id":"ID",… as format() begins it; 0: of another. */
static size_t action_of(const char *line, size_t n, const char *id, const char **ret) {
    static const char status[] = "{\"status\":\"", between[] = "\",\"id\":\"";
    const size_t skip = sizeof(status) - 1, id_size = strlen(id);

    if (!begins(line, n, status, skip))
        return 0;
    const char *end = memchr(line + skip, '"', MIN_OF(n - skip, (size_t)EVENT_ACTION_MAX));
    size_t left = end ? n - (size_t)(end - line) : 0;
    if (!end || !begins(end, left, between, sizeof(between) - 1) ||
        !begins(end + sizeof(between) - 1, left - (sizeof(between) - 1), id, id_size) || left - (sizeof(between) - 1) <= id_size ||
        end[sizeof(between) - 1 + id_size] != '"')
        return 0;
    *ret = line + skip;
    return (size_t)(end - *ret);
}

/* A thing that is taken at a start and given back at an end: "connect" and "disconnect" of one container and one network. */
struct pair {
    struct buf begin, end; /* how lines of the two begin, with the container as their first attribute */
    int open;              /* taken and not given back, as far as the log goes */
};

static bool count_pair(const char *line, size_t n, void *arg) {
    struct pair *p = arg;

    p->open += begins(line, n, p->begin.data, p->begin.size);
    p->open -= begins(line, n, p->end.data, p->end.size);
    return false;
}

/* Adds the line's beginning with one action in place of the other. */
static void add_head(struct buf *b, const char *line, size_t n, const char *action, const char *instead) {
    size_t size = strlen(action);

    for (size_t i = 0; i < n; i++)
        if (line[i] == '"' && n - i > size + 1 && memcmp(line + i + 1, action, size) == 0 && line[i + 1 + size] == '"') {
            buf_printf(b, "\"%s\"", instead);
            i += size + 1;
        } else {
            buf_add_char(b, line[i]);
        }
}

/* Is what the prepared line gives back still taken, as the log tells it? */
static bool is_open(int run_root_fd, const char *line, size_t n) {
    static const char *const actions[][2] = {{"connect", "disconnect"}, {"mount", "unmount"}};
    static const char first[] = "\"Attributes\":{\"container\":\"";
    const char *container = memmem(line, n, first, strlen(first));
    const char *end = container ? strchr(container + strlen(first), '"') : NULL;
    bool open = false;

    for (size_t i = 0; end && !open && i < ARRAY_SIZE(actions); i++) {
        struct pair p = {0};

        if (begins(line, n, "{\"status\":\"", 11) && begins(line + 11, n - 11, actions[i][1], strlen(actions[i][1]))) {
            add_head(&p.begin, line, (size_t)(end - line) + 1, actions[i][1], actions[i][0]);
            buf_add(&p.end, line, (size_t)(end - line) + 1);
            (void)look_back(run_root_fd, count_pair, &p);
            open = p.open > 0;
        }
        buf_release(&p.begin);
        buf_release(&p.end);
    }
    return open;
}

/* The time is the line's last member: labels before it cannot look like it. */
static int64_t time_of(const char *line, size_t n) {
    static const char key[] = "\"timeNano\":";
    const char *colon = memrchr(line, ':', n);

    return colon && colon - line >= (ptrdiff_t)sizeof(key) && memcmp(colon + 2 - sizeof(key), key, sizeof(key) - 1) == 0
               ? strtoll(colon + 1, NULL, 10)
               : 0;
}

struct sought {
    const struct buf *line;
    int64_t since_ns;
    bool found;
};

static bool look_for_line(const char *line, size_t n, void *arg) {
    struct sought *s = arg;

    s->found = begins(line, n, s->line->data, s->line->size) && line[s->line->size] == ',' && time_of(line, n) >= s->since_ns;
    return s->found;
}

bool event_was_told(int run_root_fd, const struct buf *line, int64_t since_ns) {
    struct sought s = {.line = line, .since_ns = since_ns};

    (void)look_back(run_root_fd, look_for_line, &s);
    return s.found;
}

struct look {
    const char *container;
    struct event_last *last;
};

static bool look_for_life(const char *line, size_t n, void *arg) {
    static const char *const life[] = {"create", "start", "pause", "unpause", "die", "destroy"};
    struct look *l = arg;
    const char *action;
    size_t size = action_of(line, n, l->container, &action);

    for (size_t i = 0; size && i < ARRAY_SIZE(life); i++)
        if (strlen(life[i]) == size && memcmp(life[i], action, size) == 0) {
            (void)snprintf(l->last->action, sizeof(l->last->action), "%s", life[i]);
            l->last->time_ns = time_of(line, n);
            return true;
        }
    return false;
}

void event_last(int run_root_fd, const char *container_id, struct event_last *ret) {
    struct look l = {.container = container_id, .last = ret};

    *ret = (struct event_last){0};
    ret->forgotten = !look_back(run_root_fd, look_for_life, &l) && faccessat(run_root_fd, EVENT_LOG_FILE ".1", F_OK, 0) == 0;
}

void event_tell_prepared(int run_root_fd, int dirfd, const char *name, bool healed) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    const char *line;

    if (run_root_fd < 0 || fs_read_at(dirfd, name, PREPARED_SIZE_MAX, &text, NULL) < 0)
        return;
    for (line = buf_text(&text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
        _cleanup_buf_ struct buf b = BUF_WITH_MAX(EVENT_SIZE_MAX);

        buf_add(&b, line, strcspn(line, "\n"));
        if (!healed || is_open(run_root_fd, line, b.size))
            (void)event_append_line(run_root_fd, &b, NULL);
    }
    (void)unlinkat(dirfd, name, 0);
}

#include "engine/boot.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "engine/limits.h"
#include "engine/lookup.h"
#include "engine/operate.h"
#include "engine/start.h"

#define STOPS_AT_ONCE 32

/* --- who -------------------------------------------------------------------------------------------------------------------- */

struct chosen {
    const char *id, *name, *created;
};

struct choice {
    struct arena *arena;
    bool running; /* those that run; else those that come back */
    struct list found;
};

static bool is_up(const struct container_state *s) {
    return container_is_alive(s) || s->status == STATUS_RESTARTING;
}

static bool comes_back(const struct container *c, const struct container_state *s) {
    const struct restart_rule *rule = &c->record.host.restart;

    if (is_up(s) || s->started_at.tv_sec == 0)
        return false;
    switch (restart_policy_of(rule)) {
    case RESTART_ALWAYS: return true;
    case RESTART_UNLESS_STOPPED: return !s->stopped_by_user || faccessat(c->dirfd, STOPPED_BY_SHUTDOWN, F_OK, 0) == 0;
    case RESTART_ON_FAILURE:
        return s->exit_code != 0 && (rule->maximum_retry_count == 0 || s->restart_count < (uint32_t)rule->maximum_retry_count);
    default: return false;
    }
}

static int choose(struct engine *engine _unused_, struct container *c, void *arg, struct error *e _unused_) {
    struct choice *choice = arg;
    struct container_state state;

    if (container_state(c, &state, NULL) < 0 || !(choice->running ? is_up(&state) : comes_back(c, &state)))
        return 0;
    *LIST_ADD(choice->arena, struct chosen, &choice->found) =
        (struct chosen){arena_strdup(choice->arena, c->id), arena_strdup(choice->arena, c->record.name),
                        arena_strdup(choice->arena, c->record.created ? c->record.created : "")};
    return 0;
}

static int by_age(const void *a, const void *b) {
    struct timespec x = {0}, y = {0};

    (void)time_parse(((const struct chosen *)a)->created, &x);
    (void)time_parse(((const struct chosen *)b)->created, &y);
    return x.tv_sec != y.tv_sec ? (x.tv_sec > y.tv_sec) - (x.tv_sec < y.tv_sec) : (x.tv_nsec > y.tv_nsec) - (x.tv_nsec < y.tv_nsec);
}

static int choose_all(struct engine *engine, struct choice *choice, struct error *e) {
    int r = container_each(engine, choice->arena, choose, choice, e);

    if (r == 0 && choice->found.n > 0)
        qsort(choice->found.v, choice->found.n, sizeof(struct chosen), by_age);
    return r;
}

/* --- start ------------------------------------------------------------------------------------------------------------------ */

static int start_one(struct engine *engine, const char *id, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    const struct start_options o = START_OPTIONS_INIT;
    int r = container_open(engine, id, &a, &c, e);

    if (r == 0)
        r = engine_start(engine, &c, &o, &a, &conn, e);
    if (r != -EALREADY)
        return r;
    error_release(e);
    return 0;
}

int boot_start(struct engine *engine, struct arena *a, boot_report_fn *report, void *arg, struct error *e) {
    struct choice choice = {.arena = a};
    int failed = 0, r = choose_all(engine, &choice, e);

    for (size_t i = 0; r == 0 && i < choice.found.n; i++) {
        const struct chosen *c = LIST_AT(struct chosen, &choice.found, i);
        _cleanup_error_ struct error why = ERROR_INIT;
        int started = start_one(engine, c->id, &why);

        if (started < 0)
            error_wrap(&why, started, "start %s", c->name);
        report(c->name, started < 0 ? &why : NULL, arg);
        failed += started < 0;
    }
    return r < 0 ? r : failed;
}

/* --- stop ------------------------------------------------------------------------------------------------------------------- */

static int stop_one(struct engine *engine, const char *id, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct container_state state;
    int r = container_open(engine, id, &a, &c, e);

    if (r >= 0)
        r = container_state(&c, &state, e);
    if (r < 0)
        return r;
    /* Written before: a machine that goes down while it stops has it in any case. */
    if (restart_policy_of(&c.record.host.restart) == RESTART_UNLESS_STOPPED && !state.stopped_by_user)
        r = fs_replace_at(c.dirfd, STOPPED_BY_SHUTDOWN, "", 0, 0600, FS_SYNC, e);
    return r < 0 ? r : container_stop(engine, &c, 0, INT32_MIN, e);
}

/* In a process of its own, since a stop waits for its container. The end of the pipe is that of the process. */
static int stop_aside(struct engine *engine, const struct chosen *c, pid_t *ret_pid, struct error *e) {
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "stop %s", c->name);
    *ret_pid = fork();
    if (*ret_pid == 0) {
        struct error why = ERROR_INIT;
        int r = stop_one(engine, c->id, &why);
        _cleanup_free_ char *text = r < 0 ? error_sentence(&why) : NULL;

        if (text)
            (void)fs_write_all(ends[1], text, strlen(text));
        _exit(r < 0 ? 1 : 0);
    }
    fd_close(ends[1]);
    if (*ret_pid > 0)
        return ends[0];
    fd_close(ends[0]);
    return error_errno(e, -errno, "stop %s", c->name);
}

#define STOP_TEXT_MAX 4096

static bool stop_result(const struct chosen *c, int fd, pid_t pid, boot_report_fn *report, void *arg) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_error_ struct error why = ERROR_INIT;
    int status = 0;

    (void)fs_read_fd(fd, STOP_TEXT_MAX, &text, NULL);
    fd_close(fd);
    bool failed = waitpid(pid, &status, 0) < 0 || status != 0;
    if (failed)
        error_set(&why, -EIO, "stop %s: %s", c->name, text.size ? buf_text(&text) : "the process that did it was killed");
    report(c->name, failed ? &why : NULL, arg);
    return failed;
}

int boot_stop(struct engine *engine, struct arena *a, boot_report_fn *report, void *arg, struct error *e) {
    struct choice choice = {.arena = a, .running = true};
    int failed = 0, r = choose_all(engine, &choice, e);

    for (size_t done = 0; r == 0 && done < choice.found.n;) {
        size_t n = MIN_OF(choice.found.n - done, (size_t)STOPS_AT_ONCE);
        int fds[STOPS_AT_ONCE];
        pid_t pids[STOPS_AT_ONCE];

        for (size_t i = 0; i < n; i++) {
            _cleanup_error_ struct error why = ERROR_INIT;
            const struct chosen *c = LIST_AT(struct chosen, &choice.found, done + i);

            fds[i] = stop_aside(engine, c, &pids[i], &why);
            if (fds[i] >= 0)
                continue;
            report(c->name, &why, arg);
            failed++;
        }
        for (size_t i = 0; i < n; i++)
            if (fds[i] >= 0)
                failed += stop_result(LIST_AT(struct chosen, &choice.found, done + i), fds[i], pids[i], report, arg);
        done += n;
    }
    return r < 0 ? r : failed;
}

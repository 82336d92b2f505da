/* Health checks: a command that joins the container every now and then. Intervals count from the end of one check to the beginning
 * of the next, as Docker's do. The last checks are kept in the run directory (`health`, one line each, newest last). */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "runtime/health.h"
#include "runtime/plan.h"

#define INTERVAL_NS       (30 * NS_PER_SEC)
#define TIMEOUT_NS        (30 * NS_PER_SEC)
#define START_INTERVAL_NS (5 * NS_PER_SEC)
#define RETRIES           3
#define TIMED_OUT_CODE    (-1)

static int64_t or_default(int64_t value, int64_t standard) {
    return value > 0 ? value : standard;
}

static bool in_start_period(const struct monitor *m) {
    return clock_monotonic_ns() - m->started_ns < m->l.health.start_period_ns;
}

static void plan_next(struct monitor *m) {
    const struct monitor_health *h = &m->l.health;
    bool starting = m->state.health == HEALTH_STARTING && in_start_period(m);
    int64_t wait = starting ? or_default(h->start_interval_ns, START_INTERVAL_NS) : or_default(h->interval_ns, INTERVAL_NS);

    m->deadline[DEADLINE_HEALTH] = clock_monotonic_ns() + wait;
}

void health_begin(struct monitor *m) {
    m->state.health = HEALTH_NONE;
    m->state.health_failing_streak = 0;
    if (!m->l.health.plan)
        return;
    m->state.health = HEALTH_STARTING;
    (void)fs_unlink_at(m->l.run_dirfd, HEALTH_FILE, NULL);
    plan_next(m);
}

void health_stop(struct monitor *m) {
    m->deadline[DEADLINE_HEALTH] = m->deadline[DEADLINE_HEALTH_TIMEOUT] = 0;
    loop_remove(m, &m->health.output);
    buf_release(&m->health.text);
    m->health.pid = 0; /* a running check dies with the container's processes; its end is reaped and passed over */
}

static void set_status(struct monitor *m, enum health_status status) {
    char action[48];

    if (m->state.health == status)
        return;
    m->state.health = status;
    (void)snprintf(action, sizeof(action), "health_status: %s", health_text(status));
    monitor_event(m, action, NULL);
    if (status != HEALTH_UNHEALTHY)
        return;
    switch (m->l.health.action) {
    case HEALTH_DO_KILL: (void)payload_signal(m, SIGKILL); break;
    case HEALTH_DO_STOP: payload_stop(m, 0, m->l.stop_timeout_s, true); break;
    case HEALTH_DO_RESTART:
        m->restart_asked = true;
        payload_stop(m, 0, m->l.stop_timeout_s, false);
        break;
    default: break;
    }
}

/* Failures within the start period do not count, unless it was healthy once. */
static void judge(struct monitor *m, int code) {
    uint32_t retries = m->l.health.retries ? m->l.health.retries : RETRIES;
    const struct health_entry entry = {.start = m->health.began,
                                       .end = clock_wall(),
                                       .exit_code = code,
                                       .output = buf_text(&m->health.text),
                                       .output_size = m->health.text.size};

    (void)health_append(m->l.run_dirfd, &entry, NULL);
    if (code == 0) {
        m->state.health_failing_streak = 0;
        set_status(m, HEALTH_HEALTHY);
    } else if (m->state.health != HEALTH_STARTING || !in_start_period(m)) {
        m->state.health_failing_streak++;
        if (m->state.health_failing_streak >= retries)
            set_status(m, HEALTH_UNHEALTHY);
    }
    monitor_state_save(m);
}

static void check_over(struct monitor *m, int code) {
    m->deadline[DEADLINE_HEALTH_TIMEOUT] = 0;
    m->health.pid = 0;
    judge(m, code);
    loop_remove(m, &m->health.output);
    buf_release(&m->health.text);
    if (m->phase == PHASE_RUNNING)
        plan_next(m);
}

static void take_output(struct monitor *m) {
    char chunk[1024];
    ssize_t n;

    while (m->health.output.fd >= 0 && (n = read(m->health.output.fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0)
            return;
        buf_add(&m->health.text, chunk, MIN_OF((size_t)n, HEALTH_OUTPUT_MAX - MIN_OF(m->health.text.size, HEALTH_OUTPUT_MAX)));
    }
    loop_remove(m, &m->health.output);
}

static void output_ready(struct monitor *m, struct source *s, uint32_t events) {
    (void)s;
    (void)events;
    take_output(m);
}

static int run_check(struct monitor *m, int out, struct error *e) {
    _cleanup_fd_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    _cleanup_buf_ struct buf room = BUF_INIT;
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    struct executor_io io = EXECUTOR_IO_INIT;
    struct monitor_launch l;
    int r = launch_reload(m, &room, &l, e);

    if (r == 0)
        r = plan_decode(l.health.plan, l.health.plan_size, &plan, e);
    if (r < 0)
        return r;
    io.in = null;
    io.out = io.err = out;
    r = executor_exec(&plan, m->pidfd, &io, &x, e);
    if (r == 0)
        m->health.pid = x.pid;
    return r;
}

void health_due(struct monitor *m) {
    _cleanup_error_ struct error e = ERROR_INIT;
    int pair[2];
    int r;

    if (m->phase != PHASE_RUNNING || m->health.pid)
        return;
    if (m->state.status == STATUS_PAUSED || pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0) {
        plan_next(m);
        return;
    }
    (void)fcntl(pair[1], F_SETFL, 0);
    m->health.began = clock_wall();
    m->health.timed_out = false;
    m->health.output = (struct source){.fd = pair[0], .ready = output_ready};
    (void)loop_add(m, &m->health.output, EPOLLIN);
    r = run_check(m, pair[1], &e);
    fd_close(pair[1]);
    m->deadline[DEADLINE_HEALTH_TIMEOUT] = clock_monotonic_ns() + or_default(m->l.health.timeout_ns, TIMEOUT_NS);
    if (r < 0) {
        buf_add_str(&m->health.text, e.text ? e.text : errno_text(r));
        check_over(m, e.status ? e.status : EXIT_ENGINE);
    }
}

void health_timeout(struct monitor *m) {
    if (!m->health.pid)
        return;
    m->health.timed_out = true;
    (void)kill(m->health.pid, SIGKILL); /* our child, not yet reaped: the number is its own */
}

bool health_child_ended(struct monitor *m, pid_t pid, int wait_status) {
    char text[96];

    if (pid != m->health.pid)
        return false;
    take_output(m);
    if (m->health.timed_out) {
        _cleanup_buf_ struct buf timeout = BUF_INIT;

        duration_format(or_default(m->l.health.timeout_ns, TIMEOUT_NS), &timeout);
        (void)snprintf(text, sizeof(text), "Health check exceeded timeout (%s)", buf_text(&timeout));
        buf_clear(&m->health.text);
        buf_add_str(&m->health.text, text);
    }
    check_over(m, m->health.timed_out      ? TIMED_OUT_CODE
                  : WIFEXITED(wait_status) ? WEXITSTATUS(wait_status)
                                           : 128 + WTERMSIG(wait_status));
    return true;
}

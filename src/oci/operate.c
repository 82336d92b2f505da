/* What is done to a container that there is: state, kill, delete, list, ps, pause, resume, update. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "oci/oci.h"

#define DEATH_TIMEOUT_MS  10000
#define FREEZE_TIMEOUT_MS 10000

static int open_argument(struct oci_call *call, size_t max, struct oci_container *c, struct error *e) {
    if (call->o.args.n == 0 || call->o.args.n > max)
        return error_set(e, -EINVAL, "%s: a container id is expected", call->o.verb);
    return oci_container_open(call, call->o.args.v[0], c, e);
}

static int layout_of(const struct oci_container *c, struct cgroup_layout *layout, struct error *e) {
    if (!c->state.own.cgroup)
        return error_set(e, -ESRCH, "container not running");
    return cgroup_layout_read(layout, e);
}

/* state.json as callers see it: the members of the specification, and when it was made. */
static void write_state(const struct oci_state *s, struct buf *out) {
    static const char own[] = ",\"tare\":";
    _cleanup_buf_ struct buf text = BUF_INIT;
    char *cut;

    json_encode(&oci_state_table, s, 0, &text);
    cut = strstr(buf_text(&text), own);
    while (cut && strstr(cut + 1, own)) /* an annotation may say the same: ours is the last member */
        cut = strstr(cut + 1, own);
    buf_add(out, text.data, cut ? (size_t)(cut - text.data) : text.size);
    if (s->own.created) {
        buf_add_str(out, ",\"created\":");
        json_write_string(out, s->own.created);
    }
    buf_add_char(out, '}');
}

int oci_state_show(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    int r = open_argument(call, 1, &c, e);

    if (r < 0)
        return r;
    write_state(&c.state, &call->out);
    buf_add_char(&call->out, '\n');
    return 0;
}

static int parse_signal(const char *text, struct error *e) {
    char *end;
    long n = strtol(text, &end, 10);

    if (*text && !*end && n > 0 && n < NSIG)
        return (int)n;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < NSIG; i++)
        if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), text) == 0)
            return i;
    return error_set(e, -EINVAL, "unknown signal \"%s\"", text);
}

static int kill_all(struct oci_call *call, const struct oci_container *c, int signo, struct error *e) {
    struct cgroup_layout layout;
    struct list pids = {0};
    int r = layout_of(c, &layout, e);

    if (r < 0)
        return r;
    if (signo == SIGKILL)
        return cgroup_kill(&layout, c->state.own.cgroup, e);
    r = cgroup_pids(&layout, c->state.own.cgroup, &call->arena, &pids, e);
    for (size_t i = 0; r == 0 && i < pids.n; i++)
        (void)kill(*LIST_AT(pid_t, &pids, i), signo);
    return r;
}

static int signal_process(const struct oci_container *c, int signo, struct error *e) {
    _cleanup_fd_ int pidfd = oci_container_pidfd(c, e);

    if (pidfd < 0)
        return pidfd;
    if (syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0)
        return errno == ESRCH ? error_set(e, -ESRCH, "container not running") : error_errno(e, -errno, "signal the container");
    return 0;
}

int oci_kill(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    int r = open_argument(call, 2, &c, e);
    int signo = r < 0 ? r : parse_signal(call->o.args.n == 2 ? call->o.args.v[1] : "TERM", e);

    if (signo < 0)
        return signo;
    return call->o.all ? kill_all(call, &c, signo, e) : signal_process(&c, signo, e);
}

int oci_container_kill(const struct oci_container *c, struct error *e) {
    struct pollfd p = {.fd = oci_container_pidfd(c, NULL), .events = POLLIN};
    struct cgroup_layout layout;
    int r = 0;

    if (p.fd < 0)
        return 0;
    (void)syscall(SYS_pidfd_send_signal, p.fd, SIGKILL, NULL, 0);
    if (layout_of(c, &layout, NULL) == 0)
        (void)cgroup_kill(&layout, c->state.own.cgroup, NULL);
    if (poll(&p, 1, DEATH_TIMEOUT_MS) != 1)
        r = error_set(e, -ETIMEDOUT, "container %s does not die", c->id);
    fd_close(p.fd);
    return r;
}

int oci_delete(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    int r = open_argument(call, 1, &c, e);

    if (r == -ENOENT && call->o.force) {
        error_release(e);
        return 0;
    }
    if (r < 0)
        return r;
    if (!call->o.force && (oci_is(&c, "running") || oci_is(&c, "paused") || oci_is(&c, "creating")))
        return error_set(e, -EBUSY, "cannot delete container %s that is not stopped: %s", c.id, c.state.status);
    r = oci_container_kill(&c, e);
    return r < 0 ? r : oci_container_remove(call, &c, e);
}

struct listing {
    struct oci_call *call;
    const char *separator;
};

static int list_one(int dirfd, const char *name, void *arg, struct error *e) {
    struct listing *l = arg;
    struct buf *out = &l->call->out;
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;

    (void)dirfd;
    if (oci_container_open(l->call, arena_strdup(&l->call->arena, name), &c, NULL) < 0)
        return 0;
    (void)e;
    if (l->call->o.quiet) {
        buf_printf(out, "%s\n", name);
    } else if (l->separator) {
        buf_add_str(out, l->separator);
        write_state(&c.state, out);
        l->separator = ",";
    } else {
        buf_printf(out, "%-20s %-10d %-10s %s\n", name, c.state.pid, c.state.status, c.state.bundle);
    }
    return 0;
}

static int wants_json(const struct oci_options *o, struct error *e) {
    if (!o->format || strcmp(o->format, "table") == 0)
        return 0;
    return strcmp(o->format, "json") == 0 ? 1 : error_set(e, -EINVAL, "--format: table or json is expected");
}

int oci_list(struct oci_call *call, struct error *e) {
    int json = wants_json(&call->o, e);
    struct listing l = {.call = call, .separator = json > 0 ? "" : NULL};
    int r;

    if (json < 0)
        return json;
    if (call->o.args.n)
        return error_set(e, -EINVAL, "list: no argument is expected");
    if (!call->o.quiet)
        buf_printf(&call->out, json ? "[" : "%-20s %-10s %-10s %s\n", "ID", "PID", "STATUS", "BUNDLE");
    r = fs_each(AT_FDCWD, oci_root(&call->o), list_one, &l, e);
    if (r == -ENOENT) {
        error_release(e);
        r = 0;
    }
    if (json && !call->o.quiet)
        buf_add_str(&call->out, "]\n");
    return r;
}

static void add_command(pid_t pid, struct buf *out) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char path[40];

    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    (void)fs_read_at(AT_FDCWD, path, 4096, &text, NULL);
    for (size_t i = 0; i + 1 < text.size; i++)
        if (!text.data[i])
            text.data[i] = ' ';
    buf_printf(out, "%-10d %s\n", pid, buf_text(&text));
}

int oci_ps(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    struct list pids = {0};
    int json = wants_json(&call->o, e);
    int r = json < 0 ? json : open_argument(call, 1, &c, e);

    if (r == 0)
        r = layout_of(&c, &layout, e);
    if (r == 0)
        r = cgroup_pids(&layout, c.state.own.cgroup, &call->arena, &pids, e);
    if (r < 0)
        return r;
    buf_printf(&call->out, json ? "[" : "%-10s %s\n", "PID", "CMD");
    for (size_t i = 0; i < pids.n; i++)
        if (json)
            buf_printf(&call->out, "%s%d", i ? "," : "", *LIST_AT(pid_t, &pids, i));
        else
            add_command(*LIST_AT(pid_t, &pids, i), &call->out);
    buf_add_str(&call->out, json ? "]\n" : "");
    return 0;
}

int oci_pause(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    int r = open_argument(call, 1, &c, e);

    if (r == 0 && !oci_is(&c, "running") && !oci_is(&c, "created"))
        r = error_set(e, -ESRCH, oci_is(&c, "paused") ? "container is paused already" : "container not running");
    if (r == 0)
        r = layout_of(&c, &layout, e);
    return r < 0 ? r : cgroup_freeze(&layout, c.state.own.cgroup, FREEZE_TIMEOUT_MS, e);
}

int oci_resume(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    int r = open_argument(call, 1, &c, e);

    if (r == 0 && !oci_is(&c, "paused"))
        r = error_set(e, -EINVAL, "container not paused");
    if (r == 0)
        r = layout_of(&c, &layout, e);
    return r < 0 ? r : cgroup_thaw(&layout, c.state.own.cgroup, e);
}

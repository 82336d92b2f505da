/* What is done to a container that there is: kill, delete, pause, resume. */
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "model/signal_name.h"
#include "oci/oci.h"

#define DEATH_TIMEOUT_MS  10000
#define FREEZE_TIMEOUT_MS 10000

int oci_open_argument(struct oci_call *call, size_t max, struct oci_container *c, struct error *e) {
    if (call->o.args.n == 0 || call->o.args.n > max)
        return error_set(e, -EINVAL, "%s: a container id is expected", call->o.verb);
    return oci_container_open(call, call->o.args.v[0], c, e);
}

int oci_container_layout(const struct oci_container *c, struct cgroup_layout *layout, struct error *e) {
    if (!c->state.own.cgroup)
        return error_set(e, -ESRCH, c->state.pid > 0 ? "the container has no control group" : "container not running");
    return cgroup_layout_read(layout, e);
}

static int parse_signal(const char *text, struct error *e) {
    char *end;
    long n = strtol(text, &end, 10);

    if (*text && !*end && n >= 0 && n < NSIG) /* 0 only asks */
        return (int)n;
    n = signal_parse(text);
    if (n > 0)
        return (int)n;
    return error_set(e, -EINVAL, "unknown signal \"%s\"", text);
}

static int kill_all(struct oci_call *call, const struct oci_container *c, int signo, struct error *e) {
    struct cgroup_layout layout;
    struct list pids = {0};
    int r = oci_container_layout(c, &layout, e);

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

struct matching {
    struct oci_call *call;
    regex_t regex;
    struct strs ids;
};

static int note_match(int dirfd, const char *name, void *arg, struct error *e) {
    struct matching *m = arg;

    (void)dirfd;
    (void)e;
    if (regexec(&m->regex, name, 0, NULL, 0) == 0)
        strs_add(&m->call->arena, &m->ids, arena_strdup(&m->call->arena, name));
    return 0;
}

/* --regex: the verb for each container whose id matches the first argument; the first error is the answer. */
static int for_matches(struct oci_call *call, int (*verb)(struct oci_call *call, struct error *e), struct error *e) {
    struct matching m = {.call = call};
    const char *pattern = call->o.args.n ? call->o.args.v[0] : "";
    int r = 0;

    if (regcomp(&m.regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return error_set(e, -EINVAL, "--regex: \"%s\" is not a regular expression", pattern);
    (void)fs_each(AT_FDCWD, oci_root(&call->o), note_match, &m, NULL);
    regfree(&m.regex);
    call->o.regex = false;
    for (size_t i = 0; i < m.ids.n; i++) {
        _cleanup_error_ struct error one = ERROR_INIT;
        int result;

        call->o.args.v[0] = m.ids.v[i];
        result = verb(call, r == 0 ? e : &one);
        r = r == 0 ? result : r;
    }
    return r;
}

/* Where the end of the first process is not that of the others, SIGKILL is meant for all of them, and they may outlive it. */
static int kill_shared(struct oci_call *call, const struct oci_container *c, struct error *e) {
    struct cgroup_layout layout;
    int r = oci_container_layout(c, &layout, e);

    if (r == 0 && !cgroup_is_populated(&layout, c->state.own.cgroup))
        r = error_set(e, -ESRCH, "container not running");
    return r < 0 ? r : kill_all(call, c, SIGKILL, e);
}

int oci_kill(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;

    if (call->o.regex)
        return for_matches(call, oci_kill, e);
    int r = oci_open_argument(call, 2, &c, e);
    int signo = r < 0 ? r : parse_signal(call->o.args.n == 2 ? call->o.args.v[1] : "TERM", e);

    if (signo < 0)
        return signo;
    if (signo == SIGKILL && c.state.own.shared_pids && c.state.own.cgroup && !call->o.all)
        return kill_shared(call, &c, e);
    return call->o.all ? kill_all(call, &c, signo, e) : signal_process(&c, signo, e);
}

int oci_container_kill(const struct oci_container *c, struct error *e) {
    struct pollfd p = {.fd = oci_container_pidfd(c, NULL), .events = POLLIN};
    struct cgroup_layout layout;
    int r = 0;

    if (p.fd < 0)
        return 0;
    (void)syscall(SYS_pidfd_send_signal, p.fd, SIGKILL, NULL, 0);
    if (oci_container_layout(c, &layout, NULL) == 0)
        (void)cgroup_kill(&layout, c->state.own.cgroup, NULL);
    if (poll(&p, 1, DEATH_TIMEOUT_MS) != 1)
        r = error_set(e, -ETIMEDOUT, "container %s does not die", c->id);
    fd_close(p.fd);
    return r;
}

int oci_delete(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;

    if (call->o.regex)
        return for_matches(call, oci_delete, e);
    int r = oci_open_argument(call, 1, &c, e);

    if (r == -ENOENT && call->o.force) {
        error_release(e);
        return 0;
    }
    if (r < 0)
        return r;
    if (!call->o.force && (oci_is(&c, "running") || oci_is(&c, "paused") || oci_is(&c, "creating")))
        return error_set(e, -EBUSY, "cannot delete container %s that is not stopped: %s", c.id, c.state.status);
    if (oci_is(&c, "creating"))
        r = oci_container_end_creation(call, &c, e);
    if (r == 0)
        r = oci_container_kill(&c, e);
    return r < 0 ? r : oci_container_remove(call, &c, e);
}

int oci_pause(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    int r = oci_open_argument(call, 1, &c, e);

    if (r == 0 && !oci_is(&c, "running") && !oci_is(&c, "created"))
        r = error_set(e, -ESRCH, oci_is(&c, "paused") ? "container is paused already" : "container not running");
    if (r == 0)
        r = oci_container_layout(&c, &layout, e);
    return r < 0 ? r : cgroup_freeze(&layout, c.state.own.cgroup, FREEZE_TIMEOUT_MS, e);
}

int oci_resume(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    int r = oci_open_argument(call, 1, &c, e);

    if (r == 0 && !oci_is(&c, "paused"))
        r = error_set(e, -EINVAL, "container not paused");
    if (r == 0)
        r = oci_container_layout(&c, &layout, e);
    return r < 0 ? r : cgroup_thaw(&layout, c.state.own.cgroup, e);
}

/* events: what a container uses, in the words of runc's events, again and again or once (--stats); and when its memory ran out. */
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "oci/oci.h"

#define INTERVAL_DEFAULT_NS INT64_C(5000000000)

static void add_limit(struct buf *out, const char *name, uint64_t limit) {
    if (limit != UINT64_MAX) /* runc leaves what is unlimited out */
        buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)limit);
}

static void add_io(struct buf *out, const char *member, uint64_t reads, uint64_t writes) {
    buf_printf(out, "\"%s\":[{\"op\":\"Read\",\"value\":%llu},{\"op\":\"Write\",\"value\":%llu}]", member,
               (unsigned long long)reads, (unsigned long long)writes);
}

static void add_event(struct buf *out, const char *id, const struct cgroup_stats *s) {
    buf_add_str(out, "{\"type\":\"stats\",\"id\":");
    json_write_string(out, id);
    buf_printf(out, ",\"data\":{\"cpu\":{\"usage\":{\"total\":%llu,\"kernel\":%llu,\"user\":%llu},", (unsigned long long)s->cpu_ns,
               (unsigned long long)s->cpu_system_ns, (unsigned long long)s->cpu_user_ns);
    buf_printf(out, "\"throttling\":{\"periods\":%llu,\"throttledPeriods\":%llu,\"throttledTime\":%llu}},",
               (unsigned long long)s->throttle_periods, (unsigned long long)s->throttled_periods,
               (unsigned long long)s->throttled_ns);
    buf_printf(out, "\"memory\":{\"cache\":%llu,\"usage\":{\"usage\":%llu,\"max\":%llu,\"failcnt\":%llu",
               (unsigned long long)s->memory_cache, (unsigned long long)s->memory_total, (unsigned long long)s->memory_max,
               (unsigned long long)s->memory_failures);
    add_limit(out, "limit", s->memory_limit);
    buf_printf(out, "}},\"pids\":{\"current\":%llu", (unsigned long long)s->pids);
    add_limit(out, "limit", s->pids_limit);
    buf_add_str(out, "},\"blkio\":{");
    add_io(out, "ioServiceBytesRecursive", s->io_read_bytes, s->io_write_bytes);
    buf_add_char(out, ',');
    add_io(out, "ioServicedRecursive", s->io_reads, s->io_writes);
    buf_add_str(out, "}}}\n");
}

static int interval_of(const struct oci_options *o, int64_t *ret_ns, struct error *e) {
    *ret_ns = INTERVAL_DEFAULT_NS;
    if (o->interval && (duration_parse(o->interval, ret_ns) < 0 || *ret_ns < 1000000))
        return error_set(e, -EINVAL, "--interval: %s is not a duration such as 5s", o->interval);
    return 0;
}

/* Waits for the end of the interval or of the container: 1 = it goes on, 0 = it ended. */
static int wait_interval(int pidfd, int64_t ns) {
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, (int)(ns / 1000000)) == 0;
}

/* Each event is out at once, since whoever reads them waits for the next. */
static int flush(struct oci_call *call, struct error *e) {
    int r = fs_write_all(STDOUT_FILENO, call->out.data, call->out.size);

    buf_clear(&call->out);
    return r < 0 ? error_errno(e, r, "write an event") : 0;
}

static int follow(struct oci_call *call, const struct oci_container *c, const struct cgroup_layout *layout, int pidfd, int64_t ns,
                  struct error *e) {
    uint64_t kills = cgroup_oom_kills(layout, c->state.own.cgroup);
    struct cgroup_stats s;
    int r = 0;

    while (r == 0 && wait_interval(pidfd, ns)) {
        uint64_t now = cgroup_oom_kills(layout, c->state.own.cgroup);

        if (now != kills)
            buf_printf(&call->out, "{\"type\":\"oom\",\"id\":\"%s\"}\n", c->id);
        kills = now;
        if (cgroup_stats(layout, c->state.own.cgroup, &s, NULL) == 0)
            add_event(&call->out, c->id, &s);
        r = flush(call, e);
    }
    return r;
}

int oci_events(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    _cleanup_fd_ int pidfd = -1;
    struct cgroup_stats s;
    int64_t ns;
    int r = interval_of(&call->o, &ns, e);

    if (r == 0 && call->o.args.n != 1)
        r = error_set(e, -EINVAL, "events: a container id is expected");
    if (r == 0)
        r = oci_container_open(call, call->o.args.v[0], &c, e);
    if (r == 0)
        r = pidfd = oci_container_pidfd(&c, e);
    if (r >= 0)
        r = oci_container_layout(&c, &layout, e);
    if (r < 0)
        return r;
    if (!call->o.stats)
        return follow(call, &c, &layout, pidfd, ns, e);
    r = cgroup_stats(&layout, c.state.own.cgroup, &s, e);
    if (r == 0)
        add_event(&call->out, c.id, &s);
    return r;
}

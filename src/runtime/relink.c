#include "runtime/relink.h"

#include "base/fs.h"
#include "runtime/launch.h"
#include "runtime/monitor_client.h"
#include "runtime/plan.h"

int relink_settle(int run_dirfd, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    int r = monitor_connect(run_dirfd, &conn, e);

    if (r == 0)
        r = monitor_make_settled(&conn, e);
    switch (r) {
    case -ENOENT:       /* no socket, nobody at the socket, */
    case -ECONNREFUSED: /* gone while we asked, */
    case -ECONNRESET:
    case -ESRCH:  /* at its end, */
    case -ENOSYS: /* or a monitor of an earlier version: its answer comes between two starts all the same */
        error_release(e);
        return 0;
    default: return r;
    }
}

/* `room` holds what the launch description and the plan point into. */
static int launch_open(int run_dirfd, struct buf *room, struct monitor_launch *l, struct plan *plan, struct error *e) {
    int r = fs_read_at(run_dirfd, LAUNCH_FILE, LAUNCH_SIZE_MAX, room, e);

    if (r >= 0)
        r = launch_decode(room->data, room->size, l);
    return r < 0 ? r : plan_decode(l->plan, l->plan_size, plan, e);
}

int relink_read(int run_dirfd, struct arena *a, struct list *ret, struct error *e) {
    _cleanup_buf_ struct buf room = BUF_INIT;
    struct monitor_launch l;
    struct plan plan;
    int r = launch_open(run_dirfd, &room, &l, &plan, e);

    return r < 0 ? r : plan_links(&plan, a, ret);
}

static int write_launch(int run_dirfd, const struct monitor_launch *l, struct error *e) {
    _cleanup_buf_ struct buf launch = BUF_INIT;

    launch_encode(l, &launch);
    if (launch.failed)
        return error_set(e, -E2BIG, "the launch description is too large");
    return fs_replace_at(run_dirfd, LAUNCH_FILE, launch.data, launch.size, 0600, FS_NO_SYNC, e);
}

int relink_write(int run_dirfd, const struct list *links, bool names, struct error *e) {
    _cleanup_buf_ struct buf room = BUF_INIT, encoded = BUF_INIT;
    _cleanup_plan_ struct plan new = PLAN_INIT;
    struct monitor_launch l;
    struct plan plan;
    int r = launch_open(run_dirfd, &room, &l, &plan, e);

    if (r == 0)
        r = plan_relink(&plan, links, names, &new, e);
    if (r < 0)
        return r;
    plan_encode(&new, &encoded);
    l.plan = encoded.data;
    l.plan_size = encoded.size;
    if (encoded.failed)
        return error_set(e, -E2BIG, "the container's plan is too large");
    return write_launch(run_dirfd, &l, e);
}

/* Without a monitor the file is enough; one of an earlier version keeps the old name in its events. */
static int tell_name(int run_dirfd, struct error *e) {
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;

    if (monitor_connect(run_dirfd, &conn, NULL) < 0)
        return 0;
    int r = monitor_name(&conn, e);
    if (r == -ENOSYS || r == -ECONNRESET || r == -ESRCH) {
        error_release(e);
        return 0;
    }
    return r;
}

int relink_name(int run_dirfd, const char *name, const char *event_attributes, struct error *e) {
    _cleanup_buf_ struct buf room = BUF_INIT;
    struct monitor_launch l;
    int r = relink_settle(run_dirfd, e);

    if (r < 0)
        return r;
    r = fs_read_at(run_dirfd, LAUNCH_FILE, LAUNCH_SIZE_MAX, &room, NULL);
    if (r >= 0)
        r = launch_decode(room.data, room.size, &l);
    if (r < 0)
        return r == -ENOENT ? 0 : error_errno(e, r, "read the launch description");
    l.name = name;
    l.event_attributes = event_attributes;
    r = write_launch(run_dirfd, &l, e);
    return r < 0 ? r : tell_name(run_dirfd, e);
}

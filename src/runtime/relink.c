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

int relink_write(int run_dirfd, const struct list *links, bool names, struct error *e) {
    _cleanup_buf_ struct buf room = BUF_INIT, encoded = BUF_INIT, launch = BUF_INIT;
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
    launch_encode(&l, &launch);
    if (encoded.failed || launch.failed)
        return error_set(e, -E2BIG, "the launch description is too large");
    return fs_replace_at(run_dirfd, LAUNCH_FILE, launch.data, launch.size, 0600, FS_NO_SYNC, e);
}

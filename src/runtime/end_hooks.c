#include "runtime/end_hooks.h"

#include "base/fs.h"
#include "runtime/executor_state.h"
#include "runtime/plan.h"

int end_hooks_run(int run_dirfd, bool last, struct error *e) {
    _cleanup_buf_ struct buf blob = BUF_INIT;
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    struct executor x = {.plan = &plan};
    int r = fs_read_at(run_dirfd, END_HOOKS_FILE, PLAN_TEXT_MAX, &blob, NULL);

    if (r < 0)
        return r == -ENOENT ? 0 : error_errno(e, r, "read the hooks");
    r = plan_decode(blob.data, blob.size, &plan, e);
    for (size_t i = 0; i < plan.n; i++) {
        _cleanup_error_ struct error why = ERROR_INIT;
        int code = plan.steps[i].op == PLAN_HOOK ? step_hook(&x, &plan.steps[i], &why) : 0;

        if (code < 0 && r == 0) {
            error_move(e, &why);
            r = code;
        }
    }
    if (last)
        (void)fs_unlink_at(run_dirfd, END_HOOKS_FILE, NULL);
    return r;
}

#include "runtime/explain.h"

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "kernel/sys.h"
#include "runtime/step.h"

#define NS_PER_US 1000.0

static void on_call(const struct sys_event *event, void *arg) {
    struct explain *x = arg;

    if (event->before) {
        buf_add_str(&x->text, "       ");
        sys_event_format(event, &x->text);
        buf_add_char(&x->text, '\n');
        explain_flush(x);
        return;
    }
    if (event->call == SYS_CALL_execve) { /* it was told before; now that it failed, the result */
        buf_printf(&x->text, "         = -1 %s (%s)\n", errno_name((int)event->result), errno_text((int)event->result));
        return;
    }
    buf_add_str(&x->text, "       ");
    sys_event_format(event, &x->text);
    buf_printf(&x->text, " <%.1f us>\n", (double)event->ns / NS_PER_US);
}

void explain_begin(struct explain *x, const struct plan *plan, int fd) {
    *x = (struct explain){.fd = fd, .plan = plan};
    sys_watch(on_call, x);
}

void explain_step(struct explain *x, const struct plan_step *step) {
    buf_printf(&x->text, "%3zu  ", (size_t)(step - x->plan->steps) + 1);
    step_print(x->plan, step, &x->text);
    step_why_print(step, &x->text);
    x->start_ns = clock_monotonic_ns();
}

void explain_step_done(struct explain *x, const struct plan_step *step, int result) {
    double us = (double)(clock_monotonic_ns() - x->start_ns) / NS_PER_US;

    if (result < 0 && step->flags & PLAN_MAY_FAIL)
        buf_printf(&x->text, "       passed over after %.1f us: %s\n", us, errno_text(result));
    else if (result < 0)
        buf_printf(&x->text, "       failed after %.1f us: %s\n", us, errno_text(result));
    else
        buf_printf(&x->text, "       done in %.1f us\n", us);
    explain_flush(x);
}

void explain_note(struct explain *x, const char *role, const char *what) {
    buf_printf(&x->text, "     %-6s %s\n", role, what);
}

void explain_flush(struct explain *x) {
    (void)fs_write_all(x->fd, x->text.data, x->text.size);
    buf_clear(&x->text);
}

void explain_end(struct explain *x) {
    sys_watch(NULL, NULL);
    explain_flush(x);
    buf_release(&x->text);
}

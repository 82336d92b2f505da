/* --explain: each step told as it happens, with the system calls that were really made, what they took, why the step is there, and
 * its manual page. */
#pragma once

#include "base/buf.h"
#include "runtime/plan.h"

struct explain {
    int fd;
    const struct plan *plan;
    struct buf text;  /* of the step that is under way; written with one write(2), so that two processes do not mix */
    int64_t start_ns; /* of the step */
};

/* Begins watching system calls of this process; `x` stays in use until explain_end(). */
void explain_begin(struct explain *x, const struct plan *plan, int fd);
void explain_step(struct explain *x, const struct plan_step *step);
void explain_step_done(struct explain *x, const struct plan_step *step, int result);
/* A line for what belongs to no step. */
void explain_note(struct explain *x, const char *role, const char *what);
void explain_flush(struct explain *x); /* before what does not return */
void explain_end(struct explain *x);

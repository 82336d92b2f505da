/* What the files that build plans share. Private to runtime/plan_*.c. */
#pragma once

#include "runtime/plan.h"
#include "runtime/step.h"

struct builder {
    const struct oci_spec *spec;
    const struct plan_context *context;
    struct plan *plan;
    struct arena *arena; /* for the time of building */
    unsigned new_namespaces;
    unsigned joined_namespaces;
    int64_t slots;       /* given out so far */
    int64_t root_slot;   /* first of the root's trees (lowers, or the directory); -1 = the child opens them by path */
    int64_t upper_slot;  /* of the directory that holds upper and work; -1 = by path */
    int64_t *mount_slot; /* for each of spec->mounts; -1 = by path */
    bool own_user;       /* a new user namespace */
    bool own_dev;        /* /dev is a tmpfs of ours */
};

/* Adds a step; arguments as they come (missing ones are 0). */
#define STEP(b, role, op, ...)          step_add((b), (role), (op), 0, (const int64_t[PLAN_ARGS]){__VA_ARGS__})
#define STEP_MAY_FAIL(b, role, op, ...) step_add((b), (role), (op), PLAN_MAY_FAIL, (const int64_t[PLAN_ARGS]){__VA_ARGS__})
void step_add(struct builder *b, enum plan_role role, enum plan_op op, unsigned flags, const int64_t arg[PLAN_ARGS]);

/* Put what they get into the plan's text and return its offset; NULL and empty lists are 0. */
int64_t text_add(struct builder *b, const char *s);
int64_t texts_add(struct builder *b, const struct strs *s);
int64_t u32s_add(struct builder *b, const struct list *l); /* as decimal strings */
int64_t data_add(struct builder *b, const void *p, size_t n);

/* An absolute path without "//", "." and ".."; a relative one counts from the root. */
const char *path_clean(struct arena *a, const char *path);
/* Is `path` (clean) `under` or below it? */
bool path_is_below(const char *path, const char *under);

/* plan_files.c: which mount trees the parent has to open, and the steps for that. */
int plan_trees(struct builder *b, struct error *e);
void plan_trees_map(struct builder *b);
/* plan_files.c: root, mounts, devices, masks. plan_late() (plan_build.c) adds, at its place among them, what needs the parent's
 * part to be done. */
int plan_files(struct builder *b, struct error *e);
void plan_late(struct builder *b);
/* plan_process.c */
int plan_process(struct builder *b, const struct oci_process *p, struct error *e);

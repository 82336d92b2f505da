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
    int64_t agent_slot;  /* of the socket to who answers system calls; -1 = none */
    int64_t state_head;  /* the state's text, once it is in the plan */
    bool parent_awaited; /* the child has waited for what the parent does beside it */
    int64_t user_slot;   /* a user namespace that is joined; -1 = none, or its own */
    bool maps_trees;     /* the parent shifts owners of trees that the child will attach */
    bool own_user;       /* a new user namespace */
    bool foreign_user;   /* that, or another's, joined by root of the host: what the host's root may open, the child may not */
    bool own_dev;        /* /dev is a tmpfs of ours */
    bool seals_dev;      /* … and read-only, once all is in it */
    bool joins_user;     /* another's user namespace: what needs rights on the host is planned before */
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

/* plan_build.c: the interfaces of the context, in the parent's and in the child's part; the end of building. */
void plan_links_make(struct builder *b);
void plan_links_configure(struct builder *b);
int plan_finish(struct plan *p, struct error *e);
/* plan_files.c: which mount trees the parent has to open, and the steps for that. */
int plan_trees(struct builder *b, struct error *e);
void plan_trees_map(struct builder *b);
/* plan_files.c: root, mounts, devices, masks. plan_late() (plan_build.c) adds, at its place among them, what needs the parent's
 * part to be done. */
int plan_files(struct builder *b, struct error *e);
bool plan_writes_cgroups(const struct builder *b); /* /sys/fs/cgroup is its own group, not read-only */
void plan_late(struct builder *b);
void plan_terminal(struct builder *b, const struct oci_process *p, bool console);
/* plan_hook.c: hooks, and interfaces that are moved in. plan_mounted_…() stand where all mounts are made but the root is not yet
 * changed. */
int plan_hooks_check(const struct builder *b, struct error *e);
bool plan_hooks_see_mounts(const struct builder *b);
void plan_mounted_parent(struct builder *b);
void plan_mounted_child(struct builder *b);
void plan_start_hooks(struct builder *b);
void plan_poststart(struct builder *b);
void plan_bundle(struct builder *b);
int64_t plan_agent(struct builder *b); /* the slot; -1 = none */
/* plan_process.c. struct process_extra: what stands in `linux` and is the process's, too. */
struct process_extra {
    const char *personality;
    const struct oci_memory_policy *memory_policy;
};
void plan_limits(struct builder *b, const struct oci_process *p); /* resource limits and the out-of-memory score */
void plan_labels(struct builder *b, const struct oci_process *p); /* what AppArmor and SELinux will call its program */
int plan_process(struct builder *b, const struct oci_process *p, const struct process_extra *more, struct error *e);

/* The operations a plan is made of: one table (step.c) says what each is called, what its arguments mean, why it is there, where to
 * read more, and which function carries it out. plan_build() writes steps, the executor runs them, plan_print() and --explain show
 * them, all by this table. */
#pragma once

#include "runtime/plan.h"

enum plan_op {
    PLAN_NOTHING,
    /* before the child exists */
    PLAN_CGROUP,
    PLAN_CGROUP_OPEN,
    PLAN_UPPER_MAKE,
    PLAN_NAMESPACE_OPEN,
    PLAN_NAMESPACE_OF,
    PLAN_NAMESPACE_CHILDREN,
    PLAN_TIME_OFFSETS,
    PLAN_AGENT_OPEN,
    PLAN_AFFINITY_FIRST,
    PLAN_CLONE,
    /* in the monitor, beside the child */
    PLAN_ID_MAP,
    PLAN_TREE_OPEN,
    PLAN_OVERLAY_OPEN,
    PLAN_TREE_MAP,
    PLAN_LINK_MAKE,
    PLAN_LINK_MOVE,
    PLAN_NAMES,
    PLAN_LIMIT_CHILD,
    PLAN_OOM_CHILD,
    PLAN_LISTEN,
    PLAN_HOOK,
    PLAN_RELEASE,
    /* in the child: identity and files */
    PLAN_BEGIN,
    PLAN_AWAIT,
    PLAN_TELL,
    PLAN_CGROUP_JOIN,
    PLAN_NAMESPACE_JOIN,
    PLAN_NAMESPACE_NEW,
    PLAN_BECOME_ROOT,
    PLAN_PROPAGATION,
    PLAN_ROOT_OVERLAY,
    PLAN_ROOT_BIND,
    PLAN_BUNDLE,
    PLAN_ROOT_ATTACH,
    PLAN_MOUNT,
    PLAN_BIND,
    PLAN_REMOUNT,
    PLAN_CGROUP_MOUNTS,
    PLAN_NODE,
    PLAN_SYMLINK,
    PLAN_DIRECTORY,
    PLAN_TERMINAL,
    PLAN_MASK,
    PLAN_READ_ONLY,
    PLAN_SYSCTL,
    PLAN_HOSTNAME,
    PLAN_DOMAINNAME,
    PLAN_LINK_CONFIGURE,
    PLAN_DEV_SEAL,
    PLAN_ROOT_SEAL,
    PLAN_PIVOT,
    PLAN_ROOT_PROPAGATION,
    /* in the child: the process */
    PLAN_CWD,
    PLAN_HOME,
    PLAN_OOM_SCORE,
    PLAN_LIMIT,
    PLAN_KEYRING,
    PLAN_LABEL,
    PLAN_SCOPE,
    PLAN_AFFINITY,
    PLAN_SCHEDULER,
    PLAN_IO_PRIORITY,
    PLAN_PERSONALITY,
    PLAN_MEMORY_POLICY,
    PLAN_SESSION,
    PLAN_NO_NEW_PRIVILEGES,
    PLAN_BOUND,
    PLAN_USER,
    PLAN_PROGRAM,
    PLAN_READY,
    PLAN_SECCOMP,
    PLAN_CAPABILITIES,
    PLAN_BIRTH,
    PLAN_EXEC,
    PLAN_OP_COUNT,
};

/* How an argument is shown, and what plan_decode() has to check. */
enum step_arg {
    STEP_NONE,
    STEP_TEXT,  /* offset of a string */
    STEP_TEXTS, /* offset of a list: uint32_t count, then that many strings */
    STEP_ENV,   /* the same, of which only the names before the = are shown: the values may be secrets */
    STEP_DATA,  /* offset of binary data: uint32_t size, then the bytes */
    STEP_INT,
    STEP_BOOL, /* shown when it holds */
    STEP_HEX,
    STEP_MODE,
    STEP_DEVICE,
    STEP_NAMESPACES,  /* CLONE_NEW… */
    STEP_ATTR,        /* MOUNT_ATTR_… */
    STEP_PROPAGATION, /* MS_… */
    STEP_CAPS,
    STEP_CGROUP_OP,    /* enum cgroup_op_kind */
    STEP_CGROUP_FLAGS, /* CGROUP_… */
    STEP_MOUNT_FLAGS,  /* enum step_mount_flag */
    STEP_SCOPES,       /* LANDLOCK_SCOPE_… */
    STEP_CGROUP,       /* enum cgroup_op_kind */
    STEP_SLOT,         /* index of a descriptor that steps hand to one another; -1 = none */
};

/* Flags of PLAN_BIND and PLAN_MOUNT. */
enum step_mount_flag {
    STEP_RECURSIVE = 1 << 0,      /* the tree with what is mounted below */
    STEP_ATTR_RECURSIVE = 1 << 1, /* attributes for all of that */
    STEP_COPY_UP = 1 << 2,        /* a tmpfs begins with what the directory below it holds */
    STEP_NO_LINKS = 1 << 3,       /* the target must be what its name says: no symbolic link on the way (/proc, /sys) */
    STEP_PROC = 1 << 4,           /* the procfs of this container: kept open for what is written there */
    STEP_PTS = 1 << 5,            /* the devpts of this container: kept open for terminals */
    STEP_DEV = 1 << 6,            /* /dev is now ours */
    STEP_LIKE_TARGET = 1 << 7,    /* a tmpfs of no mode of its own has that of the directory that it covers, if it was there */
    STEP_IN_ROOT = 1 << 8,        /* the source is a path of the container's, as its mounts up to here have made it */
};

#define STEP_SLOTS_MAX 16384

struct executor;
typedef int step_run_fn(struct executor *x, const struct plan_step *step, struct error *e);

struct step_op {
    const char *name;
    const char *why;
    const char *man; /* page(section) */
    struct {
        const char *name;
        enum step_arg kind;
    } arg[PLAN_ARGS];
    step_run_fn *run;
};

extern const struct step_op step_ops[PLAN_OP_COUNT];

/* What an argument stands for. Offset 0: NULL, an empty list, no data. */
const char *plan_text(const struct plan *plan, int64_t offset);
uint32_t plan_count(const struct plan *plan, int64_t offset);
/* Walks a list: the first string of it, then the one behind `s`. */
const char *plan_first(const struct plan *plan, int64_t offset);
const char *plan_next(const char *s);
const void *plan_data(const struct plan *plan, int64_t offset, size_t *ret_size);

/* Appends "role name arg=value …" as plan_print() and --explain show a step. */
void step_print(const struct plan *plan, const struct plan_step *step, struct buf *out);
/* Ends the line of step_print() and adds one: why the step is there, and the manual page to read. */
void step_why_print(const struct plan_step *step, struct buf *out);
const char *plan_role_name(unsigned role);

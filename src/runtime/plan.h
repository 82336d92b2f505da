/* The plan of a container: what has to be done, in order, as data. plan_build() is pure; the executor carries out what it made, in
 * another process (the container's monitor), which gets it as one flat blob and needs no JSON for it.
 *
 * A step is an operation (enum plan_op; plan_op.h describes each) and up to PLAN_ARGS integers. Strings, lists and binary data lie
 * in the plan's text area; an argument that stands for one is its offset there. Offset 0 is the absent string. */
#pragma once

#include "base/buf.h"
#include "kernel/capability.h"
#include "kernel/link.h"
#include "model/oci_spec.h"

/* Where a step runs. Steps of each role keep their order; `sync` steps order the two that run side by side. */
enum plan_role {
    PLAN_HOST,   /* in the monitor, before the child exists */
    PLAN_CHILD,  /* in the child: the container's first process until its execve */
    PLAN_PARENT, /* in the monitor, while the child works */
    PLAN_AFTER,  /* in the monitor, when the program runs */
    PLAN_ROLES,
};

#define PLAN_ARGS      9
#define PLAN_STEPS_MAX 65536 /* 10,000 mounts are allowed; more is a mistake */
#define PLAN_LINKS_MAX 64    /* interfaces of one container */
#define PLAN_TEXT_MAX  ((size_t)32 << 20)

enum plan_flag {
    PLAN_MAY_FAIL = 1 << 0, /* what is missing on this host is skipped (a masked path that does not exist) */
};

struct plan_step {
    uint16_t op;   /* enum plan_op */
    uint8_t role;  /* enum plan_role */
    uint8_t flags; /* enum plan_flag */
    uint32_t reserved;
    int64_t arg[PLAN_ARGS];
};

/* A plan in memory: in its own buffers after plan_build(), or pointing into a blob after plan_decode(). */
struct plan {
    const struct plan_step *steps;
    size_t n;
    const char *text;
    size_t text_size;
    struct buf steps_buf; /* owned storage; empty after plan_decode() */
    struct buf text_buf;
};
#define PLAN_INIT                                                                                                                  \
    { 0 }
#define _cleanup_plan_ _cleanup_(plan_release)
void plan_release(struct plan *p);

/* ---- What plan_build() needs to know beside the OCI configuration ---- */

enum plan_rootfs_kind {
    PLAN_ROOTFS_OVERLAY, /* lowers below upper (NULL upper: read-only, lowers only) */
    PLAN_ROOTFS_BIND,    /* a directory in place */
    PLAN_ROOTFS_NONE,    /* no mount namespace: the files are the host's */
};

struct plan_rootfs {
    enum plan_rootfs_kind kind;
    struct strs lowers; /* absolute paths, TOP FIRST */
    const char *upper;  /* absolute; made (mode 0755, owned by the container's root) if missing */
    const char *work;
    const char *path; /* of the bind */
    bool id_map;      /* in a new user namespace: the files' owners are shifted into it by idmapped mounts */
    bool is_volatile; /* overlay `volatile`: no syncs on the upper layer's behalf; for containers that go with their end */
    bool in_one;      /* before Linux 6.8: overlay takes its layers as one option of mount(2) */
};

/* What a mount of type "cgroup" shows inside: one directory of the container's own per hierarchy. */
struct plan_cgroup_mount {
    const char *name; /* below /sys/fs/cgroup inside: "memory", "cpu,cpuacct"; NULL: version 2 alone, it is the mount itself */
    const char *dir;  /* absolute */
};

struct plan_context {
    const char *id;
    struct plan_rootfs rootfs;
    struct list cgroup_ops;     /* struct cgroup_op (kernel/cgroup.h): done before the child exists, in this order */
    struct strs cgroup_join;    /* version 1: absolute directories that the child enters */
    const char *cgroup_unified; /* version 2: absolute directory that the child is born in; NULL = none */
    struct list cgroup_mounts;  /* struct plan_cgroup_mount */
    struct list links;          /* struct link (kernel/link.h): made by the parent, configured by the child */
    bool names;                 /* a resolver in the network namespace */
    struct map owners;   /* type of a joined namespace -> absolute run directory of the container whose it is (else by its path) */
    const void *seccomp; /* struct sock_filter[]; NULL = no filter */
    size_t seccomp_size; /* bytes */
    uint32_t seccomp_flags;
    unsigned scopes;     /* enum landlock_scope: what of the host's shared namespaces stays out of reach */
    bool single_id;      /* the user namespace maps one id only: no other gid, no other uid can be set */
    bool keep_groups;    /* the process has the caller's supplementary groups, not those of the configuration */
    bool rootless;       /* the monitor is root of a user namespace, not of the host */
    bool dev_fill;       /* a tmpfs on /dev gets the usual nodes and links; so does the root's own where nothing is mounted there */
    bool new_keyring;    /* a session keyring of its own */
    bool no_pivot;       /* chroot instead of pivot_root (ramfs roots) */
    bool fill_home;      /* HOME is looked up where the process has none */
    bool all_processors; /* of its group, whatever the caller's affinity is */
    bool check_program;  /* a missing program is found before the hold, not by the execve */
    const char *state_head; /* for hooks: hook_state_head() (runtime/end_hooks.h); NULL = no hooks */
    bool poststart;         /* poststart hooks are steps, too: no verb of the OCI runtime runs them */
    const char *bundle;     /* absolute: shown in the child at this path although root of its user namespace may not get there; */
    const char
        *bundle_at;     /* the prefix of it that he can still see, and below which the host's files may disappear; NULL = no need */
    const char *config; /* of the bundle: the text of config.json */
    const char *agent_path; /* socket of the program that answers what the filter asks (SCMP_ACT_NOTIFY); NULL = none */
    const char *agent_head; /* the container process state for it, up to the state's status */
    bool init;              /* PID 1 is the built-in init, the command its child */
    bool init_alone;        /* PID 1 is the built-in init, and there is no command: somebody who keeps namespaces */
    const char *init_path;  /* reserved for a user's own init program */
};

struct cgroup_layout;
/* Fills the four cgroup_… members for the group `path` (kernel/cgroup.h) with the limits of `resources` (NULL = none). Pure. */
int plan_context_cgroups(struct plan_context *context, const struct cgroup_layout *layout, const char *path,
                         const struct oci_resources *resources, struct arena *a, struct error *e);

/* Pure: reads nothing but its arguments. -EINVAL names the field that cannot be done; -E2BIG. */
int plan_build(const struct oci_spec *spec, const struct plan_context *context, struct plan *ret, struct error *e);

/* Joining a running container: namespaces of its first process by pidfd, cgroups by their directories, then the process. */
struct plan_exec_context {
    unsigned namespaces;        /* CLONE_NEW… of the container's own namespaces, joined all at once */
    struct strs cgroup_join;    /* as in plan_context */
    const char *cgroup_unified; /* as in plan_context */
    const void *seccomp;
    size_t seccomp_size;
    uint32_t seccomp_flags;
    bool new_keyring, fill_home, all_processors;   /* as in plan_context */
    unsigned scopes;                               /* as in plan_context */
    bool single_id, keep_groups;                   /* as in plan_context */
    const char *agent_path, *agent_head;           /* as in plan_context */
    const char *personality;                       /* of the container: "LINUX32"; NULL = as it is */
    const struct oci_memory_policy *memory_policy; /* of the container; NULL = none */
};
int plan_build_exec(const struct oci_process *process, const struct plan_exec_context *context, struct plan *ret, struct error *e);

/* The network interfaces (struct link) of a plan. -ENOENT: it makes no network namespace. -EPROTO. */
int plan_links(const struct plan *plan, struct arena *a, struct list *ret);
/* The same plan with these interfaces instead, and with a resolver or not; for a plan that plan_links() reads. */
int plan_relink(const struct plan *from, const struct list *links, bool names, struct plan *ret, struct error *e);

/* One line a step: number, role, name, arguments, and why. */
void plan_print(const struct plan *plan, struct buf *out);
/* The steps of one container have undo counterparts on the host; see journal.h. */

/* The blob: header with version and sizes, steps, text. plan_decode() checks every offset, so that the executor need not; *ret
 * points into the blob, which must stay. -EPROTO: another version or damaged. */
void plan_encode(const struct plan *plan, struct buf *out);
int plan_decode(const void *blob, size_t size, struct plan *ret, struct error *e);

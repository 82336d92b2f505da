/* The plan of a container: what has to be done, in order, as data. plan_build() is pure; the executor carries out what it made, in
 * another process (the container's monitor), which gets it as one flat blob and needs no JSON for it.
 *
 * A step is an operation (enum plan_op; plan_op.h describes each) and up to PLAN_ARGS integers. Strings, lists and binary data lie
 * in the plan's text area; an argument that stands for one is its offset there. Offset 0 is the absent string. */
#pragma once

#include "base/buf.h"
#include "kernel/capability.h"
#include "model/oci_spec.h"

/* Where a step runs. Steps of each role keep their order; `sync` steps order the two that run side by side. */
enum plan_role {
    PLAN_HOST,   /* in the monitor, before the child exists */
    PLAN_CHILD,  /* in the child: the container's first process until its execve */
    PLAN_PARENT, /* in the monitor, while the child works */
};

#define PLAN_ARGS      7
#define PLAN_STEPS_MAX 65536 /* 10,000 mounts are allowed; more is a mistake */
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
    bool is_volatile; /* overlay `volatile`: no syncs on the upper layer's behalf; for containers that go with their end */
};

/* A file write into a cgroup directory. */
struct plan_cgroup_write {
    const char *file; /* "memory.max" */
    const char *value;
    bool may_fail;
};
/* One directory to make in one hierarchy: absolute path, what to write there. Attaching is up to the plan: CLONE_INTO_CGROUP for
 * v2, cgroup.procs from the parent for v1. */
struct plan_cgroup {
    const char *path;
    bool v2;
    struct list writes;         /* struct plan_cgroup_write, in order */
    const void *device_program; /* struct bpf_insn[] for BPF_PROG_TYPE_CGROUP_DEVICE on v2; NULL = none */
    size_t device_program_size; /* bytes */
};

/* A veth pair: host_name on the host (port of `bridge` if not NULL), name inside, configured by the child. Needs a new or owned
 * network namespace. */
struct plan_link {
    const char *host_name;
    const char *name; /* "eth0" */
    const char *mac;  /* "02:42:ac:11:00:02"; NULL = the kernel chooses */
    const char *bridge;
    uint32_t mtu;          /* 0 = the bridge's */
    struct strs addresses; /* "172.17.0.2/16", "fd00::2/64" */
    struct strs gateways;  /* default routes, one per family */
    bool isolated;         /* bridge port isolation: no traffic between containers of the network */
};

struct plan_context {
    const char *id;
    struct plan_rootfs rootfs;
    struct list cgroups; /* struct plan_cgroup */
    struct list links;   /* struct plan_link */
    const void *seccomp; /* struct sock_filter[]; NULL = no filter */
    size_t seccomp_size; /* bytes */
    uint32_t seccomp_flags;
    bool rootless; /* the monitor is root of a user namespace, not of the host */
    bool dev_fill; /* a tmpfs on /dev gets the usual nodes and links (always, except when a caller of the OCI interface forbids) */
    bool new_keyring;      /* a session keyring of its own */
    bool no_pivot;         /* chroot instead of pivot_root (ramfs roots) */
    bool init;             /* PID 1 is the built-in init, the command its child */
    const char *init_path; /* reserved for a user's own init program */
};

/* Pure: reads nothing but its arguments. -EINVAL names the field that cannot be done; -E2BIG. */
int plan_build(const struct oci_spec *spec, const struct plan_context *context, struct plan *ret, struct error *e);

/* Joining a running container: namespaces of its first process by pidfd, cgroups by their directories, then the process. */
struct plan_exec_context {
    unsigned namespaces; /* CLONE_NEW… of the container's own namespaces, joined all at once */
    struct strs cgroups; /* absolute paths of the container's cgroup directories */
    bool v2_first;       /* cgroups.v[0] is the v2 directory (CLONE_INTO_CGROUP) */
    const void *seccomp;
    size_t seccomp_size;
    uint32_t seccomp_flags;
    bool new_keyring;
};
int plan_build_exec(const struct oci_process *process, const struct plan_exec_context *context, struct plan *ret, struct error *e);

/* One line a step: number, role, name, arguments, and why. */
void plan_print(const struct plan *plan, struct buf *out);
/* The steps of one container have undo counterparts on the host; see journal.h. */

/* The blob: header with version and sizes, steps, text. plan_decode() checks every offset, so that the executor need not; *ret
 * points into the blob, which must stay. -EPROTO: another version or damaged. */
void plan_encode(const struct plan *plan, struct buf *out);
int plan_decode(const void *blob, size_t size, struct plan *ret, struct error *e);

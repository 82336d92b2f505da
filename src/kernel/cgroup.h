/* Control groups: version 1, version 2 and the mixture of both behind one interface. For every controller it is looked up once
 * where it is mounted; nobody above needs to know.
 *
 * Three layers:
 *   struct cgroup_layout   what is mounted where (read once a process)
 *   struct cgroup_op       one step of making or changing a group: pure data, computed by cgroup_plan_*(), shown by --dry-run,
 * carried out by cgroup_op_run() cgroup_freeze() …      what is done to a living group
 *
 * A group is named by a path below the root of the hierarchies: "/tare/<id>". It exists in every hierarchy that is mounted, so that
 * nothing of a container is accounted to the caller.
 *
 * Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/, OCI config-linux.md ("Control groups"). */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/oci_spec.h"

enum cgroup_controller {
    CGROUP_CPU,
    CGROUP_CPUACCT, /* version 1; part of cpu in version 2 */
    CGROUP_CPUSET,
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_IO,      /* "blkio" in version 1 */
    CGROUP_DEVICES, /* version 1; an eBPF program in version 2 */
    CGROUP_FREEZER, /* version 1; built into version 2 */
    CGROUP_HUGETLB,
    CGROUP_RDMA,
    CGROUP_NET_CLS, /* version 1 */
    CGROUP_NET_PRIO,
    CGROUP_PERF_EVENT,
    CGROUP_MISC,
    CGROUP_CONTROLLERS, /* how many there are */
};

#define CGROUP_HIERARCHIES_MAX 16
#define CGROUP_MOUNT_MAX       128
#define CGROUP_PATH_MAX        1024 /* bytes of a group's path */
#define CGROUP_NONE            (-1)

struct cgroup_hierarchy {
    char mount[CGROUP_MOUNT_MAX]; /* where its root is seen */
    bool unified;                 /* version 2 */
    unsigned controllers;         /* bit n = enum cgroup_controller */
};

/* Plain data without pointers: may be copied, stored, sent. */
struct cgroup_layout {
    int count;
    int unified;                        /* index of the version 2 hierarchy, with or without controllers; CGROUP_NONE */
    signed char of[CGROUP_CONTROLLERS]; /* controller -> index; CGROUP_NONE when it is nowhere */
    struct cgroup_hierarchy hierarchies[CGROUP_HIERARCHIES_MAX];
};

/* Reads /proc/self/mountinfo and, for version 2, cgroup.controllers. A host without cgroups gives count == 0 and no error. */
int cgroup_layout_read(struct cgroup_layout *ret, struct error *e);
/* The same through the run directory's cache, a tenth of the time: what was read once holds as long as /sys/fs/cgroup is the same
 * directory with the same entries. */
int cgroup_layout_load(int run_fd, struct cgroup_layout *ret, struct error *e);
/* The pure part: from the text of mountinfo, and that of the version 2 root's cgroup.controllers (NULL = none). */
int cgroup_layout_parse(const char *mountinfo, const char *unified_controllers, struct cgroup_layout *ret, struct error *e);
/* Takes out the hierarchies in whose root this process cannot make groups: those of an ordinary user's host, unless delegated. */
void cgroup_layout_keep_writable(struct cgroup_layout *layout);
/* "v1", "hybrid", "v2" or "none"; static. */
const char *cgroup_layout_name(const struct cgroup_layout *layout);
/* "memory"; static. */
const char *cgroup_controller_name(enum cgroup_controller c);
/* The directory of a group in the hierarchy of that index. */
const char *cgroup_dir(const struct cgroup_layout *layout, int hierarchy, const char *path, struct arena *a);

/* The path of a container's group: "<parent>/<id>", where parent is "/tare<tag>" when NULL (--cgroup-parent otherwise, which counts
 * from the root, as Docker's does; a lone "a-b.slice" becomes "/a.slice/a-b.slice"). -EINVAL when the parent has empty, "." or ".."
 * components. */
int cgroup_path(const char *tag, const char *parent, const char *id, struct arena *a, const char **ret, struct error *e);
/* The group for monitors: a leaf beside the containers', shared by all of them: "/tare<tag>/monitors". */
const char *cgroup_monitor_path(const char *tag, struct arena *a);

enum cgroup_op_kind {
    CGROUP_MKDIR,   /* make `dir` and its missing parents; existing is success */
    CGROUP_WRITE,   /* write each line of `value` to `file`, one write(2) a line */
    CGROUP_ENABLE,  /* version 2: write `value` ("+cpu +memory"), or what of it is possible */
    CGROUP_INHERIT, /* when `file` is empty, copy the parent's (which inherits first): cpuset of version 1 */
    CGROUP_PROGRAM, /* load `program` and attach it to `dir`: the devices of version 2 */
    CGROUP_ATTACH,  /* write the pid to `file` */
    CGROUP_GIVE,    /* version 2: `dir`, and the files in it that go with a delegation, become the property of the user `value` */
};

enum cgroup_op_flag {
    CGROUP_OPTIONAL = 1 << 0, /* where the kernel lacks the file, go on (a default, not the user's wish) */
    CGROUP_LATE = 1 << 1,     /* once its process is there: nobody is born into a group that may have none */
};

struct cgroup_op {
    enum cgroup_op_kind kind;
    unsigned flags;
    const char *dir;
    const char *file; /* NULL for CGROUP_MKDIR and CGROUP_PROGRAM */
    const char *value;
    const char *other_file; /* tried when `file` does not exist; NULL = none */
    const char *other_value;
    const char *what;    /* for messages: "memory limit"; static */
    const void *program; /* struct bpf_insn[] */
    size_t program_size; /* bytes */
};

/* Lists of struct cgroup_op, pointers into the arena. resources may be NULL. Pure: only `layout` says what the host has. What is
 * asked and the host cannot do is -ENOTSUP and named ("memory swappiness needs cgroup version 1"), but Docker's own defaults are
 * marked CGROUP_OPTIONAL. */
int cgroup_plan_create(const struct cgroup_layout *layout, const char *path, const struct oci_resources *resources, struct arena *a,
                       struct list *ret, struct error *e);
/* To put a process into the group: separate, because the child exists only later. A group that was joined by CLONE_INTO_CGROUP is
 * left out when `born_in_unified`. */
void cgroup_plan_attach(const struct cgroup_layout *layout, const char *path, bool born_in_unified, struct arena *a,
                        struct list *ret);
/* To change a living group (docker update): reads the present limits, since the order of the writes depends on them. */
int cgroup_plan_update(const struct cgroup_layout *layout, const char *path, const struct oci_resources *resources, struct arena *a,
                       struct list *ret, struct error *e);
/* The directories of the group, for the undo list: cgroup_remove_dir() each. */
void cgroup_plan_dirs(const struct cgroup_layout *layout, const char *path, struct arena *a, struct strs *ret);

/* Carries one step out; `pid` for CGROUP_ATTACH (0 = the caller). The message says why, where the errno alone does not: a limit
 * below the usage, processors outside the parent's, a controller that the parent does not hand down… */
int cgroup_op_run(const struct cgroup_op *op, pid_t pid, struct error *e);
int cgroup_ops_run(const struct list *ops, pid_t pid, struct error *e);

/* Where one more process of a container can be born (version 2): its group `group` (O_PATH), unless the container hands controllers
 * down, so that its processes are in groups below: then that of its process `pid`. Returns a descriptor (O_PATH) of that one, or
 * -ENOENT: `group` itself is right. */
int cgroup_open_below(int group, pid_t pid);
/* Does the group exist in any hierarchy? */
bool cgroup_exists(const struct cgroup_layout *layout, const char *path);
/* Does it, or a group below it, hold a process? */
bool cgroup_is_populated(const struct cgroup_layout *layout, const char *path);
/* Every process in the group and below, as a list of pid_t (seen from the caller's pid namespace; others are left out). */
int cgroup_pids(const struct cgroup_layout *layout, const char *path, struct arena *a, struct list *ret, struct error *e);

/* Stops every process in the group, or lets them go on. Returns when it is done, -ETIMEDOUT after timeout_ms (then thawed again).
 * -EINVAL: the root, as with cgroup_kill(). */
int cgroup_freeze(const struct cgroup_layout *layout, const char *path, int timeout_ms, struct error *e);
int cgroup_thaw(const struct cgroup_layout *layout, const char *path, struct error *e);
/* Sends SIGKILL to everything in the group and below: cgroup.kill (5.14), else freeze, kill each, thaw, until it is empty. A frozen
 * group dies, too. Does not wait for the dead to be reaped. Absent group: success. -EINVAL: the root, which is nobody's to end. */
int cgroup_kill(const struct cgroup_layout *layout, const char *path, struct error *e);
/* Removes the group in every hierarchy, with what the container made below it. Waits up to timeout_ms for dying processes
 * (-EBUSY). Absent is success, so it may be run twice. */
int cgroup_remove(const struct cgroup_layout *layout, const char *path, int timeout_ms, struct error *e);
/* The same for one directory by its absolute path, which must lie in a cgroup file system. */
int cgroup_remove_dir(const char *dir, int timeout_ms, struct error *e);

struct cgroup_stats {
    uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
    uint64_t throttled_periods, throttle_periods, throttled_ns;
    uint64_t memory_usage;     /* bytes, as Docker shows it: without the inactive page cache */
    uint64_t memory_total;     /* bytes, with it */
    uint64_t memory_max;       /* highest memory_total; 0 = the kernel does not say */
    uint64_t memory_limit;     /* UINT64_MAX = none */
    uint64_t memory_cache;     /* inactive page cache */
    uint64_t memory_failures;  /* how often the limit was hit */
    uint64_t pids, pids_limit; /* UINT64_MAX = none */
    uint64_t io_read_bytes, io_write_bytes, io_reads, io_writes;
};
/* What a controller that is not there would tell stays 0. -ENOENT: there is no such group. */
int cgroup_stats(const struct cgroup_layout *layout, const char *path, struct cgroup_stats *ret, struct error *e);
/* How many processes of the group the kernel killed for want of memory. 0 when nothing can be read. */
uint64_t cgroup_oom_kills(const struct cgroup_layout *layout, const char *path);
/* A descriptor that becomes readable (POLLPRI in version 2, POLLIN of an eventfd in version 1) when memory ran out.
 * -ENOENT: no memory controller. */
int cgroup_oom_notifier(const struct cgroup_layout *layout, const char *path, struct error *e);

/* The cage of a worker: a process that reads bytes from strangers gives up, for good, everything but what its task needs. One
 * struct says what stays; one function gives up the rest.
 *
 *     static const struct cage_call calls[] = {CAGE_CALL(read), CAGE_CALL(write), CAGE_CALL_IF(socket, 0, ~0U, AF_INET)};
 *     struct cage cage = CAGE_INIT_WORKER;
 *     cage.uid = cage.gid = 65534; cage.calls = calls; cage.call_count = ARRAY_SIZE(calls); …
 *     r = confine(&cage, &report, e);
 *
 * Call it in the worker itself, before the first byte is read and before the first thread is started (Landlock and the credentials
 * are a thread's own). Nothing is executed afterwards: no_new_privs, no capability in the bounding set but those kept.
 *
 * No libseccomp, no libcap: the filter is a few instructions, and workers should link little. Not for containers: their filter
 * comes from kernel/seccomp_filter.h. */
#pragma once

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "base/error.h"
#include "kernel/landlock.h"

struct cage_limit {
    int resource; /* RLIMIT_… */
    rlim_t value; /* becomes both the soft and the hard limit; lowered to the present hard limit where that is lower */
};

/* A system call that stays allowed: always (mask 0), or only when (low 32 bits of argument `arg`) & mask == value. The low word is
 * what the kernel reads of a 32-bit argument; the rest is the caller's noise. */
struct cage_call {
    int nr;
    uint8_t arg; /* 0 to 5 */
    uint32_t mask;
    uint32_t value;
};
#define CAGE_CALL(name)                                                                                                            \
    { .nr = SYS_##name }
#define CAGE_CALL_IF(name, arg_, mask_, value_)                                                                                    \
    { .nr = SYS_##name, .arg = (arg_), .mask = (mask_), .value = (value_) }
#define CAGE_CALLS_MAX 192

enum cage_violation {
    CAGE_KILL, /* a call that is not in the table ends the process by SIGSYS: the parent sees it, and cannot be fooled */
    CAGE_EPERM,
    CAGE_ENOSYS, /* for libraries that fall back to an older call */
};

struct cage {
    uid_t uid; /* (uid_t)-1: stay what we are (rootless: the user's own mapping) */
    gid_t gid; /* (gid_t)-1: likewise. With a gid the supplementary groups are dropped, too */

    uint64_t caps; /* capabilities to keep, bit n = capability n (CAGE_CAP); 0 = none */

    const int *fds; /* descriptors to keep open, besides 0, 1 and 2 and root_fd and the trees' until they are used; any order */
    size_t fd_count;

    int root_fd; /* becomes the root directory (needs CAP_SYS_CHROOT before); -1 = none. Closed unless listed in fds */

    const struct cage_limit *limits; /* RLIMIT_CORE is always 0 */
    size_t limit_count;

    bool landlock; /* deny the whole file system but `trees` */
    const struct landlock_tree *trees;
    size_t tree_count;
    enum landlock_network network;

    const struct cage_call *calls; /* NULL = no filter. exit_group, exit, rt_sigreturn and restart_syscall are always allowed */
    size_t call_count;
    enum cage_violation violation;

    int parent_death_signal; /* 0 = none; SIGKILL: a worker does not outlive who started it */
};
#define CAGE_INIT                                                                                                                  \
    { .uid = (uid_t)-1, .gid = (gid_t)-1, .root_fd = -1 }
/* A worker's: no file, no network, dead with its parent; what it needs is added. */
#define CAGE_INIT_WORKER                                                                                                           \
    {                                                                                                                              \
        .uid = (uid_t)-1, .gid = (gid_t)-1, .root_fd = -1, .landlock = true, .network = LANDLOCK_NETWORK_NONE,                     \
        .violation = CAGE_KILL, .parent_death_signal = SIGKILL                                                                     \
    }
#define CAGE_CAP(n) (UINT64_C(1) << (n)) /* CAGE_CAP(CAP_CHOWN), from <linux/capability.h> */

/* What was in force when confine() returned; for --explain and the tests. */
struct cage_report {
    int landlock_abi; /* 0 = the kernel has no Landlock that suits; the other walls stand nevertheless */
};

/* Enters the cage. 0, or a negative errno: then the process is half confined and must end. ret_report may be NULL. */
int confine(const struct cage *cage, struct cage_report *ret_report, struct error *e);

/* The parts, for those that need only one. */

/* Closes every descriptor from 3 on but the `n` listed (any order). */
int confine_close_others(const int *keep, size_t n, struct error *e);
/* Loads an allow-list as the calling thread's filter; needs no_new_privs or CAP_SYS_ADMIN. Calls of a foreign ABI kill the process.
 */
int confine_filter(const struct cage_call *calls, size_t n, enum cage_violation violation, struct error *e);

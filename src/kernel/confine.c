#include "kernel/confine.h"

#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "kernel/capability.h"
#include "kernel/sys.h"

#if defined(__x86_64__)
#define ARCH_NATIVE AUDIT_ARCH_X86_64
#define FOREIGN_BIT 0x40000000U /* the x32 ABI hides behind the same architecture number */
#elif defined(__aarch64__)
#define ARCH_NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH_NATIVE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH_NATIVE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define ARCH_NATIVE AUDIT_ARCH_S390X
#else
#error "say which AUDIT_ARCH_ this machine is"
#endif

#define LOW_WORD (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4U : 0U)

#define FDS_MAX 64

/* Without these no process can end or return from a signal handler. */
static const struct cage_call always[] = {
    CAGE_CALL(exit_group),
    CAGE_CALL(exit),
    CAGE_CALL(rt_sigreturn),
    CAGE_CALL(restart_syscall),
};

#define PER_CALL 7 /* instructions at most for one entry */
#define FRAME    8 /* … and for what surrounds them */

struct program {
    struct sock_filter code[FRAME + PER_CALL * (CAGE_CALLS_MAX + ARRAY_SIZE(always))];
    unsigned short n;
};

static void emit(struct program *p, unsigned op, uint32_t k, unsigned jump_true, unsigned jump_false) {
    p->code[p->n++] = (struct sock_filter){.code = (uint16_t)op, .jt = (uint8_t)jump_true, .jf = (uint8_t)jump_false, .k = k};
}

/* A plain list: the kernel runs it once per call number when it is loaded and keeps in a bitmap what is allowed whatever the
 * arguments (5.11), so its length costs nothing later. */
static void emit_call(struct program *p, const struct cage_call *c) {
    if (c->mask == 0) {
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, 1);
        emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
        return;
    }
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, 5);
    emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args) + 8U * c->arg + LOW_WORD, 0, 0);
    emit(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, c->value, 0, 1);
    emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
}

static uint32_t verdict(enum cage_violation v) {
    switch (v) {
    case CAGE_EPERM: return SECCOMP_RET_ERRNO | EPERM;
    case CAGE_ENOSYS: return SECCOMP_RET_ERRNO | ENOSYS;
    case CAGE_KILL: break;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

int confine_filter(const struct cage_call *calls, size_t n, enum cage_violation violation, struct error *e) {
    struct program p = {.n = 0};
    struct sock_fprog prog;

    if (n > CAGE_CALLS_MAX)
        return error_set(e, -E2BIG, "a worker's list of system calls is longer than %d", CAGE_CALLS_MAX);
    emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, ARCH_NATIVE, 1, 0);
    emit(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
#ifdef FOREIGN_BIT
    emit(&p, BPF_JMP | BPF_JSET | BPF_K, FOREIGN_BIT, 0, 1);
    emit(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
#endif
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        emit_call(&p, &always[i]);
    for (size_t i = 0; i < n; i++)
        emit_call(&p, &calls[i]);
    emit(&p, BPF_RET | BPF_K, verdict(violation), 0, 0);

    prog = (struct sock_fprog){.len = p.n, .filter = p.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
        return error_errno(e, -errno, "load the filter of system calls");
    return 0;
}

static int compare_ints(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

int confine_close_others(const int *keep, size_t n, struct error *e) {
    int sorted[FDS_MAX];
    unsigned next = 3;

    if (n > FDS_MAX)
        return error_set(e, -E2BIG, "a worker keeps more than %d descriptors", FDS_MAX);
    for (size_t i = 0; i < n; i++)
        sorted[i] = keep[i];
    qsort(sorted, n, sizeof(*sorted), compare_ints);
    for (size_t i = 0; i <= n; i++) {
        unsigned end = i < n ? (unsigned)MAX_OF(sorted[i], 0) : ~0U; /* the gap [next, end) is closed */

        if (i < n && sorted[i] < (int)next)
            continue;
        if (end > next && syscall(SYS_close_range, next, i < n ? end - 1 : ~0U, 0) < 0)
            return error_errno(e, -errno, "close the descriptors that a worker does not need");
        next = end + 1;
    }
    return 0;
}

/* The listed descriptors stay; the root's and the trees' stay until they have been used. */
static int close_unneeded(const struct cage *c, bool with_trees, struct error *e) {
    int keep[FDS_MAX];
    size_t n = 0;

    if (c->fd_count + c->tree_count + 1 > FDS_MAX)
        return error_set(e, -E2BIG, "a worker keeps more than %d descriptors", FDS_MAX);
    for (size_t i = 0; i < c->fd_count; i++)
        keep[n++] = c->fds[i];
    for (size_t i = 0; with_trees && i < c->tree_count; i++)
        keep[n++] = c->trees[i].fd;
    if (with_trees && c->root_fd >= 0)
        keep[n++] = c->root_fd;
    return confine_close_others(keep, n, e);
}

static int set_limit(int resource, rlim_t value, struct error *e) {
    struct rlimit64 limit;
    int r = sys_prlimit64(0, resource, NULL, &limit);

    if (r < 0)
        return error_errno(e, r, "read resource limit %d", resource);
    limit.rlim_cur = limit.rlim_max = MIN_OF(value, limit.rlim_max);
    r = sys_prlimit64(0, resource, &limit, NULL);
    return r < 0 ? error_errno(e, r, "set resource limit %d", resource) : 0;
}

static int set_limits(const struct cage *c, struct error *e) {
    int r = set_limit(RLIMIT_CORE, 0, e);

    for (size_t i = 0; r == 0 && i < c->limit_count; i++)
        r = set_limit(c->limits[i].resource, c->limits[i].value, e);
    return r;
}

static int change_root(int fd, struct error *e) {
    if (fchdir(fd) < 0 || chroot(".") < 0)
        return error_errno(e, -errno, "make the worker's directory its root");
    return 0;
}

/* Bounding set first (needs CAP_SETPCAP), groups before the user (need CAP_SETGID), the user before the final sets (the change of
 * user empties the effective one). */
static int change_credentials(const struct cage *c, struct error *e) {
    struct capability_sets sets = {.permitted = c->caps, .effective = c->caps};
    struct capability_sets now;
    int r = capability_get(&now, e);

    if (r < 0)
        return r;
    if (now.effective & CAPABILITY_BIT(CAP_SETPCAP))
        r = capability_bound(c->caps, e);
    if (r == 0 && c->uid != (uid_t)-1)
        r = capability_keep(e);
    if (r < 0)
        return r;
    if (c->gid != (gid_t)-1 && (setgroups(0, NULL) < 0 || setresgid(c->gid, c->gid, c->gid) < 0))
        return error_errno(e, -errno, "become group %u", c->gid);
    if (c->uid != (uid_t)-1 && setresuid(c->uid, c->uid, c->uid) < 0)
        return error_errno(e, -errno, "become user %u", c->uid);
    return capability_apply(&sets, e);
}

int confine(const struct cage *c, struct cage_report *ret_report, struct error *e) {
    struct cage_report report = {0};
    int r;

    r = close_unneeded(c, true, e);
    if (r == 0)
        r = set_limits(c, e);
    if (r == 0 && c->landlock) { /* before the chroot: the trees are given by descriptor, but the rules want no_new_privs only */
        r = landlock_enter(c->trees, c->tree_count, c->network, e);
        report.landlock_abi = r;
    }
    if (r >= 0 && c->root_fd >= 0)
        r = change_root(c->root_fd, e);
    if (r >= 0)
        r = change_credentials(c, e);
    if (r >= 0)
        r = close_unneeded(c, false, e);
    if (r < 0)
        return error_wrap(e, r, "confine a worker");

    /* After the change of user, which resets both. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        (c->parent_death_signal && prctl(PR_SET_PDEATHSIG, c->parent_death_signal, 0, 0, 0) < 0) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, -errno, "confine a worker: set its process flags");
    if (c->calls)
        r = confine_filter(c->calls, c->call_count, c->violation, e);
    if (r < 0)
        return error_wrap(e, r, "confine a worker");
    if (ret_report)
        *ret_report = report;
    return 0;
}

#include "kernel/seccomp_calls.h"

#include <linux/audit.h>
#include <seccomp.h>
#include <string.h>

static const struct seccomp_machine arches[] = {
    {"SCMP_ARCH_X86_64", "amd64", AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, 0, false},
    {"SCMP_ARCH_X86", "386", AUDIT_ARCH_I386, SCMP_ARCH_X86, 0, true},
    {"SCMP_ARCH_X32", "x32", AUDIT_ARCH_X86_64, SCMP_ARCH_X32, 0x40000000, false},
    {"SCMP_ARCH_AARCH64", "arm64", AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64, 0, false},
    {"SCMP_ARCH_ARM", "arm", AUDIT_ARCH_ARM, SCMP_ARCH_ARM, 0, false},
    {"SCMP_ARCH_RISCV64", "riscv64", AUDIT_ARCH_RISCV64, SCMP_ARCH_RISCV64, 0, false},
    {"SCMP_ARCH_PPC64LE", "ppc64le", AUDIT_ARCH_PPC64LE, SCMP_ARCH_PPC64LE, 0, true},
    {"SCMP_ARCH_S390X", "s390x", AUDIT_ARCH_S390X, SCMP_ARCH_S390X, 0, true},
};

/* Calls younger than the libseccomp of the oldest supported distribution. Numbers from 424 on are the same on every machine. */
static const struct {
    const char *name;
    int number;
    bool x86_64_only;
} young[] = {
    {"uretprobe", 335, true},
    {"uprobe", 336, true},
    {"set_mempolicy_home_node", 450, false},
    {"cachestat", 451, false},
    {"fchmodat2", 452, false},
    {"map_shadow_stack", 453, false},
    {"futex_wake", 454, false},
    {"futex_wait", 455, false},
    {"futex_requeue", 456, false},
    {"statmount", 457, false},
    {"listmount", 458, false},
    {"lsm_get_self_attr", 459, false},
    {"lsm_set_self_attr", 460, false},
    {"lsm_list_modules", 461, false},
    {"mseal", 462, false},
    {"setxattrat", 463, false},
    {"getxattrat", 464, false},
    {"listxattrat", 465, false},
    {"removexattrat", 466, false},
    {"open_tree_attr", 467, false},
    {"file_getattr", 468, false},
    {"file_setattr", 469, false},
};
#define CALL_END 600 /* no machine reaches this yet (x32 ends at 547) */

/* Arguments that the kernel declares as int, unsigned int, pid_t, uid_t, fd (32 bits) or umode_t (16 bits), by the declarations
 * SYSCALL_DEFINE of the kernel's source; also flags that it cuts down itself (clone, whose upper half it drops). One character an
 * argument: i 32 bits, h 16 bits, l 64 bits. What is not listed is compared whole. */
static const struct {
    const char *name, *widths;
} widths[] = {
    {"accept", "ill"},
    {"accept4", "illi"},
    {"add_key", "lllli"},
    {"access", "li"},
    {"bind", "ili"},
    {"bpf", "ili"},
    {"chmod", "lh"},
    {"chown", "lii"},
    {"clock_adjtime", "il"},
    {"clock_gettime", "il"},
    {"clock_nanosleep", "iill"},
    {"clock_settime", "il"},
    {"clone", "illll"},
    {"close", "i"},
    {"close_range", "iii"},
    {"connect", "ili"},
    {"creat", "lh"},
    {"dup", "i"},
    {"dup2", "ii"},
    {"dup3", "iii"},
    {"epoll_create1", "i"},
    {"epoll_ctl", "iiil"},
    {"eventfd2", "ii"},
    {"execveat", "illli"},
    {"faccessat", "ili"},
    {"faccessat2", "ilii"},
    {"fallocate", "iill"},
    {"fanotify_init", "ii"},
    {"fanotify_mark", "iilil"},
    {"fchmod", "ih"},
    {"fchmodat", "ilh"},
    {"fchmodat2", "ilhi"},
    {"fchown", "iii"},
    {"fchownat", "iliii"},
    {"fcntl", "iil"},
    {"finit_module", "ili"},
    {"flock", "ii"},
    {"fsconfig", "iilli"},
    {"fsmount", "iii"},
    {"fsopen", "li"},
    {"futex", "liilli"},
    {"getpriority", "ii"},
    {"getrandom", "lli"},
    {"getsockopt", "iiill"},
    {"inotify_add_watch", "ili"},
    {"inotify_init1", "i"},
    {"io_uring_enter", "iiiill"},
    {"io_uring_register", "iili"},
    {"io_uring_setup", "il"},
    {"ioctl", "iil"},
    {"ioprio_get", "ii"},
    {"ioprio_set", "iii"},
    {"kcmp", "iiill"},
    {"keyctl", "illll"},
    {"kill", "ii"},
    {"lchown", "lii"},
    {"linkat", "ilili"},
    {"listen", "ii"},
    {"lseek", "ili"},
    {"madvise", "lli"},
    {"membarrier", "iii"},
    {"memfd_create", "li"},
    {"memfd_secret", "i"},
    {"mkdir", "lh"},
    {"mkdirat", "ilh"},
    {"mknod", "lhi"},
    {"mknodat", "ilhi"},
    {"mlock2", "lli"},
    {"mlockall", "i"},
    {"mount_setattr", "ilill"},
    {"move_mount", "ilili"},
    {"mq_open", "lihl"},
    {"msgctl", "iil"},
    {"msgget", "ii"},
    {"name_to_handle_at", "illli"},
    {"newfstatat", "illi"},
    {"open", "lih"},
    {"open_by_handle_at", "ili"},
    {"open_tree", "ili"},
    {"openat", "ilih"},
    {"openat2", "illl"},
    {"perf_event_open", "liiil"},
    {"personality", "i"},
    {"pidfd_getfd", "iii"},
    {"pidfd_open", "ii"},
    {"pidfd_send_signal", "iili"},
    {"pipe2", "li"},
    {"pkey_alloc", "ll"},
    {"prctl", "illll"},
    {"preadv2", "illlli"},
    {"prlimit64", "iill"},
    {"process_madvise", "illli"},
    {"pwritev2", "illlli"},
    {"quotactl", "ilil"},
    {"readlinkat", "illi"},
    {"reboot", "iiil"},
    {"recvfrom", "illill"},
    {"recvmsg", "ili"},
    {"renameat2", "ilili"},
    {"request_key", "llli"},
    {"rt_sigaction", "illl"},
    {"sched_setattr", "ili"},
    {"sched_setscheduler", "iil"},
    {"seccomp", "iil"},
    {"semctl", "iiil"},
    {"semget", "iii"},
    {"sendmsg", "ili"},
    {"sendto", "illili"},
    {"setfsgid", "i"},
    {"setfsuid", "i"},
    {"setgid", "i"},
    {"setgroups", "il"},
    {"setns", "ii"},
    {"setpgid", "ii"},
    {"setpriority", "iii"},
    {"setregid", "ii"},
    {"setresgid", "iii"},
    {"setresuid", "iii"},
    {"setreuid", "ii"},
    {"setrlimit", "il"},
    {"setsockopt", "iiili"},
    {"setuid", "i"},
    {"shmat", "ili"},
    {"shmctl", "iil"},
    {"shmget", "ili"},
    {"shutdown", "ii"},
    {"signalfd4", "illi"},
    {"socket", "iii"},
    {"socketpair", "iiil"},
    {"splice", "ililli"},
    {"statx", "iliil"},
    {"swapon", "li"},
    {"symlinkat", "lil"},
    {"sync_file_range", "illi"},
    {"syslog", "ili"},
    {"tee", "iili"},
    {"tgkill", "iii"},
    {"timerfd_create", "ii"},
    {"timerfd_settime", "iill"},
    {"tkill", "ii"},
    {"umask", "i"},
    {"umount2", "li"},
    {"unlinkat", "ili"},
    {"userfaultfd", "i"},
    {"vmsplice", "illi"},
    {"wait4", "ilil"},
    {"waitid", "iilil"},
};

const struct seccomp_machine *seccomp_machine_find(const char *scmp) {
    for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
        if (strcmp(arches[i].scmp, scmp) == 0)
            return &arches[i];
    return NULL;
}

const struct seccomp_machine *seccomp_machine_native(void) {
    for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
        if (arches[i].token == seccomp_arch_native())
            return &arches[i];
    return NULL;
}

static bool fits(const struct seccomp_machine *arch, size_t i) {
    return !young[i].x86_64_only || arch->token == SCMP_ARCH_X86_64;
}

static bool number_is(const struct seccomp_machine *arch, int number, const char *name) {
    char *found = seccomp_syscall_resolve_num_arch(arch->token, (int)((uint32_t)number | arch->number_or));
    bool same = found && strcmp(found, name) == 0;

    free(found);
    return same;
}

/* Where socket(2) and its kin can be called both directly and through socketcall(2), libseccomp's name stands for the pair. */
static int direct_number(const struct seccomp_machine *arch, const char *name) {
    int number = CALL_END;

    while (--number >= 0 && !number_is(arch, number, name))
        ;
    return number;
}

int seccomp_call_number(const struct seccomp_machine *arch, const char *name) {
    int n = seccomp_syscall_resolve_name_arch(arch->token, name);

    if (n >= 0)
        return (int)((uint32_t)n & ~arch->number_or);
    if (n != __NR_SCMP_ERROR)
        return arch->multiplexed ? direct_number(arch, name) : -1;
    for (size_t i = 0; i < ARRAY_SIZE(young); i++)
        if (fits(arch, i) && strcmp(young[i].name, name) == 0)
            return young[i].number;
    return -1;
}

bool seccomp_call_is_known(const struct seccomp_machine *arch, int number) {
    char *name = seccomp_syscall_resolve_num_arch(arch->token, (int)((uint32_t)number | arch->number_or));

    free(name);
    if (name)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(young); i++)
        if (fits(arch, i) && young[i].number == number)
            return true;
    return false;
}

int seccomp_call_end(const struct seccomp_machine *arch) {
    int end = CALL_END;

    while (end > 0 && !seccomp_call_is_known(arch, end - 1))
        end--;
    return end;
}

unsigned seccomp_call_width(const char *name, unsigned arg) {
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++)
        if (strcmp(widths[i].name, name) == 0)
            return arg >= strlen(widths[i].widths) ? 64
                   : widths[i].widths[arg] == 'i'  ? 32
                   : widths[i].widths[arg] == 'h'  ? 16
                                                   : 64;
    return 64;
}

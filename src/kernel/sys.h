/* System calls, called through one layer that can be watched: `--explain` prints what really happened, since the same table that
 * makes the calls describes them. Everything that sets a container up goes through here (a test compares the output with strace).
 *
 * Each function returns the call's result, or a negative errno: never -1 with errno. None allocates or retries. With nobody
 * watching, a call costs one predictable branch more than the bare one. Sources: section 2 of the manual. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

#include "base/buf.h"

struct clone_args;
struct iovec;
struct mount_attr;
struct open_how;
struct rlimit64;

/* Name and arguments of every call, with the kind of each argument (see sys_call.c): one line makes it known to the tracer. */
#define SYS_CALLS(X)                                                                                                               \
    X(bpf, I, P, U, _, _, _)                                                                                                       \
    X(capget, P, P, _, _, _, _)                                                                                                    \
    X(capset, P, CAPS, _, _, _, _)                                                                                                 \
    X(chdir, S, _, _, _, _, _)                                                                                                     \
    X(chroot, S, _, _, _, _, _)                                                                                                    \
    X(clone, H, P, P, P, P, _)                                                                                                     \
    X(clone3, CLONE, U, _, _, _, _)                                                                                                \
    X(close, I, _, _, _, _, _)                                                                                                     \
    X(close_range, U, U, CLOSE_RANGE, _, _, _)                                                                                     \
    X(connect, I, SOCKADDR, U, _, _, _)                                                                                            \
    X(dup3, I, I, OPEN, _, _, _)                                                                                                   \
    X(execve, S, ARGV, ENVP, _, _, _)                                                                                              \
    X(execveat, D, S, ARGV, ENVP, AT, _)                                                                                           \
    X(faccessat2, D, S, O, AT, _, _)                                                                                               \
    X(fchdir, I, _, _, _, _, _)                                                                                                    \
    X(fchmod, I, O, _, _, _, _)                                                                                                    \
    X(fchmodat, D, S, O, _, _, _)                                                                                                  \
    X(fchown, I, I, I, _, _, _)                                                                                                    \
    X(fchownat, D, S, I, I, AT, _)                                                                                                 \
    X(fcntl, I, I, H, _, _, _)                                                                                                     \
    X(flistxattr, I, P, U, _, _, _)                                                                                                \
    X(fgetxattr, I, S, P, U, _, _)                                                                                                 \
    X(fsetxattr, I, S, P, U, I, _)                                                                                                 \
    X(fsconfig, I, FSCONFIG, S, SP, I, _)                                                                                          \
    X(fsmount, I, H, ATTR, _, _, _)                                                                                                \
    X(fsopen, S, H, _, _, _, _)                                                                                                    \
    X(fspick, D, S, H, _, _, _)                                                                                                    \
    X(fstatfs, I, P, _, _, _, _)                                                                                                   \
    X(getcwd, P, U, _, _, _, _)                                                                                                    \
    X(getdents64, I, P, U, _, _, _)                                                                                                \
    X(ioctl, I, IOCTL, P, _, _, _)                                                                                                 \
    X(ioprio_set, I, I, H, _, _, _)                                                                                                \
    X(keyctl, I, P, P, P, P, _)                                                                                                    \
    X(kill, I, I, _, _, _, _)                                                                                                      \
    X(landlock_create_ruleset, P, U, H, _, _, _)                                                                                   \
    X(landlock_restrict_self, I, H, _, _, _, _)                                                                                    \
    X(linkat, D, S, D, S, AT, _)                                                                                                   \
    X(mkdirat, D, S, O, _, _, _)                                                                                                   \
    X(mknodat, D, S, MODE, DEV, _, _)                                                                                              \
    X(mount, S, S, S, H, SP, _)                                                                                                    \
    X(mount_setattr, D, S, AT, MOUNT_ATTR, U, _)                                                                                   \
    X(move_mount, D, S, D, S, MOVE, _)                                                                                             \
    X(newfstatat, D, S, P, AT, _, _)                                                                                               \
    X(open_tree, D, S, TREE, _, _, _)                                                                                              \
    X(openat, D, S, OPEN, O, _, _)                                                                                                 \
    X(openat2, D, S, HOW, U, _, _)                                                                                                 \
    X(personality, H, _, _, _, _, _)                                                                                               \
    X(pidfd_getfd, I, I, U, _, _, _)                                                                                               \
    X(pidfd_open, I, U, _, _, _, _)                                                                                                \
    X(pidfd_send_signal, I, I, P, U, _, _)                                                                                         \
    X(pipe2, P, OPEN, _, _, _, _)                                                                                                  \
    X(pivot_root, S, S, _, _, _, _)                                                                                                \
    X(prctl, PRCTL, H, H, H, H, _)                                                                                                 \
    X(prlimit64, I, RLIMIT, RLIM, P, _, _)                                                                                         \
    X(read, I, P, U, _, _, _)                                                                                                      \
    X(readlinkat, D, S, P, U, _, _)                                                                                                \
    X(recvfrom, I, P, U, H, P, P)                                                                                                  \
    X(recvmsg, I, P, H, _, _, _)                                                                                                   \
    X(sched_setaffinity, I, U, P, _, _, _)                                                                                         \
    X(sched_setattr, I, P, U, _, _, _)                                                                                             \
    X(seccomp, SECCOMP, H, P, _, _, _)                                                                                             \
    X(sendmsg, I, P, H, _, _, _)                                                                                                   \
    X(sendto, I, P, U, H, SOCKADDR, U)                                                                                             \
    X(set_mempolicy, H, P, U, _, _, _)                                                                                             \
    X(setdomainname, S, U, _, _, _, _)                                                                                             \
    X(setgroups, U, P, _, _, _, _)                                                                                                 \
    X(sethostname, S, U, _, _, _, _)                                                                                               \
    X(setns, I, CLONE_FLAGS, _, _, _, _)                                                                                           \
    X(setresgid, I, I, I, _, _, _)                                                                                                 \
    X(setresuid, I, I, I, _, _, _)                                                                                                 \
    X(setsid, _, _, _, _, _, _)                                                                                                    \
    X(setsockopt, I, I, I, P, U, _)                                                                                                \
    X(socket, I, H, I, _, _, _)                                                                                                    \
    X(socketpair, I, H, I, P, _, _)                                                                                                \
    X(symlinkat, S, D, S, _, _, _)                                                                                                 \
    X(umask, O, _, _, _, _, _)                                                                                                     \
    X(umount2, S, H, _, _, _, _)                                                                                                   \
    X(unlinkat, D, S, AT, _, _, _)                                                                                                 \
    X(unshare, CLONE_FLAGS, _, _, _, _, _)                                                                                         \
    X(wait4, I, P, H, P, _, _)                                                                                                     \
    X(write, I, DATA, U, _, _, _)

#define SYS_ENUM(name, ...) SYS_CALL_##name,
enum sys_call { SYS_CALLS(SYS_ENUM) SYS_CALL_COUNT };

/* What the watcher gets: a call that has just returned; execve(2) before it is made (`before` set), and once more if it fails. */
struct sys_event {
    enum sys_call call;
    long arg[6];
    long result; /* or negative errno */
    int64_t ns;  /* it took */
    bool before;
};
typedef void sys_watch_fn(const struct sys_event *event, void *arg);

/* Has every further call of this process (and of those it clones) reported to fn; NULL ends it. */
void sys_watch(sys_watch_fn *fn, void *arg);
bool sys_watched(void);
/* Appends `name(arguments) = result` in strace's manner. */
void sys_event_format(const struct sys_event *event, struct buf *out);
const char *sys_call_name(enum sys_call call);

long sys_call_make(enum sys_call call, long a, long b, long c, long d, long e, long f);

#define SYS_PICK(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define SYS_ARGS_0(c)                                   sys_call_make(c, 0, 0, 0, 0, 0, 0)
#define SYS_ARGS_1(c, a)                                sys_call_make(c, (long)(a), 0, 0, 0, 0, 0)
#define SYS_ARGS_2(c, a, b)                             sys_call_make(c, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_ARGS_3(c, a, b, d)                          sys_call_make(c, (long)(a), (long)(b), (long)(d), 0, 0, 0)
#define SYS_ARGS_4(c, a, b, d, e)                       sys_call_make(c, (long)(a), (long)(b), (long)(d), (long)(e), 0, 0)
#define SYS_ARGS_5(c, a, b, d, e, f)                    sys_call_make(c, (long)(a), (long)(b), (long)(d), (long)(e), (long)(f), 0)
#define SYS_ARGS_6(c, a, b, d, e, f, g)                 sys_call_make(c, (long)(a), (long)(b), (long)(d), (long)(e), (long)(f), (long)(g))
#define SYS_MAKE(...)                                                                                                              \
    SYS_PICK(__VA_ARGS__, SYS_ARGS_6, SYS_ARGS_5, SYS_ARGS_4, SYS_ARGS_3, SYS_ARGS_2, SYS_ARGS_1, SYS_ARGS_0)(__VA_ARGS__)

/* sys_NAME(parameters) with their types, from the table's entry NAME. */
#define SYS_FUNCTION(type, name, parameters, ...)                                                                                  \
    static inline type sys_##name parameters {                                                                                     \
        return (type)SYS_MAKE(SYS_CALL_##name, ##__VA_ARGS__);                                                                     \
    }

/* Descriptors and files. */
SYS_FUNCTION(int, openat, (int dirfd, const char *path, int flags, mode_t mode), dirfd, path, flags, mode)
SYS_FUNCTION(int, openat2, (int dirfd, const char *path, const struct open_how *how, size_t size), dirfd, path, how, size)
SYS_FUNCTION(int, close, (int fd), fd)
SYS_FUNCTION(int, close_range, (unsigned first, unsigned last, unsigned flags), first, last, flags)
SYS_FUNCTION(int, dup3, (int from, int to, int flags), from, to, flags)
SYS_FUNCTION(int, fcntl, (int fd, int command, long arg), fd, command, arg)
SYS_FUNCTION(int, ioctl, (int fd, unsigned long request, const void *arg), fd, request, arg)
SYS_FUNCTION(int, pipe2, (int *pair, int flags), pair, flags)
SYS_FUNCTION(ssize_t, read, (int fd, void *p, size_t n), fd, p, n)
SYS_FUNCTION(ssize_t, write, (int fd, const void *p, size_t n), fd, p, n)
SYS_FUNCTION(int, newfstatat, (int dirfd, const char *path, struct stat *st, int flags), dirfd, path, st, flags)
SYS_FUNCTION(int, fstatfs, (int fd, struct statfs *st), fd, st)
SYS_FUNCTION(ssize_t, readlinkat, (int dirfd, const char *path, char *text, size_t n), dirfd, path, text, n)
SYS_FUNCTION(ssize_t, getdents64, (int fd, void *p, size_t n), fd, p, n)
SYS_FUNCTION(int, faccessat2, (int dirfd, const char *path, int mode, int flags), dirfd, path, mode, flags)
SYS_FUNCTION(int, mkdirat, (int dirfd, const char *path, mode_t mode), dirfd, path, mode)
SYS_FUNCTION(int, mknodat, (int dirfd, const char *path, mode_t mode, unsigned dev), dirfd, path, mode, dev)
SYS_FUNCTION(int, symlinkat, (const char *text, int dirfd, const char *path), text, dirfd, path)
SYS_FUNCTION(int, linkat, (int fromfd, const char *from, int tofd, const char *to, int flags), fromfd, from, tofd, to, flags)
SYS_FUNCTION(int, unlinkat, (int dirfd, const char *path, int flags), dirfd, path, flags)
SYS_FUNCTION(int, fchmod, (int fd, mode_t mode), fd, mode)
SYS_FUNCTION(int, fchmodat, (int dirfd, const char *path, mode_t mode), dirfd, path, mode)
SYS_FUNCTION(int, fchown, (int fd, uid_t uid, gid_t gid), fd, uid, gid)
SYS_FUNCTION(int, fchownat, (int dirfd, const char *path, uid_t uid, gid_t gid, int flags), dirfd, path, uid, gid, flags)
SYS_FUNCTION(ssize_t, flistxattr, (int fd, char *names, size_t n), fd, names, n)
SYS_FUNCTION(ssize_t, fgetxattr, (int fd, const char *name, void *p, size_t n), fd, name, p, n)
SYS_FUNCTION(int, fsetxattr, (int fd, const char *name, const void *p, size_t n, int flags), fd, name, p, n, flags)

static inline int sys_fstat(int fd, struct stat *st) {
    return sys_newfstatat(fd, "", st, AT_EMPTY_PATH);
}

/* Mounts. */
SYS_FUNCTION(int, fsopen, (const char *type, unsigned flags), type, flags)
SYS_FUNCTION(int, fspick, (int dirfd, const char *path, unsigned flags), dirfd, path, flags)
SYS_FUNCTION(int, fsconfig, (int fd, unsigned command, const char *key, const void *value, int aux), fd, command, key, value, aux)
SYS_FUNCTION(int, fsmount, (int fd, unsigned flags, unsigned attr), fd, flags, attr)
SYS_FUNCTION(int, open_tree, (int dirfd, const char *path, unsigned flags), dirfd, path, flags)
SYS_FUNCTION(int, move_mount, (int fromfd, const char *from, int tofd, const char *to, unsigned flags), fromfd, from, tofd, to,
             flags)
SYS_FUNCTION(int, mount_setattr, (int dirfd, const char *path, unsigned flags, struct mount_attr *attr, size_t size), dirfd, path,
             flags, attr, size)
SYS_FUNCTION(int, mount, (const char *source, const char *target, const char *type, unsigned long flags, const void *data), source,
             target, type, flags, data)
SYS_FUNCTION(int, umount2, (const char *path, int flags), path, flags)
SYS_FUNCTION(int, pivot_root, (const char *new_root, const char *put_old), new_root, put_old)
SYS_FUNCTION(int, chdir, (const char *path), path)
SYS_FUNCTION(int, fchdir, (int fd), fd)
SYS_FUNCTION(int, chroot, (const char *path), path)
SYS_FUNCTION(ssize_t, getcwd, (char *text, size_t n), text, n)

/* Processes and namespaces. */
/* fork(2) as the kernel has it; where a seccomp filter already refuses clone3, whose flags it cannot read. */
static inline pid_t sys_fork(void) {
    return (pid_t)sys_call_make(SYS_CALL_clone, SIGCHLD, 0, 0, 0, 0, 0);
}
/* clone(2) with CLONE_PARENT_SETTID, and no stack of its own: the child's number is in *ret_pid before the call returns. */
static inline pid_t sys_clone_settid(unsigned long flags, volatile pid_t *ret_pid) {
#ifdef __s390x__
    return (pid_t)sys_call_make(SYS_CALL_clone, 0, (long)flags, (long)(uintptr_t)ret_pid, 0, 0, 0);
#else
    return (pid_t)sys_call_make(SYS_CALL_clone, (long)flags, 0, (long)(uintptr_t)ret_pid, 0, 0, 0);
#endif
}
SYS_FUNCTION(pid_t, clone3, (struct clone_args * args, size_t size), args, size)
SYS_FUNCTION(int, unshare, (int flags), flags)
SYS_FUNCTION(int, setns, (int fd, int flags), fd, flags)
SYS_FUNCTION(int, pidfd_open, (pid_t pid, unsigned flags), pid, flags)
SYS_FUNCTION(int, pidfd_send_signal, (int pidfd, int sig, siginfo_t *info, unsigned flags), pidfd, sig, info, flags)
SYS_FUNCTION(int, pidfd_getfd, (int pidfd, int fd, unsigned flags), pidfd, fd, flags)
SYS_FUNCTION(int, kill, (pid_t pid, int sig), pid, sig)
SYS_FUNCTION(pid_t, wait4, (pid_t pid, int *status, int options), pid, status, options, 0)
SYS_FUNCTION(int, execve, (const char *path, char *const *argv, char *const *envp), path, argv, envp)
SYS_FUNCTION(int, execveat, (int dirfd, const char *path, char *const *argv, char *const *envp, int flags), dirfd, path, argv, envp,
             flags)
SYS_FUNCTION(int, prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d), option, a, b, c, d)
SYS_FUNCTION(int, seccomp, (unsigned operation, unsigned flags, const void *arg), operation, flags, arg)
SYS_FUNCTION(int, bpf, (int command, void *attr, size_t size), command, attr, size)
SYS_FUNCTION(int, landlock_create_ruleset, (const void *rules, size_t size, unsigned flags), rules, size, flags)
SYS_FUNCTION(int, landlock_restrict_self, (int fd, unsigned flags), fd, flags)
SYS_FUNCTION(int, capget, (void *header, void *data), header, data)
SYS_FUNCTION(int, capset, (void *header, const void *data), header, data)
SYS_FUNCTION(int, setgroups, (size_t n, const gid_t *gids), n, gids)
SYS_FUNCTION(int, setresuid, (uid_t r, uid_t e, uid_t s), r, e, s)
SYS_FUNCTION(int, setresgid, (gid_t r, gid_t e, gid_t s), r, e, s)
SYS_FUNCTION(int, setsid, (void))
SYS_FUNCTION(int, prlimit64, (pid_t pid, int resource, const struct rlimit64 *set, struct rlimit64 *get), pid, resource, set, get)
SYS_FUNCTION(int, sethostname, (const char *name, size_t n), name, n)
SYS_FUNCTION(int, setdomainname, (const char *name, size_t n), name, n)
SYS_FUNCTION(int, keyctl, (int operation, const void *a, const void *b, const void *c, const void *d), operation, a, b, c, d)
SYS_FUNCTION(int, umask, (mode_t mask), mask)
SYS_FUNCTION(int, personality, (unsigned long domain), domain)
SYS_FUNCTION(int, sched_setattr, (pid_t pid, const void *attr, unsigned flags), pid, attr, flags)
SYS_FUNCTION(int, sched_setaffinity, (pid_t pid, size_t size, const void *mask), pid, size, mask)
SYS_FUNCTION(int, ioprio_set, (int which, int who, int priority), which, who, priority)
SYS_FUNCTION(int, set_mempolicy, (int mode, const unsigned long *mask, unsigned long bits), mode, mask, bits)

/* Sockets. */
SYS_FUNCTION(int, socket, (int domain, int type, int protocol), domain, type, protocol)
SYS_FUNCTION(int, socketpair, (int domain, int type, int protocol, int pair[2]), domain, type, protocol, pair)
SYS_FUNCTION(int, connect, (int fd, const void *address, socklen_t n), fd, address, n)
SYS_FUNCTION(int, setsockopt, (int fd, int level, int name, const void *p, socklen_t n), fd, level, name, p, n)
SYS_FUNCTION(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), fd, m, flags)
SYS_FUNCTION(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), fd, m, flags)
SYS_FUNCTION(ssize_t, sendto, (int fd, const void *p, size_t n, int flags, const void *to, socklen_t size), fd, p, n, flags, to,
             size)
SYS_FUNCTION(ssize_t, recvfrom, (int fd, void *p, size_t n, int flags, void *from, socklen_t *size), fd, p, n, flags, from, size)

#include "image/worker/fetch_cage.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "image/fetch_wire.h"
#include "kernel/confine.h"

#define NOBODY 65534

/* What libcurl, OpenSSL and glibc's resolver need, found with strace. clone only for the resolver's thread (clone3 answers ENOSYS,
 * so that glibc falls back to clone, whose flags a filter can see). No way to a new program, a file for writing, another process.
 */
static const struct cage_call calls[] = {
    CAGE_CALL(read),
    CAGE_CALL(readv),
    CAGE_CALL(write),
    CAGE_CALL(writev),
    CAGE_CALL(close),
    CAGE_CALL(lseek),
    CAGE_CALL(fstat),
    CAGE_CALL(newfstatat),
    CAGE_CALL_IF(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
    CAGE_CALL(getdents64),
    CAGE_CALL(pread64),
    CAGE_CALL(access),
    CAGE_CALL(fcntl),
    CAGE_CALL(ioctl),
    CAGE_CALL(poll),
    CAGE_CALL(ppoll),
    CAGE_CALL(select),
    CAGE_CALL(pselect6),
    CAGE_CALL(pipe2),
    CAGE_CALL(eventfd2),
    CAGE_CALL_IF(socket, 0, ~0U, AF_INET),
    CAGE_CALL_IF(socket, 0, ~0U, AF_INET6),
    CAGE_CALL(connect),
    CAGE_CALL(sendto),
    CAGE_CALL(sendmsg),
    CAGE_CALL(sendmmsg),
    CAGE_CALL(recvfrom),
    CAGE_CALL(recvmsg),
    CAGE_CALL(getsockname),
    CAGE_CALL(getpeername),
    CAGE_CALL(getsockopt),
    CAGE_CALL(setsockopt),
    CAGE_CALL(shutdown),
    CAGE_CALL_IF(socketpair, 0, ~0U, AF_UNIX), /* curl wakes its resolver's waiter with one */
    CAGE_CALL(mmap),
    CAGE_CALL(munmap),
    CAGE_CALL(mremap),
    CAGE_CALL(mprotect),
    CAGE_CALL(madvise),
    CAGE_CALL(brk),
    CAGE_CALL_IF(clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM),
    CAGE_CALL(set_robust_list),
    CAGE_CALL(rseq),
    CAGE_CALL(futex),
    CAGE_CALL(gettid),
    CAGE_CALL(getpid),
    CAGE_CALL(getuid),
    CAGE_CALL(geteuid),
    CAGE_CALL(getgid),
    CAGE_CALL(getegid),
    CAGE_CALL(rt_sigaction),
    CAGE_CALL(rt_sigprocmask),
    CAGE_CALL(sigaltstack),
    CAGE_CALL(clock_gettime),
    CAGE_CALL(clock_nanosleep),
    CAGE_CALL(gettimeofday),
    CAGE_CALL(time),
    CAGE_CALL(uname),
    CAGE_CALL(getrandom),
    CAGE_CALL(sched_yield),
    CAGE_CALL(sysinfo),
};

static const struct cage_limit limits[] = {
    {RLIMIT_NOFILE, 64},
    {RLIMIT_FSIZE, 0}, /* pipes are no files */
    {RLIMIT_AS, (rlim_t)2 << 30},
};

int fetch_cage_enter(struct error *e) {
    static const int keep[] = {FETCH_CONTROL_FD};
    _cleanup_fd_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct landlock_tree trees[] = {{.fd = root, .access = LANDLOCK_READ}};
    struct cage cage = CAGE_INIT_WORKER;

    if (root < 0)
        return error_errno(e, -errno, "open /");
    if (!geteuid()) { /* rootless, everything of ours belongs to the user anyway */
        cage.uid = NOBODY;
        cage.gid = NOBODY;
    }
    cage.fds = keep;
    cage.fd_count = ARRAY_SIZE(keep);
    cage.limits = limits;
    cage.limit_count = ARRAY_SIZE(limits);
    cage.trees = trees;
    cage.tree_count = ARRAY_SIZE(trees);
    cage.network = LANDLOCK_NETWORK_CONNECT;
    cage.calls = calls;
    cage.call_count = ARRAY_SIZE(calls);
    cage.violation = CAGE_ENOSYS;
    if (confine(&cage, NULL, e) < 0)
        return e ? e->code : -EPERM;
    (void)fd_take(&root); /* confine() closed it with all the others */
    return 0;
}

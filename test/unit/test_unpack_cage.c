/* Hostile code in the place of tare-unpack's two roles: in the very cages that the workers enter, what an attacker would try first.
 * A call that is not in the table kills the process, so every attempt gets a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/worker/worker.h"

#ifdef __SANITIZE_ADDRESS__ /* its runtime makes system calls that the cage does not know */
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static char base[] = "/tmp/tare-cage-XXXXXX"; /* layer/ is the worker's; secret and other/ are not */
static pid_t parent;

static bool try_read_shadow(void) {
    return open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0;
}
static bool try_read_outside(void) {
    return openat(WORKER_FD_TARGET, "../secret", O_RDONLY | O_CLOEXEC) >= 0;
}
/* "/.." is "/": these two may work inside; the parent looks whether anything came out. */
static bool try_write_outside(void) {
    (void)openat(WORKER_FD_TARGET, "../new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return false;
}
static bool try_link_out(void) {
    return linkat(WORKER_FD_TARGET, "../secret", WORKER_FD_TARGET, "got", 0) == 0;
}
static bool try_follow_link(void) {
    return symlinkat(base, WORKER_FD_TARGET, "s") == 0 && openat(WORKER_FD_TARGET, "s/secret", O_RDONLY | O_CLOEXEC) >= 0;
}
static bool try_rename(void) {
    (void)renameat(WORKER_FD_TARGET, "f", WORKER_FD_TARGET, "../stolen");
    return false;
}
static bool try_chroot_again(void) {
    return chroot(".") == 0 || fchdir(WORKER_FD_TARGET) == 0;
}
static bool try_connect(void) {
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}
static bool try_ptrace(void) {
    return ptrace(PTRACE_ATTACH, parent, NULL, NULL) == 0;
}
static bool try_kill(void) {
    return kill(parent, 0) == 0;
}
static bool try_setuid(void) {
    return setresuid(0, 0, 0) == 0;
}
static bool try_mount(void) {
    return mount("none", "/", "tmpfs", 0, NULL) == 0;
}
static bool try_unshare(void) {
    return unshare(CLONE_NEWUSER) == 0;
}
static bool try_fork(void) {
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) >= 0;
}
static bool try_execute(void) {
    return execl("/bin/true", "true", NULL) == 0 || execl("/f", "f", NULL) == 0;
}
static bool try_keyring(void) {
    return syscall(SYS_add_key, "user", "x", "y", 1, -3) >= 0;
}
static bool try_bpf(void) {
    return syscall(SYS_bpf, 0, NULL, 0) >= 0 || syscall(SYS_io_uring_setup, 1, NULL) >= 0;
}
static bool try_other_descriptors(void) {
    char byte;

    for (int fd = WORKER_FD_LAYERS; fd < 64; fd++) /* the descriptor of base was open when the worker was started */
        if (pread(fd, &byte, 0, 0) >= 0)
            return true;
    return false;
}
static bool try_own_device(void) {
    /* CAP_MKNOD is the worker's, for whiteouts: what it makes must not open the host's memory or disk. */
    return mknodat(WORKER_FD_TARGET, "mem", S_IFCHR | 0600, 0x101) == 0 &&
           openat(WORKER_FD_TARGET, "mem", O_RDONLY | O_CLOEXEC) >= 0;
}
static bool try_open_anything(void) {
    return open("/", O_RDONLY | O_CLOEXEC) >= 0 || open("f", O_RDONLY | O_CLOEXEC) >= 0;
}

struct attempt {
    const char *name;
    bool (*succeeds)(void);
};

static const struct attempt on_unpack[] = {
    {"read /etc/shadow", try_read_shadow},
    {"read beside the layer", try_read_outside},
    {"write beside the layer", try_write_outside},
    {"link something in", try_link_out},
    {"follow a link out", try_follow_link},
    {"rename out", try_rename},
    {"chroot again", try_chroot_again},
    {"connect", try_connect},
    {"ptrace", try_ptrace},
    {"signal", try_kill},
    {"setuid", try_setuid},
    {"mount", try_mount},
    {"unshare", try_unshare},
    {"fork", try_fork},
    {"execute", try_execute},
    {"keyring", try_keyring},
    {"bpf, io_uring", try_bpf},
    {"other descriptors", try_other_descriptors},
};
static const struct attempt on_inflate[] = {
    {"open anything", try_open_anything},
    {"write a file", try_write_outside},
    {"connect", try_connect},
    {"ptrace", try_ptrace},
    {"signal", try_kill},
    {"setuid", try_setuid},
    {"mount", try_mount},
    {"unshare", try_unshare},
    {"fork", try_fork},
    {"execute", try_execute},
    {"keyring", try_keyring},
    {"bpf, io_uring", try_bpf},
    {"make a device", try_own_device},
    {"other descriptors", try_other_descriptors},
};

/* In the child: the descriptors as the engine places them, the cage, then the attempt. 0: refused; 1: it worked; 2: no cage. */
_Noreturn static void attack(int (*cage)(const struct worker_request *, struct error *), const struct attempt *attempt, int layer,
                             int socket_fd) {
    const struct worker_request request = {.size = UINT64_MAX, .unpacked_max = 1 << 20, .flags = WORKER_NOBODY | WORKER_LAYER};
    _cleanup_error_ struct error e = ERROR_INIT;

    if (dup2(layer, 40) < 0 || dup2(socket_fd, 41) < 0 || dup2(41, WORKER_FD_SOCKET) < 0 || dup2(40, WORKER_FD_TARGET) < 0)
        _exit(2);
    if (cage(&request, &e) < 0) {
        fprintf(stderr, "# %s\n", e.text);
        _exit(2);
    }
    _exit(attempt->succeeds() ? 1 : 0);
}

static bool came_out(const char *name) {
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/%s", base, name);
    return access(path, F_OK) == 0;
}

static void run(int (*cage)(const struct worker_request *, struct error *), const struct attempt *attempts, size_t n) {
    char path[64];
    int layer, pair[2];

    if (geteuid() != 0)
        skip();
    (void)snprintf(path, sizeof(path), "%s/layer", base);
    layer = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(layer >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    for (size_t i = 0; i < n; i++) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
            attack(cage, &attempts[i], layer, pair[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS))
            fail_msg("%s: status %x", attempts[i].name, (unsigned)status);
        if (came_out("new") || came_out("stolen"))
            fail_msg("%s: it worked", attempts[i].name);
    }
    (void)close(layer);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void test_unpack(void **state) {
    run(unpack_confine, on_unpack, ARRAY_SIZE(on_unpack));
}

static void test_inflate(void **state) {
    run(inflate_confine, on_inflate, ARRAY_SIZE(on_inflate));
}

/* The other half: what the role needs still works inside. */
static bool works_write(void) {
    int fd = openat(WORKER_FD_TARGET, "ok", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    return fd >= 0 && fchown(fd, 5, 6) == 0 && fchmod(fd, 04755) == 0 && mknodat(WORKER_FD_TARGET, "wh", S_IFCHR, 0) == 0;
}

static void test_unpack_works(void **state) {
    static const struct attempt work = {"write", works_write};
    char path[64];
    int layer, status;
    pid_t pid;

    if (geteuid() != 0 || SANITIZED)
        skip();
    (void)snprintf(path, sizeof(path), "%s/layer", base);
    layer = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid = fork();
    if (pid == 0)
        attack(unpack_confine, &work, layer, layer);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    (void)close(layer);
}

static int set_up(void **state) {
    char path[64];
    int fd;

    parent = getpid();
    if (!mkdtemp(base))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/layer", base);
    if (mkdir(path, 0755) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/layer/f", base);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    (void)close(fd);
    (void)snprintf(path, sizeof(path), "%s/secret", base);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    (void)close(fd);
    return fd < 0 ? -1 : 0;
}

static int tear_down(void **state) {
    static const char *const names[] = {"layer/f",   "layer/s",      "layer/ok", "layer/wh", "layer/mem", "layer/got",
                                        "layer/new", "layer/stolen", "secret",   "new",      "stolen"};
    char path[64];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", base, names[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/layer", base);
    (void)rmdir(path);
    return rmdir(base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_inflate),
        cmocka_unit_test(test_unpack_works),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("unpack_cage", tests, set_up, tear_down);
}

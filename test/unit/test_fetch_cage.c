/* Hostile code in tare-fetch's place: in the very cage that the worker enters, everything that an attacker would try first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "image/fetch_wire.h"
#include "image/worker/fetch_cage.h"

#ifdef __SANITIZE_ADDRESS__ /* its runtime makes system calls that the cage does not know */
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static int listener_port; /* of a TCP listener of the parent */
static pid_t parent;

static bool try_read_shadow(void) {
    return open("/etc/shadow", O_RDONLY | O_CLOEXEC) >=
           0; /* the cage's user is nobody; as an ordinary user it is unreadable, too */
}
static bool try_create(void) {
    return open("/tmp/tare-fetch-was-here", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}
static bool try_open_for_writing(void) {
    return open("/dev/null", O_RDWR | O_CLOEXEC) >= 0;
}
static bool try_unlink(void) {
    return unlink("/tmp/tare-fetch-target") == 0;
}
static bool try_rename(void) {
    return rename("/tmp/tare-fetch-target", "/tmp/tare-fetch-other") == 0;
}
static bool try_chmod(void) {
    return chmod("/tmp/tare-fetch-target", 0777) == 0;
}
static bool try_mkdir(void) {
    return mkdir("/tmp/tare-fetch-dir", 0700) == 0;
}
static bool try_ptrace(void) {
    return ptrace(PTRACE_ATTACH, parent, NULL, NULL) == 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}
static bool try_read_memory(void) {
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/mem", parent);
    return open(path, O_RDONLY | O_CLOEXEC) >= 0;
}
static bool try_kill(void) {
    return kill(parent, 0) == 0;
}
static bool try_become_root(void) {
    return geteuid() != 0 && (setuid(0) == 0 || setresuid(0, 0, 0) == 0);
}
static bool try_execute(void) {
    char name[] = "/bin/true";
    char *const argv[] = {name, NULL}, *const env[] = {NULL};

    execve(name, argv, env); /* a success would end this process with status 0, which counts as "did it" */
    return false;
}
static bool try_fork(void) {
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0;
}
static bool try_namespace(void) {
    return unshare(CLONE_NEWUSER) == 0;
}
static bool try_mount(void) {
    return mount("none", "/mnt", "tmpfs", 0, NULL) == 0;
}
static bool try_unix_socket(void) {
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}
static bool try_packet_socket(void) {
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}
static bool try_netlink_socket(void) {
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}
static bool try_listen(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return bind(fd, (struct sockaddr *)&in, sizeof in) == 0 || listen(fd, 1) == 0;
}
static bool try_inherited_descriptor(void) {
    for (int fd = FETCH_CONTROL_FD + 1; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return true;
    return false;
}
static bool try_bpf(void) {
    return syscall(SYS_bpf, 0, NULL, 0) >= 0 || syscall(SYS_io_uring_setup, 1, NULL) >= 0 || syscall(SYS_userfaultfd, 0) >= 0;
}
static bool try_keyring(void) {
    return syscall(SYS_add_key, "user", "x", "y", 1, -1) >= 0;
}

static const struct {
    const char *what;
    bool (*fn)(void);
} attempts[] = {
    {"read /etc/shadow", try_read_shadow},
    {"create a file", try_create},
    {"open for writing", try_open_for_writing},
    {"unlink", try_unlink},
    {"rename", try_rename},
    {"chmod", try_chmod},
    {"mkdir", try_mkdir},
    {"ptrace", try_ptrace},
    {"read the parent's memory", try_read_memory},
    {"signal the parent", try_kill},
    {"become root", try_become_root},
    {"execute a program", try_execute},
    {"fork", try_fork},
    {"make a namespace", try_namespace},
    {"mount", try_mount},
    {"open a Unix socket", try_unix_socket},
    {"open a packet socket", try_packet_socket},
    {"open a netlink socket", try_netlink_socket},
    {"listen", try_listen},
    {"find an inherited descriptor", try_inherited_descriptor},
    {"bpf, io_uring, userfaultfd", try_bpf},
    {"keep a key", try_keyring},
};

#define REFUSED 42

static int run_caged(bool (*fn)(void)) {
    pid_t pid;
    int status, pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        fail_msg("socketpair");
    pid = fork();
    if (!pid) {
        struct error e = ERROR_INIT;

        (void)dup2(pair[1], FETCH_CONTROL_FD);
        if (fetch_cage_enter(&e) < 0) {
            fprintf(stderr, "%s\n", e.text);
            _exit(3);
        }
        _exit(fn() ? 0 : REFUSED);
    }
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? REFUSED : 1000;
}

static void attacks(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
        int r = run_caged(attempts[i].fn);

        if (r != REFUSED)
            fail_msg("%s: %s (%d)", attempts[i].what, r == 0 ? "it did" : "the cage broke", r);
    }
}

/* And it can still do its work. */
static void *thread_main(void *arg) {
    *(int *)arg = 7;
    return NULL;
}

static bool do_work(void) {
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)listener_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), etc = open("/etc/hosts", O_RDONLY | O_CLOEXEC), seen = 0;
    pthread_t thread;

    if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) < 0 || etc < 0)
        return false;
    return pthread_create(&thread, NULL, thread_main, &seen) == 0 && pthread_join(thread, NULL) == 0 && seen == 7;
}

static void work(void **state) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (SANITIZED) {
        (void)close(fd);
        skip();
    }
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    listener_port = ntohs(in.sin_port);
    assert_int_equal(run_caged(do_work), 0);
    (void)close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(attacks), cmocka_unit_test(work)};
    int fd = open("/tmp/tare-fetch-target", O_WRONLY | O_CREAT | O_CLOEXEC, 0666), r;

    parent = getpid();
    (void)close(fd);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink("/tmp/tare-fetch-target");
    return r;
}

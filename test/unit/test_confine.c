/* The cage of workers, tried on a real child: every wall is run against. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "kernel/capability.h"
#include "kernel/confine.h"

/* Runs fn in a child; the status as of wait(). */
static int in_child(int (*fn)(void)) {
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int exit_of(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int tree_child(void) {
    struct cage cage = CAGE_INIT;
    struct landlock_tree trees[2] = {
        {.fd = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC), .access = LANDLOCK_READ},
        {.fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), .access = LANDLOCK_READ | LANDLOCK_WRITE},
    };
    struct cage_report report;

    cage.landlock = true;
    cage.trees = trees;
    cage.tree_count = 2;
    cage.network = LANDLOCK_NETWORK_NONE;
    if (confine(&cage, &report, NULL) < 0)
        return 1;
    if (fcntl(trees[0].fd, F_GETFD) >= 0)
        return 2;
    if (report.landlock_abi < 2)
        return 77;
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0)
        return 3;
    if (open("/etc/tare-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || errno != EACCES)
        return 4;
    if (open("/proc/version", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
        return 5;
    if (open("confine-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 || unlink("confine-test") < 0)
        return 6;
    return 0;
}

static void landlock_shows_only_the_trees(void **state) {
    int r = exit_of(in_child(tree_child));

    (void)state;
    if (r == 77)
        skip();
    assert_int_equal(r, 0);
}

/* An abstract socket of the parent's: reachable, and out of reach once in a scope. */
static int scope_child(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0tare-test-scope"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return 1;
    r = landlock_enter_scope(LANDLOCK_SCOPE_ABSTRACT, NULL);
    if (r <= 0)
        return r == 0 ? 77 : 2;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno != EPERM)
        return 3;
    if (kill(getppid(), 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
        return 4;
    return access("/", W_OK) < 0 ? 5 : 0; /* nothing else is restricted */
}

static void scope_hides_abstract_sockets(void **state) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0tare-test-scope"};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 5), 0);
    r = exit_of(in_child(scope_child));
    if (r == 77)
        skip();
    assert_int_equal(r, 0);
}

static const struct cage_call calls[] = {
    CAGE_CALL(write),
    CAGE_CALL(close),
    CAGE_CALL_IF(socket, 0, ~0U, AF_UNIX),
};

static int filter_child(enum cage_violation violation) {
    struct cage cage = CAGE_INIT;

    cage.calls = calls;
    cage.call_count = ARRAY_SIZE(calls);
    cage.violation = violation;
    return confine(&cage, NULL, NULL) < 0;
}

static int refused_child(void) {
    if (filter_child(CAGE_EPERM))
        return 1;
    if (syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0)
        return 2;
    if (syscall(SYS_socket, 0xdead00000000 | AF_UNIX, SOCK_STREAM, 0) < 0)
        return 3; /* the kernel reads the low word only; so must the filter */
    if (syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
        return 4;
    if (syscall(SYS_socket, 0x100000000 | AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
        return 5;
    if (syscall(SYS_getpid) >= 0 || errno != EPERM)
        return 6;
    return 0;
}

static int killed_child(void) {
    if (filter_child(CAGE_KILL))
        return 1;
    return (int)syscall(SYS_getpid) ? 2 : 3;
}

static void filter_allows_only_the_table(void **state) {
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* its run-time makes calls of its own */
#endif
    assert_int_equal(exit_of(in_child(refused_child)), 0);
    assert_int_equal(exit_of(in_child(killed_child)), 1000 + SIGSYS);
}

static int credentials_child(void) {
    struct cage cage = CAGE_INIT;
    struct capability_sets sets;
    uid_t r, eff, s;

    cage.uid = cage.gid = 65534;
    cage.caps = CAGE_CAP(CAP_CHOWN);
    if (confine(&cage, NULL, NULL) < 0 || capability_get(&sets, NULL) < 0)
        return 1;
    if (getresuid(&r, &eff, &s) < 0 || r != 65534 || eff != 65534 || s != 65534 || getgroups(0, NULL) != 0)
        return 2;
    if (sets.effective != CAGE_CAP(CAP_CHOWN) || sets.permitted != sets.effective || sets.bounding != sets.effective ||
        sets.inheritable || sets.ambient)
        return 3;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 4;
    if (setresuid(0, 0, 0) == 0)
        return 5;
    return 0;
}

static void credentials_are_given_up(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(exit_of(in_child(credentials_child)), 0);
}

static int descriptors_child(void) {
    int keep[2];
    int low = open("/dev/null", O_RDONLY | O_CLOEXEC), other = dup(low);

    keep[0] = dup2(low, 90);
    keep[1] = dup2(low, 40);
    if (confine_close_others(keep, 2, NULL) < 0)
        return 1;
    if (fcntl(low, F_GETFD) >= 0 || fcntl(other, F_GETFD) >= 0)
        return 2;
    return fcntl(40, F_GETFD) < 0 || fcntl(90, F_GETFD) < 0 ? 3 : 0;
}

static void descriptors_are_closed(void **state) {
    (void)state;
    assert_int_equal(exit_of(in_child(descriptors_child)), 0);
}

static void capability_names(void **state) {
    unsigned n;

    (void)state;
    assert_int_equal(capability_parse("CAP_SYS_ADMIN", &n, NULL), 0);
    assert_int_equal(n, CAP_SYS_ADMIN);
    assert_int_equal(capability_parse("net_raw", &n, NULL), 0);
    assert_int_equal(n, CAP_NET_RAW);
    assert_int_equal(capability_parse("Cap_Checkpoint_Restore", &n, NULL), 0);
    assert_int_equal(n, CAP_CHECKPOINT_RESTORE);
    assert_int_equal(capability_parse("CAP_", &n, NULL), -EINVAL);
    assert_int_equal(capability_parse("NET_RAWX", &n, NULL), -EINVAL);
    assert_int_equal(capability_parse("", &n, NULL), -EINVAL);
}

static uint64_t adjusted(uint64_t base, const char *add, const char *drop) {
    struct strs a = {.v = &add, .n = add ? 1 : 0}, d = {.v = &drop, .n = drop ? 1 : 0};
    uint64_t set = 0;

    assert_int_equal(capability_adjust(base, &a, &d, &set, NULL), 0);
    return set;
}

static void capability_adjustments(void **state) {
    uint64_t base = CAGE_CAP(CAP_CHOWN) | CAGE_CAP(CAP_KILL), kernel = capability_kernel();

    (void)state;
    assert_int_equal(adjusted(base, NULL, NULL), base);
    assert_int_equal(adjusted(base, "NET_ADMIN", NULL), base | CAGE_CAP(CAP_NET_ADMIN));
    assert_int_equal(adjusted(base, NULL, "KILL"), CAGE_CAP(CAP_CHOWN));
    assert_int_equal(adjusted(base, "KILL", "KILL"), base);
    assert_int_equal(adjusted(base, "ALL", "KILL"), kernel & ~CAGE_CAP(CAP_KILL));
    assert_int_equal(adjusted(base, "KILL", "all"), CAGE_CAP(CAP_KILL));
    assert_int_equal(adjusted(base, NULL, "CAP_ALL"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(landlock_shows_only_the_trees), cmocka_unit_test(filter_allows_only_the_table),
        cmocka_unit_test(scope_hides_abstract_sockets),  cmocka_unit_test(credentials_are_given_up),
        cmocka_unit_test(descriptors_are_closed),        cmocka_unit_test(capability_names),
        cmocka_unit_test(capability_adjustments),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

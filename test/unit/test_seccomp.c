/* Filters of system calls, run in a small interpreter: what each call would get, whatever stands in the unused halves of registers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/fs.h"
#include "kernel/seccomp_calls.h"
#include "kernel/seccomp_filter.h"
#include "kernel/seccomp_verdict.h"
#include "model/seccomp_profile.h"
#include "model/security_defaults.h"

#define ALLOW     SECCOMP_RET_ALLOW
#define FAIL(err) (SECCOMP_RET_ERRNO | (err))
#define HIGH      0xdeadbeef00000000ULL
#define BIT(n)    (UINT64_C(1) << (n))

static uint32_t run(const struct seccomp_program *p, const struct seccomp_data *data) {
    return seccomp_verdict(p->code, p->n, data);
}

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE (seccomp_machine_native()->audit)
#endif

static uint32_t verdict(const struct seccomp_program *p, int nr, uint64_t a0, uint64_t a1, uint64_t a2) {
    const struct seccomp_data data = {.nr = nr, .arch = NATIVE, .args = {a0, a1, a2}};

    return run(p, &data);
}

static struct seccomp_program default_program(uint64_t more_caps, struct arena *a) {
    struct seccomp_request request = {.caps = security_capabilities | more_caps};
    struct seccomp_program p;

    assert_int_equal(seccomp_for_container(-1, &request, a, &p, NULL), 0);
    return p;
}

static void default_verdicts(void **state) {
    static const struct {
        int nr;
        uint64_t a0, a1, a2;
        uint32_t expected;
        uint64_t caps; /* beside the default ones */
    } cases[] = {
        {SYS_read, 0, 0, 0, ALLOW, 0},
        {SYS_execve, 0, 0, 0, ALLOW, 0},
        {SYS_chroot, 0, 0, 0, ALLOW, 0},
        {SYS_mount, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_mount, 0, 0, 0, ALLOW, BIT(CAP_SYS_ADMIN)},
        {SYS_unshare, CLONE_NEWUSER, 0, 0, FAIL(EPERM), 0},
        {SYS_unshare, CLONE_NEWUSER, 0, 0, ALLOW, BIT(CAP_SYS_ADMIN)},
        {SYS_setns, 3, 0, 0, FAIL(EPERM), 0},
        {SYS_clone, SIGCHLD, 0, 0, ALLOW, 0},
        {SYS_clone, HIGH | SIGCHLD, 0, 0, ALLOW, 0},
        {SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, FAIL(EPERM), 0},
        {SYS_clone, HIGH | SIGCHLD | CLONE_NEWUSER, 0, 0, FAIL(EPERM), 0},
        {SYS_clone, SIGCHLD | CLONE_NEWNET, 0, 0, FAIL(EPERM), 0},
        {SYS_clone, SIGCHLD | CLONE_NEWNET, 0, 0, ALLOW, BIT(CAP_SYS_ADMIN)},
        {SYS_clone3, 0, 0, 0, FAIL(ENOSYS), 0},
        {SYS_clone3, 0, 0, 0, ALLOW, BIT(CAP_SYS_ADMIN)},
        {SYS_socket, AF_UNIX, SOCK_STREAM, 0, ALLOW, 0},
        {SYS_socket, AF_INET, SOCK_STREAM, 0, ALLOW, 0},
        {SYS_socket, HIGH | AF_INET6, SOCK_STREAM, 0, ALLOW, 0},
        {SYS_socket, AF_NETLINK, SOCK_RAW, 0, ALLOW, 0},
        {SYS_socket, AF_ALG, SOCK_SEQPACKET, 0, FAIL(EPERM), 0},
        {SYS_socket, HIGH | AF_ALG, SOCK_SEQPACKET, 0, FAIL(EPERM), 0},
        {SYS_socket, AF_VSOCK, SOCK_STREAM, 0, FAIL(EPERM), 0},
        {SYS_socket, 0xffffffffULL, SOCK_STREAM, 0, FAIL(EPERM), 0},
        {SYS_socket, AF_PACKET, SOCK_RAW, 0, FAIL(EPERM), 0},
        {SYS_socket, AF_PACKET, SOCK_RAW, 0, ALLOW, BIT(CAP_NET_RAW)},
        {SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ALLOW, 0},
        {SYS_socketpair, AF_ALG, SOCK_STREAM, 0, FAIL(EPERM), 0},
        {SYS_ioctl, 0, TCGETS, 0, ALLOW, 0},
        {SYS_ioctl, 0, TIOCSTI, 0, FAIL(EPERM), 0},
        {SYS_ioctl, 0, HIGH | TIOCSTI, 0, FAIL(EPERM), 0},
        {SYS_ioctl, 0, TIOCLINUX, 0, FAIL(EPERM), 0},
        {SYS_ioctl, 0, 1ULL << 63 | TIOCLINUX, 0, FAIL(EPERM), 0},
        {SYS_personality, 0, 0, 0, ALLOW, 0},
        {SYS_personality, 0xffffffff, 0, 0, ALLOW, 0},
        {SYS_personality, UINT64_MAX, 0, 0, ALLOW, 0},
        {SYS_personality, 0x0040000, 0, 0, FAIL(EPERM), 0}, /* ADDR_NO_RANDOMIZE */
        {SYS_keyctl, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_add_key, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_bpf, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_bpf, 0, 0, 0, ALLOW, BIT(CAP_BPF)},
        {SYS_userfaultfd, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_perf_event_open, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_open_by_handle_at, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_kexec_load, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_vmsplice, 0, 0, 0, FAIL(EPERM), 0},
        {SYS_ptrace, 0, 0, 0, ALLOW, 0},
        {425 /* io_uring_setup */, 0, 0, 0, FAIL(ENOSYS), 0},
        {426, 0, 0, 0, FAIL(ENOSYS), BIT(CAP_SYS_ADMIN)},
        {452 /* fchmodat2: younger than many a libseccomp */, 0, 0, 0, ALLOW, 0},
        {462 /* mseal */, 0, 0, 0, ALLOW, 0},
        {467 /* open_tree_attr: known, not allowed */, 0, 0, 0, FAIL(EPERM), 0},
        {500, 0, 0, 0, FAIL(ENOSYS), 0}, /* what future kernels may have */
        {400, 0, 0, 0, FAIL(ENOSYS), 0}, /* a gap in the table */
        {1000000, 0, 0, 0, FAIL(ENOSYS), 0},
        {-1, 0, 0, 0, FAIL(ENOSYS), 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct seccomp_program p = default_program(cases[i].caps, &a);
        uint32_t got = verdict(&p, cases[i].nr, cases[i].a0, cases[i].a1, cases[i].a2);

        if (got != cases[i].expected)
            fail_msg("case %zu: call %d gives 0x%x, not 0x%x", i, cases[i].nr, got, cases[i].expected);
    }
}

static void foreign_machines(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct seccomp_program p = default_program(0, &a);
    struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};

    (void)state;
    if (data.arch != NATIVE)
        assert_int_equal(run(&p, &data), FAIL(ENOSYS));
    data.arch = 0;
    assert_int_equal(run(&p, &data), FAIL(ENOSYS));
#if defined(__x86_64__)
    for (uint32_t nr = 0; nr < 600; nr++) {
        data = (struct seccomp_data){.nr = (int)(nr | 0x40000000), .arch = AUDIT_ARCH_X86_64};
        assert_int_equal(run(&p, &data), FAIL(ENOSYS));
    }
#endif
}

#if defined(__x86_64__)
static void compatible_machines(void **state) {
    struct seccomp_request request = {.caps = security_capabilities, .compat = true};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct seccomp_program p;
    struct seccomp_data data = {.nr = 3 /* read */, .arch = AUDIT_ARCH_I386};

    (void)state;
    assert_int_equal(seccomp_for_container(-1, &request, &a, &p, NULL), 0);
    assert_int_equal(run(&p, &data), ALLOW);
    data.nr = 21; /* mount */
    assert_int_equal(run(&p, &data), FAIL(EPERM));
    data.nr = 102; /* socketcall hides what socket would be asked for */
    assert_int_equal(run(&p, &data), FAIL(ENOSYS));
    data = (struct seccomp_data){.nr = 359 /* socket */, .arch = AUDIT_ARCH_I386, .args = {AF_ALG}};
    assert_int_equal(run(&p, &data), FAIL(EPERM));
    data.args[0] = AF_INET;
    assert_int_equal(run(&p, &data), ALLOW);
    data = (struct seccomp_data){.nr = 0x40000000 | 0 /* x32 read */, .arch = AUDIT_ARCH_X86_64};
    assert_int_equal(run(&p, &data), ALLOW);
    data.nr = 0x40000000 | 514; /* x32 ioctl */
    data.args[1] = TIOCSTI;
    assert_int_equal(run(&p, &data), FAIL(EPERM));
    assert_int_equal(verdict(&p, SYS_read, 0, 0, 0), ALLOW);
    assert_int_equal(verdict(&p, SYS_socket, HIGH | AF_ALG, 0, 0), FAIL(EPERM));
}
#endif

/* Every 32-bit argument, for every call that has rules: the upper half never matters. */
static void high_words(void **state) {
    static const uint64_t lows[] = {0, 1, 2, 10, 16, 17, 38, 40, 0x5412, 0x541c, SIGCHLD, CLONE_NEWUSER, 0x80000000, 0xffffffff};
    static const struct {
        const char *name;
        unsigned args;
    } calls[] = {{"socket", 1}, {"socketpair", 1}, {"ioctl", 2}, {"personality", 1}, {"clone", 1}};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct seccomp_program p = default_program(0, &a);
    uint64_t random = 88172645463325252ULL;

    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(calls); c++) {
        int nr = seccomp_call_number(seccomp_machine_native(), calls[c].name);

        for (size_t i = 0; i < ARRAY_SIZE(lows); i++)
            for (int round = 0; round < 50; round++) {
                struct seccomp_data plain = {.nr = nr, .arch = NATIVE}, noisy = plain;

                for (unsigned k = 0; k < calls[c].args; k++) {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    plain.args[k] = lows[(i + k) % ARRAY_SIZE(lows)];
                    noisy.args[k] = plain.args[k] | (random & 0xffffffff00000000ULL);
                }
                if (run(&p, &plain) != run(&p, &noisy))
                    fail_msg("%s: 0x%llx", calls[c].name, (unsigned long long)noisy.args[0]);
            }
    }
}

static int compile(const char *text, struct arena *a, struct seccomp_program *ret, struct error *e) {
    struct oci_seccomp spec;
    int r = json_decode(&oci_seccomp_table, text, strlen(text), a, &spec, e);

    return r < 0 ? r : seccomp_compile(&spec, a, ret, e);
}

static bool holds(const char *op, uint64_t arg, uint64_t value, uint64_t two) {
    if (strcmp(op, "NE") == 0)
        return arg != value;
    if (strcmp(op, "LT") == 0)
        return arg < value;
    if (strcmp(op, "LE") == 0)
        return arg <= value;
    if (strcmp(op, "EQ") == 0)
        return arg == value;
    if (strcmp(op, "GE") == 0)
        return arg >= value;
    if (strcmp(op, "GT") == 0)
        return arg > value;
    return (arg & value) == two;
}

/* All comparisons on a 64-bit argument (mmap's length), around the borders of the halves. */
static void comparisons(void **state) {
    static const char *const ops[] = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};
    static const uint64_t values[] = {0,           1,           0xfffffffe,  0xffffffff,         0x100000000,
                                      0x100000001, 0x1ffffffff, 0x200000000, 0xffffffff00000000, UINT64_MAX};

    (void)state;
    for (size_t o = 0; o < ARRAY_SIZE(ops); o++)
        for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
            _cleanup_arena_ struct arena a = ARENA_INIT;
            struct seccomp_program p;
            uint64_t two = values[v] & 0x100000001;
            const char *text = arena_printf(&a,
                                            "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"mmap\"],"
                                            "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":%llu,\"valueTwo\":%llu,"
                                            "\"op\":\"SCMP_CMP_%s\"}]}]}",
                                            (unsigned long long)values[v], (unsigned long long)two, ops[o]);

            assert_int_equal(compile(text, &a, &p, NULL), 0);
            for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                if ((verdict(&p, SYS_mmap, 7, values[i], 0) == ALLOW) != holds(ops[o], values[i], values[v], two))
                    fail_msg("0x%llx %s 0x%llx", (unsigned long long)values[i], ops[o], (unsigned long long)values[v]);
        }
}

static void rules_in_order(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct seccomp_program p;

    (void)state;
    assert_int_equal(
        compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
                "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":97,"
                "\"args\":[{\"index\":0,\"value\":16,\"op\":\"SCMP_CMP_EQ\"},{\"index\":2,\"value\":9,\"op\":\"SCMP_CMP_EQ\"}]},"
                "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_KILL_PROCESS\","
                "\"args\":[{\"index\":0,\"value\":38,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":40,\"op\":\"SCMP_CMP_EQ\"}]},"
                "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_LOG\"},"
                "{\"names\":[\"socket\",\"no_such_call\"],\"action\":\"SCMP_ACT_TRAP\"},"
                "{\"names\":[\"chmod\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":5,"
                "\"args\":[{\"index\":1,\"value\":2048,\"valueTwo\":2048,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}",
                &a, &p, NULL),
        0);
    assert_int_equal(verdict(&p, SYS_socket, 16, 0, 9), FAIL(97));
    assert_int_equal(verdict(&p, SYS_socket, 16, 0, HIGH | 9), FAIL(97));
    assert_int_equal(verdict(&p, SYS_socket, 16, 0, 8), SECCOMP_RET_LOG);
    assert_int_equal(verdict(&p, SYS_socket, 38, 0, 0), SECCOMP_RET_KILL_PROCESS); /* either of two values */
    assert_int_equal(verdict(&p, SYS_socket, 40, 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(verdict(&p, SYS_socket, 2, 0, 0), SECCOMP_RET_LOG);
    assert_int_equal(verdict(&p, SYS_read, 2, 0, 0), ALLOW);
    assert_int_equal(verdict(&p, 500, 0, 0, 0), ALLOW); /* the default is no error: it holds for all */
#ifdef SYS_chmod
    assert_int_equal(verdict(&p, SYS_chmod, 0, 04755, 0), SECCOMP_RET_TRACE | 5);
    assert_int_equal(verdict(&p, SYS_chmod, 0, 0xffff0000 | 0755, 0), ALLOW); /* the kernel reads 16 bits of a mode */
    assert_int_equal(verdict(&p, SYS_chmod, 0, 0xffff0000 | 04755, 0), SECCOMP_RET_TRACE | 5);
#endif
}

/* A tree so large that jumps need instructions of their own. */
static void large_program(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct seccomp_program p;

    (void)state;
    buf_add_str(&text, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[");
    for (int nr = 0; nr < 300; nr++) {
        static const char *const names[] = {"read", "write", "mmap", "poll", "lseek", "brk", "ioctl", "select", "dup", "pause"};

        buf_printf(&text,
                   "%s{\"names\":[\"%s\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%d,"
                   "\"args\":[{\"index\":3,\"value\":%d,\"op\":\"SCMP_CMP_EQ\"}]}",
                   nr ? "," : "", names[nr % 10], 100 + nr, nr);
    }
    buf_add_str(&text, "]}");
    assert_int_equal(compile(buf_text(&text), &a, &p, NULL), 0);
    for (int nr = 0; nr < 300; nr++) {
        static const int numbers[] = {SYS_read, SYS_write, SYS_mmap,   SYS_poll, SYS_lseek,
                                      SYS_brk,  SYS_ioctl, SYS_select, SYS_dup,  SYS_pause};
        struct seccomp_data data = {.nr = numbers[nr % 10], .arch = NATIVE, .args = {0, 0, 0, (uint64_t)nr}};

        assert_int_equal(run(&p, &data), FAIL(100 + nr));
        data.args[3] = 1000;
        assert_int_equal(run(&p, &data), FAIL(EPERM));
        data.nr = SYS_getpid;
        assert_int_equal(run(&p, &data), FAIL(EPERM));
    }
}

static void refusals(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ERRNO\","
         "\"args\":[{\"index\":0,\"value\":4294967334,\"op\":\"SCMP_CMP_EQ\"}]}]}",
         "reads 32 bits"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":5000}", "above 4095"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct seccomp_program p;

        assert_true(compile(cases[i].text, &a, &p, &e) < 0);
        if (!strstr(e.text, cases[i].message))
            fail_msg("%s", e.text);
    }
}

static void custom_profiles(void **state) {
    static const char text[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"syscalls\":["
        "{\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\",\"args\":null,\"comment\":\"\",\"includes\":{},\"excludes\":{}},"
        "{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"99.0\"}},"
        "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_KILL\"]}}]}";
    struct seccomp_request request = {.profile = text, .profile_size = sizeof(text) - 1, .caps = BIT(CAP_KILL)};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct seccomp_program p;

    (void)state;
    assert_int_equal(seccomp_for_container(-1, &request, &a, &p, NULL), 0);
    assert_int_equal(verdict(&p, SYS_read, 0, 0, 0), ALLOW);
    assert_int_equal(verdict(&p, SYS_write, 0, 0, 0), FAIL(EPERM));
    assert_int_equal(verdict(&p, SYS_mount, 0, 0, 0), FAIL(EPERM));
    request.caps = 0;
    assert_int_equal(seccomp_for_container(-1, &request, &a, &p, NULL), 0);
    assert_int_equal(verdict(&p, SYS_mount, 0, 0, 0), ALLOW);
}

static int find_file(int dirfd, const char *name, void *arg, struct error *e) {
    (void)dirfd;
    (void)e;
    (void)snprintf((char *)arg, NAME_MAX, "cache/%s", name);
    return 0;
}

static void cache(void **state) {
    struct seccomp_request request = {.caps = security_capabilities};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct seccomp_program first, again;
    char dir[] = "/tmp/tare-seccomp-XXXXXX", file[NAME_MAX] = "";
    _cleanup_fd_ int dirfd = -1, fd = -1;
    int64_t start;

    (void)state;
    assert_non_null(mkdtemp(dir));
    dirfd = fs_open_dir(-1, dir, NULL);
    assert_int_equal(seccomp_for_container(dirfd, &request, &a, &first, NULL), 0);
    assert_int_equal(fs_each(dirfd, "cache", find_file, file, NULL), 0);
    assert_true(file[0]);
    start = clock_monotonic_ns();
    assert_int_equal(seccomp_for_container(dirfd, &request, &a, &again, NULL), 0);
    print_message("# from the cache: %lld ns\n", (long long)(clock_monotonic_ns() - start));
    assert_int_equal(first.n, again.n);
    assert_memory_equal(first.code, again.code, first.n * sizeof(*first.code));

    for (off_t at = 0; at < 3; at++) { /* the head, the key, an instruction (one that would allow a denied call) */
        static const off_t places[] = {3, 20, 400};
        char byte;

        fd = openat(dirfd, file, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &byte, 1, places[at]), 1);
        byte ^= 0x55;
        assert_int_equal(pwrite(fd, &byte, 1, places[at]), 1);
        fd = fd_close(fd);
        assert_int_equal(seccomp_for_container(dirfd, &request, &a, &again, NULL), 0);
        assert_int_equal(first.n, again.n);
        assert_memory_equal(first.code, again.code, first.n * sizeof(*first.code));
    }
    fd = openat(dirfd, file, O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 500), 0);
    start = clock_monotonic_ns();
    assert_int_equal(seccomp_for_container(dirfd, &request, &a, &again, NULL), 0);
    print_message("# compiled anew, %zu instructions: %lld ns\n", again.n, (long long)(clock_monotonic_ns() - start));
    assert_memory_equal(first.code, again.code, first.n * sizeof(*first.code));
    assert_int_equal(fs_remove_tree_at(AT_FDCWD, dir, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_verdicts),
        cmocka_unit_test(foreign_machines),
#if defined(__x86_64__)
        cmocka_unit_test(compatible_machines),
#endif
        cmocka_unit_test(high_words),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(rules_in_order),
        cmocka_unit_test(large_program),
        cmocka_unit_test(refusals),
        cmocka_unit_test(custom_profiles),
        cmocka_unit_test(cache),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

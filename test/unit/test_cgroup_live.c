/* Control groups of the running kernel, in a group of the test's own: run as root, else skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_devices.h"

static struct cgroup_layout layout;
static struct arena arena;
static const char *path;

#define TIMEOUT_MS 5000

static int set_up(void **state) {
    (void)state;
    if (geteuid() != 0 || cgroup_layout_read(&layout, NULL) < 0 || layout.count == 0)
        return 0;
    path = arena_printf(&arena, "/tare-test-%d/c", getpid());
    return 0;
}

static int tear_down(void **state) {
    const char *parent = arena_printf(&arena, "/tare-test-%d", getpid());

    (void)state;
    if (path)
        (void)cgroup_remove(&layout, parent, TIMEOUT_MS, NULL);
    arena_release(&arena);
    return 0;
}

#define NEEDS_CGROUPS()                                                                                                            \
    do {                                                                                                                           \
        if (!path)                                                                                                                 \
            skip();                                                                                                                \
    } while (0)
#define CHECK(call)                                                                                                                \
    do {                                                                                                                           \
        _cleanup_error_ struct error e = ERROR_INIT;                                                                               \
        if ((call) < 0)                                                                                                            \
            fail_msg("%s", e.text);                                                                                                \
    } while (0)

static void create(const char *resources) {
    struct oci_resources res;
    struct list ops = {0};

    CHECK(json_decode(&oci_resources_table, resources, strlen(resources), &arena, &res, &e));
    CHECK(cgroup_plan_create(&layout, path, &res, &arena, &ops, &e));
    CHECK(cgroup_ops_run(&ops, 0, &e));
}

static int update(const char *resources, struct error *ret_error) {
    struct oci_resources res;
    struct list ops = {0};
    int r;

    CHECK(json_decode(&oci_resources_table, resources, strlen(resources), &arena, &res, &e));
    r = cgroup_plan_update(&layout, path, &res, &arena, &ops, ret_error);
    return r < 0 ? r : cgroup_ops_run(&ops, 0, ret_error);
}

/* A child in the group that runs fn. */
static pid_t start(int (*fn)(void)) {
    struct list ops = {0};
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        cgroup_plan_attach(&layout, path, false, &arena, &ops);
        _exit(cgroup_ops_run(&ops, 0, NULL) < 0 ? 99 : fn());
    }
    return pid;
}

static int status_of(pid_t pid) {
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void remove_group(void) {
    CHECK(cgroup_remove(&layout, path, TIMEOUT_MS, &e));
    assert_false(cgroup_exists(&layout, path));
}

static int sleeper(void) {
    (void)fork(); /* two of them: the kill must take both */
    return (int)sleep(100);
}

static void wait_until_populated(void) {
    for (int i = 0; i < 500 && !cgroup_is_populated(&layout, path); i++)
        (void)poll(NULL, 0, 5);
    assert_true(cgroup_is_populated(&layout, path));
}

static void kill_and_remove(void **state) {
    struct list pids = {0};
    pid_t pid;

    (void)state;
    NEEDS_CGROUPS();
    create("{}");
    pid = start(sleeper);
    wait_until_populated();
    for (int i = 0; i < 500 && pids.n < 2; i++) {
        pids.n = 0;
        CHECK(cgroup_pids(&layout, path, &arena, &pids, &e));
        (void)poll(NULL, 0, 5);
    }
    assert_int_equal(pids.n, 2);
    CHECK(cgroup_freeze(&layout, path, TIMEOUT_MS, &e));
    CHECK(cgroup_kill(&layout, path, &e)); /* frozen, too */
    assert_int_equal(status_of(pid), 1000 + SIGKILL);
    remove_group();
    CHECK(cgroup_kill(&layout, path, &e)); /* absent: nothing to do */
    CHECK(cgroup_remove(&layout, path, 0, &e));
}

/* The same without cgroup.kill and cgroup.freeze: as a host with version 1 alone would have to do it. */
static void kill_in_v1(void **state) {
    struct cgroup_layout both = layout;
    pid_t pid;

    (void)state;
    NEEDS_CGROUPS();
    if (layout.of[CGROUP_FREEZER] < 0)
        skip();
    create("{}");
    pid = start(sleeper);
    wait_until_populated();
    layout.unified = CGROUP_NONE;
    CHECK(cgroup_freeze(&layout, path, TIMEOUT_MS, &e));
    CHECK(cgroup_kill(&layout, path, &e));
    layout = both;
    assert_int_equal(status_of(pid), 1000 + SIGKILL);
    remove_group();
}

static int nester(void) {
    for (int i = 0; i < layout.count; i++) {
        const char *dir = arena_printf(&arena, "%s/inner/most", cgroup_dir(&layout, i, path, &arena));

        if (fs_mkdirs(dir, 0755, NULL) < 0)
            return 1;
    }
    return 0;
}

static void remove_with_inner_groups(void **state) {
    (void)state;
    NEEDS_CGROUPS();
    create("{}");
    assert_int_equal(status_of(start(nester)), 0);
    remove_group();
}

static int glutton(void) {
    char *p = (char *)mmap(NULL, (size_t)64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < (size_t)64 << 20; i += 4096)
        p[i] = 1;
    return 0;
}

static void memory_limit(void **state) {
    struct pollfd p = {.events = POLLIN | POLLPRI};
    struct cgroup_stats stats;

    (void)state;
    NEEDS_CGROUPS();
    if (layout.of[CGROUP_MEMORY] < 0)
        skip();
    create("{\"memory\":{\"limit\":16777216,\"swap\":33554432}}");
    p.fd = cgroup_oom_notifier(&layout, path, NULL);
    assert_true(p.fd >= 0);
    assert_int_equal(status_of(start(glutton)), 1000 + SIGKILL);
    assert_int_equal(poll(&p, 1, TIMEOUT_MS), 1);
    fd_close(p.fd);
    assert_int_equal(cgroup_oom_kills(&layout, path), 1);
    CHECK(cgroup_stats(&layout, path, &stats, &e));
    assert_int_equal(stats.memory_limit, 16777216);
    assert_true(stats.memory_failures > 0);
    assert_true(stats.cpu_ns > 0);

    CHECK(update("{\"memory\":{\"limit\":134217728,\"swap\":134217728}}", &e)); /* grows: swap first */
    assert_int_equal(status_of(start(glutton)), 0);
    CHECK(update("{\"memory\":{\"limit\":16777216,\"swap\":33554432}}", &e)); /* shrinks: memory first */
    CHECK(cgroup_stats(&layout, path, &stats, &e));
    assert_int_equal(stats.memory_limit, 16777216);
    remove_group();
}

static int forker(void) {
    int n = 0;

    for (; n < 20; n++) {
        pid_t pid = fork();

        if (pid < 0)
            break;
        if (pid == 0)
            _exit((int)sleep(1));
    }
    return n;
}

static void process_limit(void **state) {
    (void)state;
    NEEDS_CGROUPS();
    if (layout.of[CGROUP_PIDS] < 0)
        skip();
    create("{\"pids\":{\"limit\":5}}");
    assert_int_equal(status_of(start(forker)), 4);
    CHECK(cgroup_kill(&layout, path, &e));
    remove_group();
}

/* Until it was held back: on a loaded machine it takes long to use up what it may. */
static int spinner(void) {
    struct cgroup_stats stats = {0};

    while (stats.throttled_periods == 0)
        if (cgroup_stats(&layout, path, &stats, NULL) < 0)
            return 1;
    return 0;
}

static void cpu_quota(void **state) {
    struct cgroup_stats stats;

    (void)state;
    NEEDS_CGROUPS();
    if (layout.of[CGROUP_CPU] < 0)
        skip();
    create("{\"cpu\":{\"quota\":1000,\"period\":100000,\"shares\":512,\"cpus\":\"0\"}}");
    assert_int_equal(status_of(start(spinner)), 0);
    CHECK(cgroup_stats(&layout, path, &stats, &e));
    assert_true(stats.throttled_periods > 0);
    assert_true(stats.cpu_ns > 0);
    remove_group();
}

static int device_opener(void) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int other = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 1;
    if (other >= 0 || errno != EPERM)
        return 2;
    if (mknod("tare-test-node", S_IFBLK | 0600, makedev(8, 0)) == 0 || errno != EPERM) {
        (void)unlink("tare-test-node");
        return 3;
    }
    return 0;
}

#define DEVICES                                                                                                                    \
    "\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"}" \
    "]"

static void devices(void **state) {
    (void)state;
    NEEDS_CGROUPS();
    create("{" DEVICES "}");
    assert_int_equal(status_of(start(device_opener)), 0);
    remove_group();
}

/* The program of version 2, which a hybrid host can load, too. */
static void devices_by_program(void **state) {
    struct cgroup_layout both = layout;

    (void)state;
    NEEDS_CGROUPS();
    if (layout.unified < 0)
        skip();
    layout.of[CGROUP_DEVICES] = CGROUP_NONE;
    create("{" DEVICES "}");
    assert_int_equal(status_of(start(device_opener)), 0);
    layout = both;
    remove_group();
}

static void refusals_say_why(void **state) {
    _cleanup_error_ struct error e = ERROR_INIT;

    (void)state;
    NEEDS_CGROUPS();
    create("{}");
    assert_true(update("{\"cpu\":{\"cpus\":\"4000\"}}", &e) < 0);
    assert_non_null(strstr(e.text, "set of CPUs"));
    assert_true(strstr(e.text, "not among") || strstr(e.text, "not a list"));
    assert_true(update("{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":999,\"minor\":9,\"rate\":1}]}}", &e) < 0);
    assert_non_null(strstr(e.text, "no such block device"));
    assert_true(update("{\"cpu\":{\"quota\":5}}", &e) < 0);
    assert_non_null(strstr(e.text, "1000"));
    remove_group();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_and_remove), cmocka_unit_test(kill_in_v1),         cmocka_unit_test(remove_with_inner_groups),
        cmocka_unit_test(memory_limit),    cmocka_unit_test(process_limit),      cmocka_unit_test(cpu_quota),
        cmocka_unit_test(devices),         cmocka_unit_test(devices_by_program), cmocka_unit_test(refusals_say_why),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

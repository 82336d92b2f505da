/* Control groups, the pure part: what is mounted, which writes a configuration becomes, what a program for devices answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "kernel/cgroup_devices.h"
#include "kernel/cgroup_plan.h"

#define V1_HEAD                                                                                                                    \
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"                                                                              \
    "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - tmpfs tmpfs rw,mode=755\n"
#define V1_ALL                                                                                                                     \
    V1_HEAD "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 master:1 - cgroup cgroup rw,cpu,cpuacct\n"               \
            "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"                                           \
            "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"                                           \
            "36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n"                                         \
            "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"                                         \
            "38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"                                             \
            "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"                                               \
            "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"                                    \
            "43 31 0:37 / /run/other\\040place rw,relatime - cgroup cgroup rw,memory\n"
#define HYBRID         V1_ALL "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
#define V2             "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define V2_CONTROLLERS "cpuset cpu io memory hugetlb pids rdma\n"

static struct cgroup_layout layout_of(const char *mountinfo, const char *controllers) {
    struct cgroup_layout l;

    assert_int_equal(cgroup_layout_parse(mountinfo, controllers, &l, NULL), 0);
    return l;
}

static void layouts(void **state) {
    struct cgroup_layout l = layout_of(V1_ALL, NULL);

    (void)state;
    assert_string_equal(cgroup_layout_name(&l), "v1");
    assert_int_equal(l.count, 8);
    assert_int_equal(l.of[CGROUP_CPU], l.of[CGROUP_CPUACCT]);
    assert_string_equal(l.hierarchies[l.of[CGROUP_MEMORY]].mount, "/sys/fs/cgroup/memory");
    assert_int_equal(l.of[CGROUP_HUGETLB], CGROUP_NONE);

    l = layout_of(HYBRID, "");
    assert_string_equal(cgroup_layout_name(&l), "hybrid");
    assert_string_equal(l.hierarchies[l.unified].mount, "/sys/fs/cgroup/unified");
    assert_false(l.hierarchies[l.of[CGROUP_PIDS]].unified);

    l = layout_of(V2, V2_CONTROLLERS);
    assert_string_equal(cgroup_layout_name(&l), "v2");
    assert_int_equal(l.of[CGROUP_IO], l.unified);
    assert_int_equal(l.of[CGROUP_DEVICES], CGROUP_NONE);

    l = layout_of("30 23 0:26 / /my\\040cgroups rw - cgroup2 none rw\n", NULL);
    assert_string_equal(l.hierarchies[0].mount, "/my cgroups");
    l = layout_of("", NULL);
    assert_string_equal(cgroup_layout_name(&l), "none");
    l = layout_of("garbage\n\n1 2 3\n", NULL);
    assert_int_equal(l.count, 0);
}

static void paths(void **state) {
    static const struct {
        const char *parent, *path; /* NULL: refused */
    } cases[] = {
        {NULL, "/tare-1a2b3c4d/abc"},
        {"", "/tare-1a2b3c4d/abc"},
        {"/mine", "/mine/abc"},
        {"mine/deep", "/mine/deep/abc"},
        {"/", "/abc"},
        {"machine-web.slice", "/machine.slice/machine-web.slice/abc"},
        {"/system.slice", "/system.slice/abc"},
        {"/a/../b", NULL},
        {"..", NULL},
        {"/./a", NULL},
        {"//a", NULL},
        {"a//b", NULL},
        {"a\nb", NULL},
    };
    _cleanup_arena_ struct arena a = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *path = NULL;
        int r = cgroup_path("-1a2b3c4d", cases[i].parent, "abc", &a, &path, NULL);

        if (cases[i].path) {
            assert_int_equal(r, 0);
            assert_string_equal(path, cases[i].path);
        } else {
            assert_int_equal(r, -EINVAL);
        }
    }
}

static void conversions(void **state) {
    (void)state;
    assert_int_equal(cgroup_weight_of_shares(1), 1);
    assert_int_equal(cgroup_weight_of_shares(2), 1);
    assert_int_equal(cgroup_weight_of_shares(1024), 100);
    assert_int_equal(cgroup_weight_of_shares(262144), 10000);
    assert_int_equal(cgroup_weight_of_shares(UINT64_MAX), 10000);
    assert_in_range(cgroup_weight_of_shares(512), 50, 70);
    assert_int_equal(cgroup_io_weight(10), 1);
    assert_int_equal(cgroup_io_weight(1000), 10000);
    assert_int_equal(cgroup_io_weight(0), 1);
}

/* The list of operations as text, one a line: what the assertions read. */
static const char *ops_text(const struct list *ops, struct arena *a) {
    const char *text = "";

    for (size_t i = 0; i < ops->n; i++) {
        const struct cgroup_op *op = LIST_AT(struct cgroup_op, ops, i);
        static const char *const kinds[] = {"mkdir", "write", "enable", "inherit", "program", "attach"};

        text = arena_printf(a, "%s%s %s", text, kinds[op->kind], op->dir);
        if (op->file)
            text = arena_printf(a, "%s/%s", text, op->file);
        if (op->value)
            text = arena_printf(a, "%s = %s", text, op->value);
        if (op->other_file)
            text = arena_printf(a, "%s | %s = %s", text, op->other_file, op->other_value);
        text = arena_printf(a, "%s%s\n", text, op->flags & CGROUP_OPTIONAL ? " (optional)" : "");
    }
    return text;
}

static void expect_plan(const struct cgroup_layout *l, const char *resources, const char *expected) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct oci_resources res;
    struct list ops = {0};

    assert_int_equal(json_decode(&oci_resources_table, resources, strlen(resources), &a, &res, NULL), 0);
    assert_int_equal(cgroup_plan_create(l, "/tare/c", &res, &a, &ops, NULL), 0);
    assert_string_equal(ops_text(&ops, &a), expected);
}

static void expect_refusal(const struct cgroup_layout *l, const char *resources, const char *expected) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct oci_resources res;
    struct list ops = {0};

    assert_int_equal(json_decode(&oci_resources_table, resources, strlen(resources), &a, &res, NULL), 0);
    assert_true(cgroup_plan_create(l, "/tare/c", &res, &a, &ops, &e) < 0);
    assert_non_null(strstr(e.text, expected));
}

#define RESOURCES                                                                                                                  \
    "{\"memory\":{\"limit\":104857600,\"swap\":209715200,\"reservation\":52428800},"                                               \
    "\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\"},"                                                 \
    "\"pids\":{\"limit\":100},\"blockIO\":{\"weight\":300,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":1024}]},"   \
    "\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"}" \
    ","                                                                                                                            \
    "{\"allow\":true,\"type\":\"c\",\"access\":\"m\"}]}"

static void plan_v1(void **state) {
    struct cgroup_layout l = layout_of(HYBRID, "");

    (void)state;
    expect_plan(&l, RESOURCES,
                "mkdir /sys/fs/cgroup/cpu,cpuacct/tare/c\n"
                "mkdir /sys/fs/cgroup/cpuset/tare/c\n"
                "mkdir /sys/fs/cgroup/memory/tare/c\n"
                "mkdir /sys/fs/cgroup/devices/tare/c\n"
                "mkdir /sys/fs/cgroup/freezer/tare/c\n"
                "mkdir /sys/fs/cgroup/blkio/tare/c\n"
                "mkdir /sys/fs/cgroup/pids/tare/c\n"
                "mkdir /sys/fs/cgroup/systemd/tare/c\n"
                "mkdir /sys/fs/cgroup/unified/tare/c\n"
                "inherit /sys/fs/cgroup/cpuset/tare/cpuset.cpus\n"
                "inherit /sys/fs/cgroup/cpuset/tare/c/cpuset.mems\n"
                "write /sys/fs/cgroup/devices/tare/c/devices.deny = a\n"
                "write /sys/fs/cgroup/devices/tare/c/devices.allow = c 1:3 rwm\nc *:* m\n"
                "write /sys/fs/cgroup/memory/tare/c/memory.limit_in_bytes = 104857600\n"
                "write /sys/fs/cgroup/memory/tare/c/memory.memsw.limit_in_bytes = 209715200 (optional)\n"
                "write /sys/fs/cgroup/memory/tare/c/memory.soft_limit_in_bytes = 52428800\n"
                "write /sys/fs/cgroup/cpu,cpuacct/tare/c/cpu.shares = 512\n"
                "write /sys/fs/cgroup/cpu,cpuacct/tare/c/cpu.cfs_period_us = 100000\n"
                "write /sys/fs/cgroup/cpu,cpuacct/tare/c/cpu.cfs_quota_us = 50000\n"
                "write /sys/fs/cgroup/cpuset/tare/c/cpuset.cpus = 0-1\n"
                "write /sys/fs/cgroup/pids/tare/c/pids.max = 100\n"
                "write /sys/fs/cgroup/blkio/tare/c/blkio.bfq.weight = 300 | blkio.weight = 300\n"
                "write /sys/fs/cgroup/blkio/tare/c/blkio.throttle.read_bps_device = 8:0 1024\n");
}

static void plan_v2(void **state) {
    struct cgroup_layout l = layout_of(V2, V2_CONTROLLERS);

    (void)state;
    expect_plan(&l, RESOURCES,
                "mkdir /sys/fs/cgroup/tare/c\n"
                "enable /sys/fs/cgroup/cgroup.subtree_control = +cpu +cpuset +memory +pids +io\n"
                "enable /sys/fs/cgroup/tare/cgroup.subtree_control = +cpu +cpuset +memory +pids +io\n"
                "program /sys/fs/cgroup/tare/c\n"
                "write /sys/fs/cgroup/tare/c/memory.max = 104857600\n"
                "write /sys/fs/cgroup/tare/c/memory.swap.max = 104857600 (optional)\n"
                "write /sys/fs/cgroup/tare/c/memory.low = 52428800\n"
                "write /sys/fs/cgroup/tare/c/cpu.weight = 59\n"
                "write /sys/fs/cgroup/tare/c/cpu.max = 50000 100000\n"
                "write /sys/fs/cgroup/tare/c/cpuset.cpus = 0-1\n"
                "write /sys/fs/cgroup/tare/c/pids.max = 100\n"
                "write /sys/fs/cgroup/tare/c/io.bfq.weight = 300 | io.weight = 2930\n"
                "write /sys/fs/cgroup/tare/c/io.max = 8:0 rbps=1024\n");
}

static void plan_unlimited(void **state) {
    struct cgroup_layout v2 = layout_of(V2, V2_CONTROLLERS);

    (void)state;
    expect_plan(&v2, "{\"memory\":{\"limit\":-1,\"swap\":-1},\"pids\":{\"limit\":-1},\"cpu\":{\"quota\":-1}}",
                "mkdir /sys/fs/cgroup/tare/c\n"
                "enable /sys/fs/cgroup/cgroup.subtree_control = +cpu +cpuset +memory +pids +io\n"
                "enable /sys/fs/cgroup/tare/cgroup.subtree_control = +cpu +cpuset +memory +pids +io\n"
                "write /sys/fs/cgroup/tare/c/memory.max = max\n"
                "write /sys/fs/cgroup/tare/c/memory.swap.max = max (optional)\n"
                "write /sys/fs/cgroup/tare/c/cpu.max = max\n"
                "write /sys/fs/cgroup/tare/c/pids.max = max\n");
}

static void refusals(void **state) {
    struct cgroup_layout v1 = layout_of(V1_ALL, NULL), v2 = layout_of(V2, V2_CONTROLLERS), none = layout_of("", NULL);

    (void)state;
    expect_refusal(&v2, "{\"memory\":{\"swappiness\":10}}", "memory swappiness: exists in cgroup version 1 only");
    expect_refusal(&v2, "{\"memory\":{\"disableOOMKiller\":true}}", "version 1 only");
    expect_refusal(&v2, "{\"memory\":{\"limit\":100,\"swap\":50}}", "may not be below the memory limit");
    expect_refusal(&v1, "{\"unified\":{\"memory.high\":\"1\"}}", "no cgroup version 2");
    expect_refusal(&v2, "{\"unified\":{\"../x\":\"1\"}}", "not the name of a cgroup file");
    expect_refusal(&v1, "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}]}", "no hugetlb controller");
    expect_refusal(&none, "{\"memory\":{\"limit\":100}}", "no memory controller");
}

/* ---- devices ---- */

/* As much of an eBPF machine as the programs use. */
static bool device_allowed(const struct bpf_insn *code, size_t n, uint32_t type, uint32_t access, uint32_t major, uint32_t minor) {
    const uint32_t context[3] = {access << 16 | type, major, minor};
    uint64_t reg[11] = {[1] = (uintptr_t)context};

    for (size_t pc = 0; pc < n; pc++) {
        const struct bpf_insn *i = &code[pc];
        uint64_t operand = BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (uint64_t)(int64_t)i->imm;

        switch (i->code & ~BPF_X) {
        case BPF_LDX | BPF_W | BPF_MEM: reg[i->dst_reg] = *(const uint32_t *)(reg[i->src_reg] + (uint64_t)i->off); break;
        case BPF_ALU64 | BPF_MOV: reg[i->dst_reg] = operand; break;
        case BPF_ALU64 | BPF_AND: reg[i->dst_reg] &= operand; break;
        case BPF_ALU64 | BPF_RSH: reg[i->dst_reg] >>= operand; break;
        case BPF_JMP | BPF_JNE: pc += reg[i->dst_reg] != operand ? (size_t)i->off : 0; break;
        case BPF_JMP | BPF_JEQ: pc += reg[i->dst_reg] == operand ? (size_t)i->off : 0; break;
        case BPF_JMP | BPF_EXIT: return reg[0] != 0;
        default: fail_msg("instruction 0x%x", i->code);
        }
    }
    fail_msg("the program has no end");
    return false;
}

static void device_programs(void **state) {
    static const struct oci_device_rule rules[] = {
        {.allow = true, .type = "b", .major = {true, 8}, .access = "rwm"}, /* before "deny all": without effect */
        {.allow = false, .type = "a", .access = "rwm"},
        {.allow = true, .type = "c", .access = "m"},
        {.allow = true, .type = "c", .major = {true, 1}, .minor = {true, 3}, .access = "rwm"},
        {.allow = true, .type = "c", .major = {true, 136}, .minor = {true, -1}, .access = "rw"},
        {.allow = false, .type = "c", .major = {true, 136}, .minor = {true, 7}, .access = "w"},
        {.allow = true, .type = "a", .major = {true, 250}, .access = "r"},
    };
    enum {
        C = BPF_DEVCG_DEV_CHAR,
        B = BPF_DEVCG_DEV_BLOCK,
        M = BPF_DEVCG_ACC_MKNOD,
        R = BPF_DEVCG_ACC_READ,
        W = BPF_DEVCG_ACC_WRITE
    };
    static const struct {
        uint32_t type, access, major, minor;
        bool allowed;
    } cases[] = {
        {C, R | W, 1, 3, true}, {C, R, 1, 1, false},      {C, M, 1, 1, true},   {C, M | R, 1, 1, false}, {B, M, 8, 0, false},
        {B, R, 8, 0, false},    {C, R | W, 136, 5, true}, {C, R, 136, 7, true}, {C, W, 136, 7, false},   {C, R | W, 136, 7, false},
        {C, M, 136, 5, true},   {B, R, 250, 9, true},     {C, R, 250, 9, true}, {B, W, 250, 9, false},
    };
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct list list = {(void *)(uintptr_t)rules, ARRAY_SIZE(rules)}, all = {(void *)(uintptr_t)&rules[1], 0};
    struct oci_device_rule everything = {.allow = true, .type = "a"};
    size_t size = 0;
    const struct bpf_insn *code = cgroup_devices_program(&list, &a, &size);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (device_allowed(code, size / sizeof(*code), cases[i].type, cases[i].access, cases[i].major, cases[i].minor) !=
            cases[i].allowed)
            fail_msg("case %zu", i);

    code = cgroup_devices_program(&all, &a, &size); /* no rules at all: nothing is allowed */
    assert_false(device_allowed(code, size / sizeof(*code), C, R, 1, 3));
    all = (struct list){&everything, 1};
    assert_null(cgroup_devices_program(&all, &a, &size));
}

/* A layout of two hierarchies that are plain directories, so that a mistake here kills nobody. */
static void root_is_spared(void **state) {
    static const char *const roots[] = {"", "/", "//"};
    char dir[] = "/tmp/test-cgroup.XXXXXX";
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct cgroup_layout l;

    (void)state;
    assert_non_null(mkdtemp(dir));
    l = layout_of(arena_printf(&a, "30 23 0:26 / %s rw - cgroup2 none rw\n", dir), V2_CONTROLLERS);
    for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
        assert_int_equal(cgroup_kill(&l, roots[i], NULL), -EINVAL);
        assert_int_equal(cgroup_freeze(&l, roots[i], 1000, NULL), -EINVAL);
    }
    assert_int_equal(rmdir(dir), 0);
}

/* Version 1 has exceptions to a default, which can be taken back as a whole only. */
static void device_exceptions(void **state) {
    struct oci_device_rule rules[] = {
        {.allow = false},
        {.allow = true, .type = "c", .access = "m"},
        {.allow = true, .type = "c", .major = {true, 1}, .minor = {true, 3}},
        {.allow = true, .major = {true, 250}, .access = "r"},
        {.allow = true, .type = "c", .major = {true, 10}, .minor = {true, 1}},
        {.allow = false, .type = "c", .major = {true, 10}, .minor = {true, 1}, .access = "rw"},
        {.allow = false, .type = "c", .major = {true, 136}, .access = "rw"},
    };
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct list list = {rules, ARRAY_SIZE(rules)}, ops = {0};

    (void)state;
    assert_int_equal(cgroup_devices_files(&list, "/d", &a, &ops, &e), 0);
    assert_string_equal(ops_text(&ops, &a), "write /d/devices.deny = a\n"
                                            "write /d/devices.allow = c *:* m\nc 1:3 rwm\nb 250:* r\nc 250:* r\nc 10:1 m\n");
    rules[6].access = "m"; /* a part of the first */
    assert_int_equal(cgroup_devices_files(&list, "/d", &a, &ops, &e), -ENOTSUP);
    assert_string_equal(e.text, "device rules: version 1 of control groups cannot take \"c 136:* m\" out of \"c *:* m\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),           cmocka_unit_test(paths),           cmocka_unit_test(conversions),
        cmocka_unit_test(plan_v1),           cmocka_unit_test(plan_v2),         cmocka_unit_test(plan_unlimited),
        cmocka_unit_test(refusals),          cmocka_unit_test(device_programs), cmocka_unit_test(root_is_spared),
        cmocka_unit_test(device_exceptions),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

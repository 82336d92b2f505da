/* resctrl, on directories that look like it: which group a bundle gets, what is written, what is refused. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "kernel/resctrl.h"

#define KERNEL "    L3:0=7ff;1=01f\nL3CODE:0=0f\n    MB:0= 20;1=100\n"

static void schemas(void **state) {
    static const struct {
        const char *line;
        bool holds;
    } cases[] = {
        {"L3:0=7ff;1=1f", true},
        {"L3:1=1f", true},
        {"L3:1=0x1f", true},
        {"L3:0=7f0;1=1f", false},
        {"L3:2=7ff", false},
        {"MB:0=20;1=100", true},
        {"MB:0=20;1=64", false},
        {"MB:1=100\n", true},
        {"L2:0=1", false},
        {"L3CODE:0=f", true},
        {"L3", false},
        {"L3:", false},
        {"L3:0", false},
        {"L3:0=x", false},
        {"L3:0=7ff;", false},
        {"L3:0=7ff junk", false},
        {"  L3:0=7ff ; 1=1f", true},
        {"L3COD:0=f", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (resctrl_schema_holds(KERNEL, cases[i].line) != cases[i].holds)
            fail_msg("\"%s\": expected %d", cases[i].line, cases[i].holds);
    assert_false(resctrl_schema_holds("", "L3:0=1"));
    assert_false(resctrl_schema_holds("L3:", "L3:0=1"));
    assert_false(resctrl_schema_holds("L3:0=7ff\n1=1f", "L3:1=1f"));
}

static void mounts(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    const char *at = NULL;

    (void)state;
    assert_int_equal(
        resctrl_mount_find("22 27 0:21 / /proc rw - proc proc rw\n40 22 0:4 / /sys/fs/res\\040ctrl rw,nosuid shared:3 - resctrl "
                           "resctrl rw\n",
                           &a, &at, &e),
        0);
    assert_string_equal(at, "/sys/fs/res ctrl");
    assert_int_equal(resctrl_mount_find("22 27 0:21 / /resctrl rw - proc resctrl rw\nnonsense\n", &a, &at, &e), -ENOTSUP);
    assert_string_equal(e.text, "no resctrl is mounted");
}

struct fixture {
    char top[40];
    struct arena a;
    struct error e;
    struct resctrl_group group;
};

static void make_group(const struct fixture *f, const char *name, const char *schemata) {
    char path[200];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s/mon_groups", f->top, name);
    assert_int_equal(fs_mkdirs(path, 0755, NULL), 0);
    (void)snprintf(path, sizeof(path), "%s/%s/schemata", f->top, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(schemata, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));

    (void)strcpy(f->top, "/tmp/resctrl.XXXXXX");
    assert_non_null(mkdtemp(f->top));
    make_group(f, ".", KERNEL);
    make_group(f, "there", KERNEL);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    assert_int_equal(fs_remove_tree_at(AT_FDCWD, f->top, NULL), 0);
    arena_release(&f->a);
    error_release(&f->e);
    free(f);
    return 0;
}

static int choose(struct fixture *f, struct oci_intel_rdt rdt) {
    error_release(&f->e);
    return resctrl_group_choose(f->top, "id", &rdt, &f->a, &f->group, &f->e);
}

static const char *below(struct fixture *f, const char *name) {
    return arena_printf(&f->a, "%s/%s", f->top, name);
}

static void own_group(void **state) {
    struct fixture *f = *state;

    assert_int_equal(choose(f, (struct oci_intel_rdt){0}), 0);
    assert_string_equal(f->group.dir, below(f, "id"));
    assert_true(f->group.make && f->group.own);
    assert_null(f->group.schemata);
    assert_null(f->group.monitor);
    assert_int_equal(
        choose(f, (struct oci_intel_rdt){.l3_cache_schema = "L3:0=1", .mem_bw_schema = "MB:0=20", .enable_monitoring = true}), 0);
    assert_string_equal(f->group.schemata, "L3:0=1\nMB:0=20\n");
    assert_string_equal(f->group.monitor, below(f, "id/mon_groups/id"));
    make_group(f, "id", "");
    assert_int_equal(choose(f, (struct oci_intel_rdt){0}), -EEXIST); /* another's: it would be removed with the container */
}

static void named_group(void **state) {
    struct fixture *f = *state;
    struct oci_intel_rdt rdt = {.clos_id = "new", .l3_cache_schema = "L3:0=3"};

    strs_add(&f->a, &rdt.schemata, "L2:0=f");
    strs_add(&f->a, &rdt.schemata, "MB:0=70");
    assert_int_equal(choose(f, rdt), 0);
    assert_true(f->group.make && !f->group.own);
    assert_string_equal(f->group.schemata, "L3:0=3\nL2:0=f\nMB:0=70\n"); /* `schemata` last */
    assert_int_equal(choose(f, (struct oci_intel_rdt){.clos_id = "new"}), -ENOENT);
    assert_int_equal(choose(f, (struct oci_intel_rdt){.clos_id = "there"}), 0);
    assert_true(!f->group.make && !f->group.own && !f->group.schemata);
    assert_int_equal(
        choose(f, (struct oci_intel_rdt){.clos_id = "there", .l3_cache_schema = "L3:0=7ff", .mem_bw_schema = "MB:1=100"}), 0);
    assert_int_equal(choose(f, (struct oci_intel_rdt){.clos_id = "there", .l3_cache_schema = "L3:0=7f0"}), -EBUSY);
    assert_non_null(strstr(f->e.text, "linux.intelRdt.l3CacheSchema"));
    assert_int_equal(choose(f, (struct oci_intel_rdt){.clos_id = "there", .mem_bw_schema = "MB:0=30"}), -EBUSY);
    assert_non_null(strstr(f->e.text, "linux.intelRdt.memBwSchema"));
    assert_int_equal(choose(f, (struct oci_intel_rdt){.clos_id = "/", .enable_monitoring = true}), 0); /* the default group */
    assert_string_equal(f->group.dir, f->top);
    assert_string_equal(f->group.monitor, below(f, "mon_groups/id"));
    assert_false(f->group.own);
    make_group(f, "there/mon_groups/id", "");
    assert_int_equal(choose(f, (struct oci_intel_rdt){.clos_id = "there", .enable_monitoring = true}), -EEXIST);
}

static void refused(void **state) {
    static const char *const names[] = {"", ".", "..", "a/b", "/a", "a\nb"};
    struct fixture *f = *state;
    struct oci_intel_rdt rdt = {0};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(choose(f, (struct oci_intel_rdt){.clos_id = names[i]}), -EINVAL);
        assert_non_null(strstr(f->e.text, "linux.intelRdt.closID"));
    }
    assert_int_equal(choose(f, (struct oci_intel_rdt){.l3_cache_schema = "L3:0=1\nMB:0=1"}), -EINVAL);
    strs_add(&f->a, &rdt.schemata, "L3:0=1");
    strs_add(&f->a, &rdt.schemata, "L3:0=1\n");
    assert_int_equal(choose(f, rdt), -EINVAL);
    assert_non_null(strstr(f->e.text, "linux.intelRdt.schemata[1]"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas),
        cmocka_unit_test(mounts),
        cmocka_unit_test_setup_teardown(own_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(named_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

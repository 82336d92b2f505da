/* Scopes of systemd's: their names, and limits and annotations as properties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "kernel/systemd.h"
#include "oci/oci.h"

static void test_names(void **state) {
    static const struct {
        const char *path, *slice, *scope, *cgroup;
    } rows[] = {
        {NULL, "system.slice", "tare-c.scope", "/system.slice/tare-c.scope"},
        {"", "system.slice", "tare-c.scope", "/system.slice/tare-c.scope"},
        {"a-b.slice:cri:x", "a-b.slice", "cri-x.scope", "/a.slice/a-b.slice/cri-x.scope"},
        {":libpod:1", "system.slice", "libpod-1.scope", "/system.slice/libpod-1.scope"},
        {"machine.slice::x", "machine.slice", "x.scope", "/machine.slice/x.scope"},
        {"-.slice:p:x", "-.slice", "p-x.scope", "/p-x.scope"},
        {"/a/b", NULL, NULL, NULL},
        {"a:b", NULL, NULL, NULL},
        {"a:b:c", NULL, NULL, NULL},
        {"../a.slice:b:c", NULL, NULL, NULL},
        {"a/b.slice:b:c", NULL, NULL, NULL},
        {"-a.slice:b:c", NULL, NULL, NULL},
        {"a--b.slice:b:c", NULL, NULL, NULL},
        {"a-.slice:b:c", NULL, NULL, NULL},
        {".slice:b:c", NULL, NULL, NULL},
        {"a.slice:b:../c", NULL, NULL, NULL},
        {"a.slice:b:", NULL, NULL, NULL},
        {"a.slice:b:c.slice", NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        const char *slice, *scope, *cgroup;
        int r = oci_scope_parse(rows[i].path, "c", "system.slice", &a, &slice, &scope, &cgroup, &e);

        if (!rows[i].slice) {
            assert_true(r < 0);
            assert_non_null(strstr(e.text, "linux.cgroupsPath"));
            continue;
        }
        assert_int_equal(r, 0);
        assert_string_equal(slice, rows[i].slice);
        assert_string_equal(scope, rows[i].scope);
        assert_string_equal(cgroup, rows[i].cgroup);
    }
}

static const struct systemd_property *find(const struct list *l, const char *name) {
    static const struct systemd_property none;

    for (size_t i = 0; i < l->n; i++)
        if (strcmp(LIST_AT(struct systemd_property, l, i)->name, name) == 0)
            return LIST_AT(struct systemd_property, l, i);
    fail_msg("no property %s", name);
    return &none;
}

static void test_limits(void **state) {
    struct oci_memory memory = {.limit = {true, 100}, .swap = {true, 250}};
    struct oci_cpu cpu = {.shares = {true, 1024}, .quota = {true, 50000}, .period = {true, 200000}, .cpus = "0-1,9"};
    struct oci_pids pids = {.limit = {true, -1}};
    struct oci_resources resources = {.memory = &memory, .cpu = &cpu, .pids = &pids};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct list l = {0};

    (void)state;
    map_set(&a, &resources.unified, "memory.high", "4096");
    map_set(&a, &resources.unified, "cpu.idle", "1");
    assert_int_equal(oci_scope_limits(&resources, &a, &l, NULL), 0);
    assert_int_equal(l.n, 8);
    assert_int_equal(find(&l, "MemoryMax")->number, 100);
    assert_int_equal(find(&l, "MemorySwapMax")->number, 150);
    assert_int_equal(find(&l, "CPUWeight")->number, 100);
    assert_int_equal(find(&l, "CPUQuotaPerSecUSec")->number, 250000);
    assert_int_equal(find(&l, "CPUQuotaPeriodUSec")->number, 200000);
    assert_int_equal(find(&l, "AllowedCPUs")->n, 2);
    assert_memory_equal(find(&l, "AllowedCPUs")->data, "\3\2", 2);
    assert_true(find(&l, "TasksMax")->number == UINT64_MAX);
    assert_int_equal(find(&l, "MemoryHigh")->number, 4096);
    cpu.cpus = "0-99999";
    assert_int_equal(oci_scope_limits(&resources, &a, &l, NULL), -EINVAL);
}

static void test_annotations(void **state) {
    static const struct {
        const char *value, *type;
        uint64_t number;
    } rows[] = {
        {"true", "b", 1},
        {"false", "b", 0},
        {"uint64 18446744073709551615", "t", UINT64_MAX},
        {"int32 -5", "i", (uint64_t)-5},
        {"7", "i", 7},
        {"uint32 4294967295", "u", UINT32_MAX},
        {"'a \\' b'", "s", 0},
        {"\"x\"", "s", 0},
        {"['a', 'b']", "as", 0},
        {"[]", "as", 0},
        {"", NULL, 0},
        {"uint32 4294967296", NULL, 0},
        {"uint64 -1", NULL, 0},
        {"uint64", NULL, 0},
        {"5x", NULL, 0},
        {"-", NULL, 0},
        {"'a", NULL, 0},
        {"'a' b", NULL, 0},
        {"['a'", NULL, 0},
        {"['a' 'b']", NULL, 0},
        {"[1]", NULL, 0},
        {"int32 -2147483649", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct map annotations = {0};
        struct list l = {0};
        int r;

        map_set(&a, &annotations, "other", "''");
        map_set(&a, &annotations, "org.systemd.property.Name", rows[i].value);
        r = oci_scope_annotations(&annotations, &a, &l, NULL);
        assert_int_equal(r, rows[i].type ? 0 : -EINVAL);
        if (r < 0)
            continue;
        assert_int_equal(l.n, 1);
        assert_string_equal(find(&l, "Name")->type, rows[i].type);
        assert_true(find(&l, "Name")->number == rows[i].number);
    }
}

static void test_reserved(void **state) {
    static const char *const names[] = {"Slice", "Delegate", "PIDs", "", "1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct map annotations = {0};
        struct list l = {0};

        map_set(&a, &annotations, arena_printf(&a, "org.systemd.property.%s", names[i]), "true");
        assert_int_equal(oci_scope_annotations(&annotations, &a, &l, NULL), -EINVAL);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_limits),
                                              cmocka_unit_test(test_annotations), cmocka_unit_test(test_reserved)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

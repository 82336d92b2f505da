/* The default profile: counts that documentation states, and which sysctls are a container's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/security_defaults.h"

static void defaults(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct list rules = {0};

    (void)state;
    assert_int_equal(__builtin_popcountll(security_capabilities), 11);
    security_device_rules(&a, &rules);
    assert_int_equal(rules.n, 10);
    assert_false(LIST_AT(struct oci_device_rule, &rules, 0)->allow);
    for (size_t i = 0; i < rules.n; i++) /* none about block devices, none that makes any node */
        if (LIST_AT(struct oci_device_rule, &rules, i)->allow)
            assert_true(LIST_AT(struct oci_device_rule, &rules, i)->major.set);
}

static void sysctls(void **state) {
    static const struct security_namespaces all = {true, true, true}, host = {false, false, false};
    static const struct {
        const char *key, *value;
        int result, on_host;
    } cases[] = {
        {"net.ipv4.ip_forward", "1", 0, -EPERM},
        {"net/ipv4/conf/eth0.100/rp_filter", "1", 0, -EPERM},
        {"kernel.shmmax", "1", 0, -EPERM},
        {"kernel.shm_rmid_forced", "1", 0, -EPERM},
        {"fs.mqueue.msg_max", "10", 0, -EPERM},
        {"kernel.domainname", "x", 0, -EPERM},
        {"kernel.core_pattern", "|/x", -EPERM, -EPERM},
        {"kernel.shmmaxx", "1", -EPERM, -EPERM},
        {"vm.overcommit_memory", "1", -EPERM, -EPERM},
        {"netx.a", "1", -EPERM, -EPERM},
        {"net", "1", -EPERM, -EPERM},
        {"net.ipv4.x", "1\nkernel.core_pattern=x", -EINVAL, -EINVAL},
        {"net/../kernel/core_pattern", "x", -EINVAL, -EINVAL},
        {"net..x", "x", -EINVAL, -EINVAL},
        {"net.ipv4.x+kernel.y", "x", -EINVAL, -EINVAL},
        {"net.a/../b", "x", -EINVAL, -EINVAL},
        {"net/a/.", "x", -EINVAL, -EINVAL},
        {"", "x", -EINVAL, -EINVAL},
        {"/net/x", "x", -EINVAL, -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (security_check_sysctl(cases[i].key, cases[i].value, &all, NULL) != cases[i].result)
            fail_msg("%s with namespaces of its own", cases[i].key);
        if (security_check_sysctl(cases[i].key, cases[i].value, &host, NULL) != cases[i].on_host)
            fail_msg("%s with the host's namespaces", cases[i].key);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(sysctls)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

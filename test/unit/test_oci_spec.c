/* The runtime specification's document: what the schema allows is read, what it forbids is refused with the field's path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/oci_spec.h"

static const char whole[] =
    "{\"ociVersion\":\"1.2.0\",\"hostname\":\"h\",\"domainname\":\"d\",\"annotations\":{\"a\":\"b\"},\"root\":{\"path\":\"rootfs\","
    "\"readonly\":true},\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":25,\"width\":80},\"user\":{\"uid\":1,\"gid\":2,"
    "\"umask\":63,\"additionalGids\":[3,4]},\"args\":[\"sh\",\"-c\",\"\"],\"env\":[\"A=b\"],\"cwd\":\"/"
    "\",\"capabilities\":{\"bounding\":["
    "\"CAP_KILL\"],\"ambient\":[]},\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,\"soft\":0}],"
    "\"noNewPrivileges\":true,\"oomScoreAdj\":-5,\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},\"scheduler\":{"
    "\"policy\":"
    "\"SCHED_BATCH\",\"flags\":[\"SCHED_FLAG_RECLAIM\"]},\"execCPUAffinity\":{\"initial\":\"0-3,7\"}},\"mounts\":[{\"destination\":"
    "\"/p\","
    "\"type\":\"proc\",\"options\":[\"ro\"]}],\"hooks\":{\"poststop\":[{\"path\":\"/bin/"
    "x\",\"timeout\":5}]},\"linux\":{\"devices\":[{"
    "\"path\":\"/dev/"
    "fuse\",\"type\":\"c\",\"major\":10,\"minor\":229,\"fileMode\":438,\"uid\":0}],\"netDevices\":{\"eth0\":{\"name\":"
    "\"x\"}},\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":32000}],\"namespaces\":[{\"type\":\"pid\"},{\"type\":"
    "\"network\","
    "\"path\":\"/"
    "n\"}],\"resources\":{\"unified\":{\"memory.high\":\"1\"},\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],\"memory\":{"
    "\"limit\":-1,\"swappiness\":0,\"disableOOMKiller\":false},\"cpu\":{\"shares\":1024,\"quota\":-1,\"cpus\":\"0-1\"},\"pids\":{"
    "\"limit\":"
    "7},\"blockIO\":{\"weight\":10,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}]},\"hugepageLimits\":[{"
    "\"pageSize\":"
    "\"2MB\",\"limit\":9}],\"rdma\":{\"mlx5\":{\"hcaHandles\":3}},\"network\":{\"classID\":1,\"priorities\":[{\"name\":\"e\","
    "\"priority\":5}]"
    "}},\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\"],\"syscalls\":[{\"names\":["
    "\"read\"],"
    "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":18446744073709551615,\"op\":\"SCMP_CMP_EQ\"}]}]},"
    "\"rootfsPropagation\":\"slave\",\"sysctl\":{\"net.core.somaxconn\":\"256\"},\"maskedPaths\":[\"/a\"],\"readonlyPaths\":[\"/"
    "b\"],"
    "\"intelRdt\":{\"closID\":\"c\",\"memBwSchema\":\"MB:0=20\"},\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\"},"
    "\"personality\":{"
    "\"domain\":\"LINUX32\"},\"timeOffsets\":{\"boottime\":{\"secs\":-7,\"nanosecs\":100}}},\"unknown\":{\"x\":[1]}}";

static void reads_and_writes_the_same(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    _cleanup_buf_ struct buf once = BUF_INIT, twice = BUF_INIT;
    struct oci_spec spec, again;

    (void)state;
    assert_int_equal(oci_spec_decode(whole, sizeof(whole) - 1, &a, &spec, &e), 0);
    assert_true(LIST_AT(struct oci_rlimit, &spec.process->rlimits, 0)->hard == UINT64_MAX);
    assert_string_equal(LIST_AT(struct oci_net_device, &spec.linux_->net_devices, 0)->key, "eth0");
    assert_int_equal(LIST_AT(struct oci_time_offset, &spec.linux_->time_offsets, 0)->secs, -7);
    assert_true(spec.linux_->resources->memory->disable_oom_killer.set);
    assert_string_equal(oci_spec_namespace(&spec, "network")->path, "/n");
    assert_null(oci_spec_namespace(&spec, "user"));
    json_encode(&oci_spec_table, &spec, 0, &once);
    assert_int_equal(oci_spec_decode(once.data, once.size, &a, &again, &e), 0);
    json_encode(&oci_spec_table, &again, 0, &twice);
    assert_string_equal(once.data, twice.data);
}

static void names_the_bad_field(void **state) {
    static const struct {
        const char *json, *path;
    } cases[] = {
        {"{}", "ociVersion"},
        {"{\"ociVersion\":1}", "ociVersion"},
        {"{\"ociVersion\":\"1\",\"root\":{}}", "root.path"},
        {"{\"ociVersion\":\"1\",\"process\":{}}", "process.cwd"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":4294967296}}}", "process.user.uid"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":-1}}}", "process.user.uid"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"rlimits\":[{\"type\":\"NOFILE\",\"soft\":1,\"hard\":1}]}}",
         "process.rlimits[0].type"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"args\":[1]}}", "process.args[0]"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"consoleSize\":{\"height\":1}}}", "process.consoleSize.width"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"scheduler\":{\"policy\":\"FAST\"}}}", "process.scheduler.policy"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"oomScoreAdj\":\"5\"}}", "process.oomScoreAdj"},
        {"{\"ociVersion\":\"1\",\"mounts\":[{\"type\":\"x\"}]}", "mounts[0].destination"},
        {"{\"ociVersion\":\"1\",\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}}", "hooks.poststop[0].timeout"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"namespaces\":[{\"type\":\"moon\"}]}}", "linux.namespaces[0].type"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"devices\":[{\"path\":\"/d\",\"type\":\"x\"}]}}", "linux.devices[0].type"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"devices\":[{\"path\":\"/d\",\"type\":\"c\",\"fileMode\":512}]}}",
         "linux.devices[0].fileMode"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"2M\",\"limit\":1}]}}}",
         "linux.resources.hugepageLimits[0].pageSize"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"resources\":{\"pids\":{}}}}", "linux.resources.pids.limit"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"resources\":{\"blockIO\":{\"weight\":65536}}}}", "linux.resources.blockIO.weight"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],"
         "\"action\":"
         "\"SCMP_ACT_ALLOW\"}]}}}",
         "linux.seccomp.syscalls[0].names"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"rootfsPropagation\":\"common\"}}", "linux.rootfsPropagation"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"timeOffsets\":{\"wall\":{}}}}", "linux.timeOffsets"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"intelRdt\":{\"memBwSchema\":\"L3:1\"}}}", "linux.intelRdt.memBwSchema"},
        {"{\"ociVersion\":\"1\",\"linux\":{\"sysctl\":{\"a\":1}}}", "linux.sysctl"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct oci_spec spec;

        assert_int_equal(oci_spec_decode(cases[i].json, strlen(cases[i].json), &a, &spec, &e), -EINVAL);
        if (strncmp(e.text, cases[i].path, strlen(cases[i].path)) != 0)
            fail_msg("\"%s\" does not begin with %s", e.text, cases[i].path);
    }
}

static void survives_monsters(void **state) {
    const size_t size = 10 << 20;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_free_ char *text = malloc(size);
    struct oci_spec spec;

    (void)state;
    assert_non_null(text);
    memset(text, '[', size);
    assert_true(oci_spec_decode(text, size, &a, &spec, NULL) < 0);
    for (size_t i = 0; i + 4 < size; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    assert_true(oci_spec_decode(text, 5000, &a, &spec, NULL) < 0);
    assert_int_equal(oci_spec_decode(text, OCI_CONFIG_MAX + 1, &a, &spec, NULL), -EFBIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_the_same),
        cmocka_unit_test(names_the_bad_field),
        cmocka_unit_test(survives_monsters),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a container's record becomes in the OCI configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/spec.h"
#include "model/security_defaults.h"

static struct arena a;
static struct error e;
static struct container_record record;
static struct spec_input in;
static struct oci_spec spec;
static struct list adjustments;

static int setup(void **state) {
    (void)state;
    a = (struct arena)ARENA_INIT;
    e = (struct error)ERROR_INIT;
    record = (struct container_record){.id = "c0ffee", .name = "x", .path = "/bin/true"};
    record.config.hostname = "box";
    in = (struct spec_input){.record = &record, .cgroups_path = "/tare/x", .cpus = 2, .user = {.home = "/root"}};
    for (int i = 0; i < SPEC_RLIMITS; i++)
        in.rlimit_hard[i] = UINT64_MAX;
    adjustments = (struct list){0};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_release(&a);
    error_release(&e);
    return 0;
}

static int build(void) {
    return spec_build(&in, &a, &spec, &adjustments, &e);
}

static const struct oci_mount *mount_at(const char *destination) {
    for (size_t i = 0; i < spec.mounts.n; i++)
        if (strcmp(LIST_AT(struct oci_mount, &spec.mounts, i)->destination, destination) == 0)
            return LIST_AT(struct oci_mount, &spec.mounts, i);
    return NULL;
}

static void defaults(void **state) {
    (void)state;
    assert_int_equal(build(), 0);
    assert_string_equal(spec.process->cwd, "/");
    assert_true(strs_has(&spec.process->env, "HOSTNAME=box"));
    assert_true(strs_has(&spec.process->env, "HOME=/root"));
    assert_true(strs_has(&spec.process->capabilities->bounding, "CAP_CHOWN"));
    assert_false(strs_has(&spec.process->capabilities->bounding, "CAP_SYS_ADMIN"));
    assert_int_equal(spec.process->capabilities->effective.n, spec.process->capabilities->bounding.n);
    assert_int_equal(spec.linux_->resources->pids->limit.value, SECURITY_PIDS_LIMIT);
    assert_null(spec.linux_->resources->block_io);
    assert_true(strs_has(&spec.linux_->masked_paths, "/proc/kcore"));
    assert_true(strs_has(&spec.linux_->readonly_paths, "/proc/sys"));
    assert_true(strs_has(&mount_at("/sys")->options, "ro"));
    for (size_t i = 0; i < 6; i++)
        assert_true(oci_spec_namespace(&spec, (const char *[]){"mount", "pid", "ipc", "uts", "network", "cgroup"}[i]));
    assert_null(oci_spec_namespace(&spec, "user"));
}

static void not_root(void **state) {
    (void)state;
    in.user.uid = 1000;
    assert_int_equal(build(), 0);
    assert_int_equal(spec.process->capabilities->effective.n, 0);
    assert_true(spec.process->capabilities->bounding.n > 0);
}

static void privileged(void **state) {
    (void)state;
    record.host.privileged = true;
    assert_int_equal(build(), 0);
    assert_int_equal(spec.linux_->masked_paths.n, 0);
    assert_int_equal(spec.linux_->readonly_paths.n, 0);
    assert_null(spec.linux_->resources->pids);
    assert_true(strs_has(&mount_at("/sys")->options, "rw"));
}

static void capabilities(void **state) {
    (void)state;
    strs_add(&a, &record.host.cap_drop, "ALL");
    strs_add(&a, &record.host.cap_add, "net_raw");
    assert_int_equal(build(), 0);
    assert_int_equal(spec.process->capabilities->bounding.n, 1);
    assert_string_equal(spec.process->capabilities->bounding.v[0], "CAP_NET_RAW");
    strs_add(&a, &record.host.cap_add, "nosuch");
    assert_true(build() < 0);
}

static void limits(void **state) {
    (void)state;
    record.host.memory = 64 << 20;
    record.host.nano_cpus = 1500000000;
    record.host.pids_limit = (struct opt_i64){true, -1};
    record.host.blkio_weight = 200;
    in.block_io = arena_new(&a, struct oci_block_io);
    *LIST_ADD(&a, struct oci_throttle_device, &in.block_io->throttle_read_bps_device) = (struct oci_throttle_device){8, 0, 1000};
    assert_int_equal(build(), 0);
    const struct oci_resources *r = spec.linux_->resources;
    assert_int_equal(r->memory->limit.value, 64 << 20);
    assert_int_equal(r->memory->swap.value, 128 << 20);
    assert_int_equal(r->cpu->quota.value, 150000);
    assert_int_equal(r->cpu->period.value, 100000);
    assert_int_equal(r->pids->limit.value, -1);
    assert_int_equal(r->block_io->weight.value, 200);
    assert_int_equal(r->block_io->throttle_read_bps_device.n, 1);
}

/* A default above the host's limit is lowered and told; one that was asked for is refused. */
static void rlimits(void **state) {
    (void)state;
    for (int i = 0; i < SPEC_RLIMITS; i++)
        in.rlimit_hard[i] = 10;
    assert_int_equal(build(), 0);
    assert_true(adjustments.n > 0);
    *LIST_ADD(&a, struct ulimit, &record.host.ulimits) = (struct ulimit){.name = "nofile", .soft = 20, .hard = 20};
    assert_int_equal(build(), -EPERM);
    in.may_raise = true;
    assert_int_equal(build(), 0);
}

static void modes(void **state) {
    (void)state;
    record.host.network_mode = "host";
    record.host.pid_mode = "host";
    record.host.ipc_mode = "none";
    assert_int_equal(build(), 0);
    assert_null(oci_spec_namespace(&spec, "network"));
    assert_null(oci_spec_namespace(&spec, "pid"));
    assert_null(mount_at("/dev/shm"));
    map_set(&a, &record.host.sysctls, "net.core.somaxconn", "1");
    assert_true(build() < 0); /* it is the host's */
    record.host.network_mode = "none";
    error_release(&e);
    e = (struct error)ERROR_INIT;
    assert_int_equal(build(), 0);
}

static void mounts(void **state) {
    (void)state;
    struct mount_point m = {.type = "bind", .source = "/b", .destination = "/x/y", .options = "noexec", .rw = false};
    *LIST_ADD(&a, struct mount_point, &record.mounts) = m;
    m = (struct mount_point){.type = "tmpfs", .source = "", .destination = "/x", .rw = true};
    *LIST_ADD(&a, struct mount_point, &record.mounts) = m;
    assert_int_equal(build(), 0);
    assert_true(mount_at("/x") < mount_at("/x/y")); /* parents first */
    assert_true(strs_has(&mount_at("/x/y")->options, "rro"));
    assert_true(strs_has(&mount_at("/x/y")->options, "noexec"));
    assert_true(strs_has(&mount_at("/x")->options, "nosuid"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(not_root, setup, teardown),
        cmocka_unit_test_setup_teardown(privileged, setup, teardown),
        cmocka_unit_test_setup_teardown(capabilities, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(rlimits, setup, teardown),
        cmocka_unit_test_setup_teardown(modes, setup, teardown),
        cmocka_unit_test_setup_teardown(mounts, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

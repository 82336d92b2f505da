/* Plans: what is planned for a configuration, in which order; that a damaged blob is refused. */
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cgroup.h"
#include "runtime/rootless.h"
#include "runtime/step.h"

#define BASE                                                                                                                       \
    "\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/work\",\"args\":[\"true\"],\"env\":[\"PATH=/"                                \
    "bin\"],\"user\":{\"uid\":5,\"gid\":6}},"                                                                                      \
    "\"root\":{\"path\":\"/r\",\"readonly\":true},\"hostname\":\"box\","
#define ALL_NEW                                                                                                                    \
    "{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"uts\"},{\"type\":\"ipc\"},{\"type\":\"cgroup\"}"

struct fixture {
    struct arena arena;
    struct oci_spec spec;
    struct plan_context context;
    struct plan plan;
    struct error e;
};

static int build(struct fixture *f, const char *json) {
    int r = oci_spec_decode(json, strlen(json), &f->arena, &f->spec, &f->e);

    return r < 0 ? r : plan_build(&f->spec, &f->context, &f->plan, &f->e);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->context.id = "c1";
    f->context.dev_fill = true;
    f->context.rootfs.kind = PLAN_ROOTFS_OVERLAY;
    strs_add(&f->arena, &f->context.rootfs.lowers, "/layers/top");
    strs_add(&f->arena, &f->context.rootfs.lowers, "/layers/bottom");
    f->context.rootfs.upper = "/c/upper";
    f->context.rootfs.work = "/c/work";
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;

    plan_release(&f->plan);
    error_release(&f->e);
    arena_release(&f->arena);
    free(f);
    return 0;
}

/* Index of the n-th step of that operation; -1. */
static int find(const struct plan *p, enum plan_op op, int n) {
    for (size_t i = 0; i < p->n; i++)
        if (p->steps[i].op == op && n-- == 0)
            return (int)i;
    return -1;
}

static const struct plan_step *at(const struct plan *p, enum plan_op op, int n) {
    int i = find(p, op, n);

    assert_true(i >= 0);
    return &p->steps[i];
}

static void assert_order(const struct plan *p, enum plan_op first, enum plan_op then) {
    assert_true(find(p, first, 0) >= 0);
    assert_true(find(p, then, 0) >= 0);
    assert_true(find(p, first, 0) < find(p, then, 0));
}

static void order_of_steps(void **state) {
    struct fixture *f = *state;
    const struct plan *p = &f->plan;

    assert_int_equal(build(f,
                           "{" BASE "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\"},{\"destination\":\"/dev\",\"type\":"
                           "\"tmpfs\"}],\"linux\":{\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"],"
                           "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},\"namespaces\":[" ALL_NEW "]}}"),
                     0);
    assert_order(p, PLAN_UPPER_MAKE, PLAN_CLONE);
    assert_order(p, PLAN_PROPAGATION, PLAN_ROOT_OVERLAY);
    assert_order(p, PLAN_ROOT_OVERLAY, PLAN_ROOT_ATTACH);
    assert_order(p, PLAN_ROOT_ATTACH, PLAN_MOUNT);
    assert_order(p, PLAN_MOUNT, PLAN_NODE);
    assert_order(p, PLAN_NODE, PLAN_MASK);
    assert_order(p, PLAN_SYSCTL, PLAN_READ_ONLY); /* or /proc/sys could not be written */
    assert_order(p, PLAN_DIRECTORY, PLAN_ROOT_SEAL);
    assert_order(p, PLAN_ROOT_SEAL, PLAN_PIVOT);
    assert_order(p, PLAN_PIVOT, PLAN_CWD);
    assert_order(p, PLAN_BOUND, PLAN_USER);
    assert_order(p, PLAN_USER, PLAN_READY);
    assert_order(p, PLAN_READY, PLAN_CAPABILITIES);
    assert_int_equal(find(p, PLAN_EXEC, 0), (int)p->n - 1);
    /* The cgroup namespace is made when the child is in its cgroup, not by the clone. */
    assert_int_equal(at(p, PLAN_CLONE, 0)->arg[0], CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC);
    assert_int_equal(at(p, PLAN_NAMESPACE_NEW, 0)->arg[0], CLONE_NEWCGROUP);
    assert_int_equal(plan_count(p, at(p, PLAN_ROOT_OVERLAY, 0)->arg[0]), 2);
    assert_string_equal(plan_first(p, at(p, PLAN_ROOT_OVERLAY, 0)->arg[0]), "/layers/top");
    assert_int_equal(find(p, PLAN_ID_MAP, 0), -1);
}

/* Nobody can be born into a group that may hold no process (cgroup v2): that limit is written when the child is there. */
static void limit_of_no_process(void **state) {
    struct fixture *f = *state;
    const struct plan *p = &f->plan;

    *LIST_ADD(&f->arena, struct cgroup_op, &f->context.cgroup_ops) = (struct cgroup_op){.kind = CGROUP_MKDIR, .dir = "/g"};
    *LIST_ADD(&f->arena, struct cgroup_op, &f->context.cgroup_ops) =
        (struct cgroup_op){.kind = CGROUP_WRITE, .dir = "/g", .file = "pids.max", .value = "0", .flags = CGROUP_LATE};
    assert_int_equal(build(f, "{" BASE "\"linux\":{\"namespaces\":[" ALL_NEW "]}}"), 0);
    assert_int_equal(at(p, PLAN_CGROUP, 0)->role, PLAN_HOST);
    assert_int_equal(at(p, PLAN_CGROUP, 1)->role, PLAN_PARENT);
    assert_true(find(p, PLAN_CGROUP, 1) > find(p, PLAN_CLONE, 0));
    assert_true(find(p, PLAN_CGROUP, 1) < find(p, PLAN_RELEASE, 0));
}

/* Who gets the container's group: {mounts, user namespace, layout of version 2 alone} to the user id, NULL for nobody. */
static void owner_of_the_group(void **state) {
    static const char rw[] =
        "{\"destination\":\"/sys/fs/cgroup/\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"nosuid\"]}";
    static const char ro[] = "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"ro\"]}";
    static const struct {
        const char *mount, *namespaces, *name, *owner;
    } cases[] = {
        {rw, ALL_NEW ",{\"type\":\"user\"}", NULL, "70005"},
        {rw, ALL_NEW, NULL, "5"},
        {ro, ALL_NEW ",{\"type\":\"user\"}", NULL, NULL},
        {"", ALL_NEW ",{\"type\":\"user\"}", NULL, NULL},
        {rw, ALL_NEW ",{\"type\":\"user\"}", "unified", NULL}, /* version 1 or both */
        {rw, "{\"type\":\"mount\"},{\"type\":\"user\"},{\"type\":\"uts\"}", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture *f;
        void *room;
        char json[2048];
        int at_step;

        assert_int_equal(setup(&room), 0);
        f = room;
        *LIST_ADD(&f->arena, struct plan_cgroup_mount, &f->context.cgroup_mounts) =
            (struct plan_cgroup_mount){.name = cases[i].name, .dir = "/sys/fs/cgroup/g"};
        (void)snprintf(json, sizeof(json),
                       "{" BASE "\"mounts\":[%s],\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":70000,\"size\":1000}],"
                       "\"gidMappings\":[{\"containerID\":0,\"hostID\":80000,\"size\":1000}],\"namespaces\":[%s]}}",
                       cases[i].mount, cases[i].namespaces);
        assert_int_equal(build(f, json), 0);
        at_step = find(&f->plan, PLAN_CGROUP, 0);
        assert_int_equal(at_step >= 0, cases[i].owner != NULL);
        if (at_step >= 0) {
            assert_int_equal(f->plan.steps[at_step].arg[0], CGROUP_GIVE);
            assert_string_equal(plan_text(&f->plan, f->plan.steps[at_step].arg[4]), cases[i].owner);
            assert_order(&f->plan, PLAN_CGROUP, PLAN_CLONE);
        }
        (void)teardown(&room);
    }
    (void)state;
}

static void user_namespace(void **state) {
    struct fixture *f = *state;
    const struct plan *p = &f->plan;

    f->context.rootfs.id_map = true;
    assert_int_equal(build(f, "{" BASE "\"mounts\":[{\"destination\":\"/v\",\"source\":\"/host/"
                              "v\",\"options\":[\"rbind\"]},{\"destination\":\"/dev\",\"type\":\"tmpfs\"}],"
                              "\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":70000,\"size\":1000}],"
                              "\"gidMappings\":[{\"containerID\":0,\"hostID\":80000,\"size\":1000}],\"namespaces\":[" ALL_NEW
                              ",{\"type\":\"user\"}]}}"),
                     0);
    assert_int_equal(at(p, PLAN_UPPER_MAKE, 0)->arg[2], 70000);
    assert_int_equal(at(p, PLAN_UPPER_MAKE, 0)->arg[3], 80000);
    assert_string_equal(plan_text(p, at(p, PLAN_ID_MAP, 0)->arg[0]), "0 70000 1000\n");
    assert_order(p, PLAN_ID_MAP, PLAN_TREE_MAP); /* the namespace is worth nothing before */
    assert_int_equal(at(p, PLAN_TREE_OPEN, 0)->role, PLAN_HOST);
    assert_string_equal(plan_text(p, at(p, PLAN_TREE_OPEN, 3)->arg[1]), "/host/v");
    assert_int_equal(at(p, PLAN_BIND, 0)->arg[1], at(p, PLAN_TREE_OPEN, 3)->arg[0]);
    assert_int_equal(find(p, PLAN_TREE_MAP, 2), -1); /* lowers only: neither upper nor the volume */
    assert_order(p, PLAN_AWAIT, PLAN_BECOME_ROOT);
    assert_int_equal(at(p, PLAN_NODE, 0)->arg[5], 1); /* bound, since it cannot be made */
}

static void without_mount_namespace(void **state) {
    struct fixture *f = *state;
    const struct plan *p = &f->plan;

    f->context.rootfs = (struct plan_rootfs){.kind = PLAN_ROOTFS_NONE};
    assert_int_equal(build(f, "{" BASE "\"linux\":{\"maskedPaths\":[\"/proc/kcore\"],\"namespaces\":[{\"type\":\"uts\"}]}}"), 0);
    assert_int_equal(at(p, PLAN_CLONE, 0)->arg[0], CLONE_NEWUTS);
    assert_int_equal(find(p, PLAN_PIVOT, 0), -1);
    assert_int_equal(find(p, PLAN_MASK, 0), -1);
    assert_int_equal(find(p, PLAN_LINK_CONFIGURE, 0), -1);
    assert_true(find(p, PLAN_HOSTNAME, 0) > 0);
}

static void joined_namespaces(void **state) {
    struct fixture *f = *state;
    const struct plan *p = &f->plan;

    assert_int_equal(build(f, "{" BASE "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"},"
                              "{\"type\":\"network\",\"path\":\"/ns/net\"},{\"type\":\"pid\",\"path\":\"/ns/pid\"}]}}"),
                     0);
    assert_int_equal(at(p, PLAN_CLONE, 0)->arg[0], CLONE_NEWNS | CLONE_NEWUTS);
    assert_int_equal(at(p, PLAN_NAMESPACE_CHILDREN, 0)->arg[1], CLONE_NEWPID);
    assert_order(p, PLAN_NAMESPACE_CHILDREN, PLAN_CLONE);
    assert_int_equal(at(p, PLAN_NAMESPACE_JOIN, 0)->arg[1], CLONE_NEWNET);
    assert_int_equal(find(p, PLAN_LINK_CONFIGURE, 0), -1); /* whose network it is has set it up */
}

static void refused(void **state) {
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"{" BASE "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}", "hostname: cannot be set"},
        {"{" BASE "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"},{\"type\":\"uts\"}]}}", "appears twice"},
        {"{" BASE "\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}}", "needs a mount namespace"},
        {"{" BASE "\"linux\":{\"namespaces\":[" ALL_NEW ",{\"type\":\"user\"}]}}", "needs mappings"},
        {"{" BASE
         "\"mounts\":[{\"destination\":\"/proc/sys\",\"source\":\"/x\",\"options\":[\"bind\"]}],\"linux\":{\"namespaces\":[" ALL_NEW
         "]}}",
         "inside /proc"},
        {"{" BASE
         "\"mounts\":[{\"destination\":\"//..//\",\"source\":\"/x\",\"options\":[\"bind\"]}],\"linux\":{\"namespaces\":[" ALL_NEW
         "]}}",
         "over the root"},
        {"{" BASE
         "\"mounts\":[{\"destination\":\"/a\",\"source\":\"/x\",\"options\":[\"bind\",\"rshared\",\"private\"]}],\"linux\":{"
         "\"namespaces\":[" ALL_NEW "]}}",
         "contradicts"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"rel\",\"args\":[\"a\"]},\"linux\":{\"namespaces\":[" ALL_NEW "]}}",
         "not an absolute path"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"args\":[]},\"linux\":{\"namespaces\":[" ALL_NEW "]}}", "no command"},
        {"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"env\":[\"=x\"]},\"linux\":{\"namespaces\":[" ALL_NEW
         "]}}",
         "process.env[0]"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(build(f, cases[i].json) < 0);
        assert_non_null(f->e.text);
        if (!strstr(f->e.text, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", f->e.text, cases[i].says);
        error_release(&f->e);
        f->e = (struct error)ERROR_INIT;
    }
}

static void blobs(void **state) {
    struct fixture *f = *state;
    _cleanup_buf_ struct buf blob = BUF_INIT, first = BUF_INIT, second = BUF_INIT;
    struct plan decoded;

    assert_int_equal(build(f, "{" BASE "\"linux\":{\"maskedPaths\":[\"/a b\"],\"namespaces\":[" ALL_NEW "]}}"), 0);
    plan_encode(&f->plan, &blob);
    assert_int_equal(plan_decode(blob.data, blob.size, &decoded, &f->e), 0);
    plan_print(&f->plan, &first);
    plan_print(&decoded, &second);
    assert_string_equal(first.data, second.data);
    assert_non_null(strstr(first.data, "mask path=\"/a b\""));
    assert_int_equal(plan_decode(blob.data, blob.size - 1, &decoded, &f->e), -EPROTO);
    /* Any one byte changed: refused, or at least nothing outside the blob is touched when it is shown. */
    for (size_t i = 0; i < blob.size; i += 3) {
        char kept = blob.data[i];

        blob.data[i] = (char)(kept ^ 0x5a);
        if (plan_decode(blob.data, blob.size, &decoded, NULL) == 0) {
            buf_clear(&second);
            plan_print(&decoded, &second);
        }
        blob.data[i] = kept;
    }
}

static void ranges(void **state) {
    struct id_range r[ROOTLESS_RANGES_MAX];

    (void)state;
    assert_int_equal(rootless_ranges("root:1:2\nann:100000:65536\n1000:200000:10\nannex:5:5\n", "ann", 1000, r), 2);
    assert_int_equal(r[0].start, 100000);
    assert_int_equal(r[1].count, 10);
    assert_int_equal(rootless_ranges("ann:0:65536\nann:999:5\nann:4294967290:10\nann:x:1\nann:1\n", "ann", 1000, r), 0);
    assert_int_equal(rootless_ids_mapped("         0          0 4294967295\n"), UINT32_MAX);
    assert_int_equal(rootless_ids_mapped("0 1000 1\n1 100000 65536\n"), 65537);
}

static void no_range_has_a_reason(void **state) {
    static const struct {
        const char *text, *name, *why; /* why: how it begins; NULL: there is a range */
    } rows[] = {
        {"ann:100000:65536\n", "ann", NULL},
        {"1000:100000:65536", "ann", NULL},
        {"bob:1:2\nann:x:65536\nann:100000:65536\n", "ann", NULL},
        {"", "ann", "FILE has no line for ann"},
        {"annex:100000:65536\n", "ann", "FILE has no line for ann"},
        {"bob:1:2\nann:x:65536\n", "ann", "line 2 of FILE is no range for ann"},
        {"bob:1:2\n1000:5\n", "ann", "line 2 of FILE is no range for ann"},
        {"", NULL, "FILE has no line for 1000"},
        {"1000:0:65536", NULL, "line 1 of FILE is no range for 1000"},
    };
    _cleanup_arena_ struct arena a = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *why = rootless_why_no_range("FILE", rows[i].text, rows[i].name, 1000, &a);

        assert_int_equal(why == NULL, rows[i].why == NULL);
        if (why)
            assert_memory_equal(why, rows[i].why, strlen(rows[i].why));
    }
}

/* Born into the container's pid namespace last; before the filter, if it does not let that happen. */
static void exec_is_born_last(void **state) {
    static const struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    static const struct sock_filter refuse[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO)};
    struct fixture *f = *state;
    struct plan_exec_context context = {.namespaces = CLONE_NEWNS | CLONE_NEWPID, .seccomp = allow, .seccomp_size = sizeof(allow)};
    struct oci_process process = {.cwd = "/"};

    strs_add(&f->arena, &process.args, "true");
    assert_int_equal(plan_build_exec(&process, &context, &f->plan, &f->e), 0);
    assert_int_equal(at(&f->plan, PLAN_NAMESPACE_JOIN, 0)->arg[1], CLONE_NEWNS);
    assert_int_equal(at(&f->plan, PLAN_NAMESPACE_JOIN, 1)->arg[1], CLONE_NEWPID);
    assert_true(find(&f->plan, PLAN_NAMESPACE_JOIN, 1) < find(&f->plan, PLAN_READY, 0));
    assert_order(&f->plan, PLAN_READY, PLAN_SECCOMP);
    assert_order(&f->plan, PLAN_CAPABILITIES, PLAN_BIRTH);
    assert_order(&f->plan, PLAN_BIRTH, PLAN_SESSION);
    plan_release(&f->plan);

    context.seccomp = refuse;
    assert_int_equal(plan_build_exec(&process, &context, &f->plan, &f->e), 0);
    assert_order(&f->plan, PLAN_READY, PLAN_BIRTH);
    assert_order(&f->plan, PLAN_BIRTH, PLAN_SECCOMP);
    plan_release(&f->plan);

    context.namespaces = CLONE_NEWNS;
    assert_int_equal(plan_build_exec(&process, &context, &f->plan, &f->e), 0);
    assert_int_equal(find(&f->plan, PLAN_BIRTH, 0), -1);
    assert_order(&f->plan, PLAN_SESSION, PLAN_READY);
}

/* Root of the container's user namespace has no procfs to write its label to. */
static void exec_is_labelled_before_it_joins(void **state) {
    struct fixture *f = *state;
    struct plan_exec_context context = {.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID};
    struct oci_process process = {.cwd = "/", .apparmor_profile = "some"};

    strs_add(&f->arena, &process.args, "true");
    assert_int_equal(plan_build_exec(&process, &context, &f->plan, &f->e), 0);
    assert_order(&f->plan, PLAN_LABEL, PLAN_NAMESPACE_JOIN);
    assert_int_equal(find(&f->plan, PLAN_LABEL, 1), -1);
    plan_release(&f->plan);

    context.namespaces = CLONE_NEWNS | CLONE_NEWPID;
    assert_int_equal(plan_build_exec(&process, &context, &f->plan, &f->e), 0);
    assert_order(&f->plan, PLAN_NAMESPACE_JOIN, PLAN_LABEL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order_of_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(limit_of_no_process, setup, teardown),
        cmocka_unit_test(owner_of_the_group),
        cmocka_unit_test_setup_teardown(user_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(without_mount_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(joined_namespaces, setup, teardown),
        cmocka_unit_test_setup_teardown(exec_is_born_last, setup, teardown),
        cmocka_unit_test_setup_teardown(exec_is_labelled_before_it_joins, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(blobs, setup, teardown),
        cmocka_unit_test(ranges),
        cmocka_unit_test(no_range_has_a_reason),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

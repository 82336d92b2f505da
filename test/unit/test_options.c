/* Command lines: Docker's rules for flags, and what becomes of them in the create request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"
#include "cli/container_flags.h"
#include "model/ulimit.h"

static struct arena a;
static struct error e;

static int setup(void **state) {
    (void)state;
    a = (struct arena)ARENA_INIT;
    e = (struct error)ERROR_INIT;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_release(&a);
    error_release(&e);
    return 0;
}

/* Words separated by blanks, "create" in front left out. */
static int request_of(const char *line, struct create_request *ret) {
    char *text = arena_strdup(&a, line), *save = NULL;
    const char *words[64] = {0};
    size_t n = 0, used;
    const struct command *c = command_find((const char *const[]){"create"}, 1, &used);
    struct strs args = {0};
    bool help = false;

    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    assert_non_null(c);
    struct container_flags *f = arena_alloc(&a, c->options_size);
    int r = command_parse(c, words, n, &a, f, &args, &help, &e);
    return r < 0 ? r : container_flags_request(f, &args, &a, ret, &e);
}

static void accepted(void **state) {
    struct create_request q;

    (void)state;
    /* -it together, a value in the same word, after =, in the next word; everything behind the image is the container's. */
    assert_int_equal(request_of("-it -ufoo --name=x -m 64m --memory-swap=-1 -e A=1 -e A=2 busybox ls -l --rm", &q), 0);
    assert_true(q.config.tty && q.config.open_stdin);
    assert_string_equal(q.config.user, "foo");
    assert_int_equal(q.host.memory, 64 << 20);
    assert_int_equal(q.host.memory_swap, -1);
    assert_int_equal(q.config.env.n, 1);
    assert_string_equal(q.config.env.v[0], "A=2");
    assert_string_equal(q.config.image, "busybox");
    assert_int_equal(q.config.cmd.n, 3);
    assert_false(q.host.auto_remove);
    assert_int_equal(request_of("--rm=false --init=true --cpus 1.5 --pids-limit=-1 --ulimit nofile=1:2 x", &q), 0);
    assert_false(q.host.auto_remove);
    assert_true(q.host.init.set && q.host.init.value);
    assert_int_equal(q.host.nano_cpus, 1500000000);
    assert_int_equal(q.host.pids_limit.value, -1);
    assert_int_equal(q.host.ulimits.n, 1);
    assert_int_equal(request_of("-- -x y", &q), 0);
    assert_string_equal(q.config.image, "-x");
    assert_int_equal(request_of("--network name=n,ip=10.0.0.2,alias=w --restart on-failure:3 x", &q), 0);
    assert_string_equal(q.host.network_mode, "n");
    assert_int_equal(q.host.restart.maximum_retry_count, 3);
    assert_int_equal(request_of("--blkio-weight-device /dev/a:100 --device-write-bps /dev/a:1mb x", &q), 0);
    assert_int_equal(q.host.blkio_weight_device.n, 1);
    assert_int_equal(q.host.blkio_write_bps.n, 1);
}

static void refused(void **state) {
    static const char *const lines[] = {
        "",
        "--nosuch x",
        "-Y x",
        "--memory",
        "-m 12q x",
        "--rm=maybe x",
        "--cpus one x",
        "--ulimit nofile x",
        "--ulimit nosuch=1 x",
        "--restart no:x x",
        "--restart always --rm x",
        "--device null x",
        "--device /dev/null:rwx x",
        "--device-read-bps /dev/a x",
        "--device-read-iops /dev/a:1mb x",
        "--blkio-weight-device /dev/a:5 x",
        "--blkio-weight 2000 x",
        "-e =x x",
        "--env-file /nosuch x",
        "--network name=n,gw-priority=a x",
        "--network alias=w x",
        "-p 99999:1 x",
        "--expose 0 x",
        "--health-cmd a --no-healthcheck x",
        "--security-opt seccomp=/nosuch x",
        "--rootfs /nosuch",
        "-v a:b:c:d x",
        "--mount type=bind,target=/x,nosuch=1 x",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct create_request q;

        if (request_of(lines[i], &q) >= 0)
            fail_msg("accepted: %s", lines[i]);
        assert_non_null(e.text);
        error_release(&e);
        e = (struct error)ERROR_INIT;
    }
}

static void ulimit_texts(void **state) {
    static const struct {
        const char *text;
        int64_t soft, hard; /* -2: refused */
    } rows[] = {
        {"nofile=1024", 1024, 1024},
        {"nofile=1:2", 1, 2},
        {"core=0", 0, 0},
        {"memlock=-1", -1, -1},
        {"nproc=5:-1", 5, -1},
        {"nofile=-1:5", -2, -2},
        {"nofile=3:2", -2, -2},
        {"nofile", -2, -2},
        {"=1", -2, -2},
        {"nofile=", -2, -2},
        {"nofile=a", -2, -2},
        {"nofile=1:", -2, -2},
        {"NOFILE=1", -2, -2},
        {"nofile=1:2:3", -2, -2},
        {"nofile=-2", -2, -2},
        {"nofile= 1", -2, -2},
        {"stack=9223372036854775808", -2, -2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct ulimit u;
        int r = ulimit_parse(rows[i].text, &u, NULL);

        if ((r < 0) != (rows[i].soft == -2))
            fail_msg("%s: %d", rows[i].text, r);
        if (r == 0) {
            assert_int_equal(u.soft, rows[i].soft);
            assert_int_equal(u.hard, rows[i].hard);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(ulimit_texts, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/config.h"

static int parse(const char *text, struct arena *a, struct config *c, struct error *e) {
    config_init(a, c);
    return config_parse("tare.conf", text, strlen(text), a, c, e);
}

static void defaults(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct config c;

    (void)state;
    assert_int_equal(parse("", &a, &c, NULL), 0);
    assert_string_equal(c.userns, "host");
    assert_int_equal(c.shm_size, 64 << 20);
    assert_int_equal(c.ulimits.n, 0);
    assert_null(c.root);
}

static void values(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct config c;

    (void)state;
    assert_int_equal(parse("# all of it\n\n userns = auto # a range each\r\ndns=192.0.2.1 ,192.0.2.2,\nroot = \"/srv/a # b\"\n"
                           "init = true\nshm_size = 1g\nulimits =\nstop_timeout=-1",
                           &a, &c, NULL),
                     0);
    assert_string_equal(c.userns, "auto");
    assert_int_equal(c.dns.n, 2);
    assert_string_equal(c.dns.v[1], "192.0.2.2");
    assert_string_equal(c.root, "/srv/a # b");
    assert_true(c.init);
    assert_int_equal(c.shm_size, 1 << 30);
    assert_int_equal(c.ulimits.n, 0);
    assert_int_equal(c.stop_timeout, -1);
    for (const struct config_key *key = config_keys; key->name; key++)
        if (strcmp(key->name, "dns") == 0)
            config_value(&c, key, &out);
    assert_string_equal(buf_text(&out), "192.0.2.1, 192.0.2.2");
}

static void mistakes(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"\nuserns auto", "tare.conf:2: expected `key = value`, found \"userns auto\""},
        {"colour = red", "tare.conf:1: unknown key \"colour\""},
        {"init = maybe", "tare.conf:1: init: \"maybe\" is neither true nor false"},
        {"pids_limit = many", "tare.conf:1: pids_limit: \"many\" is not a whole number"},
        {"shm_size = big", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct config c;

        assert_int_equal(parse(cases[i].text, &a, &c, &e), -EINVAL);
        if (cases[i].message)
            assert_string_equal(e.text, cases[i].message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
        cmocka_unit_test(mistakes),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

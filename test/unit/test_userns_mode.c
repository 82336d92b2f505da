/* --userns texts, and the ids on both sides of a shift. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/id_shift.h"
#include "model/userns_mode.h"

static void test_texts(void **state) {
    static const struct {
        const char *text;
        int result;
        struct userns_mode mode;
    } rows[] = {
        {NULL, 0, {USERNS_HOST}},
        {"", 0, {USERNS_HOST}},
        {"host", 0, {USERNS_HOST}},
        {"auto", 0, {USERNS_AUTO}},
        {"auto:size=5000", 0, {USERNS_AUTO, .size = 5000}},
        {"nomap", 0, {USERNS_NOMAP}},
        {"keep-id", 0, {USERNS_KEEP_ID}},
        {"keep-id:uid=0", 0, {USERNS_KEEP_ID, .has_uid = true}},
        {"keep-id:uid=1,gid=2", 0, {USERNS_KEEP_ID, .has_uid = true, .uid = 1, .has_gid = true, .gid = 2}},
        {"keep-id:gid=4294967294", 0, {USERNS_KEEP_ID, .has_gid = true, .gid = 4294967294U}},
        {"keep-id:gid=4294967295", -EINVAL, {0}},
        {"keep-id:uid=-1", -EINVAL, {0}},
        {"keep-id:uid=", -EINVAL, {0}},
        {"keep-id:uid=1,", -EINVAL, {0}},
        {"keep-id:", -EINVAL, {0}},
        {"keep-id:size=3", -EINVAL, {0}},
        {"auto:size=0", -EINVAL, {0}},
        {"auto:uid=1", -EINVAL, {0}},
        {"auto:size=00000000000000000000000000000001", -EINVAL, {0}},
        {"host:size=1", -EINVAL, {0}},
        {"nomap:uid=1", -EINVAL, {0}},
        {"private", -EINVAL, {0}},
        {"container:x", -EINVAL, {0}},
        {"autos", -EINVAL, {0}},
        {":", -EINVAL, {0}},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct userns_mode m = {0};
        struct error e = ERROR_INIT;

        assert_int_equal(userns_mode_parse(rows[i].text, &m, &e), rows[i].result);
        assert_int_equal(rows[i].result < 0, e.text != NULL);
        error_release(&e);
        assert_int_equal(m.kind, rows[i].mode.kind);
        assert_int_equal(m.size, rows[i].mode.size);
        assert_int_equal(m.has_uid, rows[i].mode.has_uid);
        assert_int_equal(m.uid, rows[i].mode.uid);
        assert_int_equal(m.has_gid, rows[i].mode.has_gid);
        assert_int_equal(m.gid, rows[i].mode.gid);
    }
}

static void test_shift(void **state) {
    const struct id_map none = {0}, range = {.start = 1000, .size = 10, .other = 65534},
                        kept = {.start = 1, .size = 2000, .keeps = true, .kept = 999, .other = 1000},
                        kept_far = {.start = 1, .size = 100, .keeps = true, .kept = 5000};
    static const struct {
        char map;
        uint32_t inside, outside;
        bool back; /* outside leads to inside, too */
    } rows[] = {
        {'n', 0, 0, true},        {'n', 77, 77, true},   {'r', 0, 1000, true}, {'r', 9, 1009, true},    {'r', 10, 65534, false},
        {'k', 0, 1, true},        {'k', 998, 999, true}, {'k', 999, 0, true},  {'k', 1000, 1001, true}, {'k', 1999, 2000, true},
        {'k', 2000, 1000, false}, {'f', 5000, 0, true},  {'f', 99, 100, true}, {'f', 100, 0, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct id_map *m = rows[i].map == 'n' ? &none : rows[i].map == 'r' ? &range : rows[i].map == 'k' ? &kept : &kept_far;

        assert_int_equal(id_outside(m, rows[i].inside), rows[i].outside);
        if (rows[i].back)
            assert_int_equal(id_inside(m, rows[i].outside), rows[i].inside);
    }
    assert_int_equal(id_inside(&range, 5), 5); /* somebody of the host */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_shift)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

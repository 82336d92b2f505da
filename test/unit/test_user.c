/* --user texts against passwd and group files, among them those that are not well meant (CVE-2022-36109, names of digits, wrapping
 * numbers, files that are no files of lines). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/user.h"

#define BAD (-1)

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "app:x:1000:1001:App:/home/app:/bin/sh\n"
                             "123:x:0:0:digits:/evil:/bin/sh\n"
                             "short:x:7\n"
                             "neg:x:-1:0::/:\n"
                             "wrap:x:4294967296:0::/:\n"
                             "minus:x:4294967295:0::/:\n"
                             "text:x:a:b::/:\n"
                             "+::::::\n"
                             "nohome:x:1003:1003:::\n"
                             "app:x:0:0:second:/root:/bin/sh\n"
                             "last:x:1009:1009::/l:/s";
static const char group[] = "root:x:0:\n"
                            "wheel:x:10:root,app\n"
                            "app:x:1001:\n"
                            "audio:x:29:app,other\n"
                            "tail:x:30:xapp,appx\n"
                            "456:x:0:\n"
                            "wide:x:4294967296:app\n"
                            "lastg:x:1009:last";

static const struct {
    const char *text;
    int64_t uid, gid; /* BAD: refused */
    const char *home;
    int groups; /* -1: not looked at */
} rows[] = {
    {NULL, 0, 0, "/root", -1},
    {"", 0, 0, "/root", -1},
    {"root", 0, 0, "/root", 1},
    {"0", 0, 0, "/root", -1},
    {"app", 1000, 1001, "/home/app", 2},
    {"1000", 1000, 1001, "/home/app", 2},
    {"app:audio", 1000, 29, "/home/app", -1},
    {"app:0", 1000, 0, "/home/app", -1},
    {"1000:1000", 1000, 1000, "/home/app", -1},
    {"5000", 5000, 0, "/", 0},
    {"5000:6000", 5000, 6000, "/", 0},
    {"5000:wheel", 5000, 10, "/", 0},
    {"nohome", 1003, 1003, "/", -1},
    {"last", 1009, 1009, "/l", -1},
    {"last:lastg", 1009, 1009, "/l", -1},
    {"123", 123, 0, "/", 0}, /* the number, not root by that name */
    {"0:456", 0, 456, NULL, -1},
    {"4294967294", 4294967294, 0, "/", 0},
    {"0000000001", 1, 0, "/", 0},
    {"4294967295", BAD, 0, NULL, 0},
    {"4294967296", BAD, 0, NULL, 0},
    {"99999999999", BAD, 0, NULL, 0},
    {"18446744073709551616", BAD, 0, NULL, 0},
    {"0:4294967295", BAD, 0, NULL, 0},
    {"0:4294967296", BAD, 0, NULL, 0},
    {"-1", BAD, 0, NULL, 0},
    {"+1", BAD, 0, NULL, 0},
    {"+", BAD, 0, NULL, 0},
    {"-", BAD, 0, NULL, 0},
    {"0:-1", BAD, 0, NULL, 0},
    {"nosuch", BAD, 0, NULL, 0},
    {"app:nosuch", BAD, 0, NULL, 0},
    {"0x0", BAD, 0, NULL, 0},
    {"0 ", BAD, 0, NULL, 0},
    {" 0", BAD, 0, NULL, 0},
    {"app\n", BAD, 0, NULL, 0},
    {"app\x7f", BAD, 0, NULL, 0},
    {"a:b:c", BAD, 0, NULL, 0},
    {"0:0:0", BAD, 0, NULL, 0},
    {":", BAD, 0, NULL, 0},
    {"app:", BAD, 0, NULL, 0},
    {":0", BAD, 0, NULL, 0},
    {"short", BAD, 0, NULL, 0},
    {"neg", BAD, 0, NULL, 0},
    {"wrap", BAD, 0, NULL, 0},
    {"minus", BAD, 0, NULL, 0},
    {"text", BAD, 0, NULL, 0},
    {"root:x", BAD, 0, NULL, 0},
    {"app:wide", BAD, 0, NULL, 0},
    {"ROOT", BAD, 0, NULL, 0},
    {"roo", BAD, 0, NULL, 0},
    {"rootx", BAD, 0, NULL, 0},
};

static void texts(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct identity id = {0};
        const struct strs none = {0};
        const char *shown = rows[i].text ? rows[i].text : "(none)";
        int r = identity_resolve(rows[i].text, &none, passwd, group, &a, &id, NULL);

        if ((r < 0) != (rows[i].uid == BAD))
            fail_msg("%s: %d (%u:%u)", shown, r, id.uid, id.gid);
        if (r < 0)
            continue;
        if (id.uid != rows[i].uid || id.gid != rows[i].gid)
            fail_msg("%s: %u:%u", shown, id.uid, id.gid);
        if (rows[i].home && strcmp(id.home, rows[i].home) != 0)
            fail_msg("%s: home %s", shown, id.home);
        if (rows[i].groups >= 0 && (int)id.groups.n != rows[i].groups)
            fail_msg("%s: %zu groups", shown, id.groups.n);
    }
}

/* Without any files only numbers are known; --group-add takes names and numbers. */
static void files_and_groups(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct identity id;
    struct strs add = {0};

    (void)state;
    assert_int_equal(identity_resolve("0", &add, NULL, NULL, &a, &id, NULL), 0);
    assert_int_equal(id.uid, 0);
    assert_true(identity_resolve("app", &add, NULL, NULL, &a, &id, NULL) < 0);
    strs_add(&a, &add, "audio");
    strs_add(&a, &add, "777");
    assert_int_equal(identity_resolve("5000", &add, passwd, group, &a, &id, NULL), 0);
    assert_int_equal(id.groups.n, 2);
    strs_add(&a, &add, "nosuch");
    assert_true(identity_resolve("5000", &add, passwd, group, &a, &id, NULL) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(files_and_groups)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* --user and --group-add texts against passwd and group files: Docker's answers (moby/sys/user), and where they let a number mean
 * somebody else (names of digits, wrapping numbers, lines whose numbers are none; CVE-2016-3697, CVE-2024-40635), a refusal:
 *   - numbers have at most 10 digits and no sign; 2147483648 to 4294967294 are numbers here, too
 *   - a line with a broken number is no line (there: that of user 0), nor is one that begins with '#', '+' or '-'
 *   - white space around the text, and more than one ':', is refused (there: left out) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "model/user.h"

#define REFUSED NULL

enum files { USUAL, NONE, NO_GROUP, NO_PASSWD, EMPTY, NIS, CRLF, JUNK };

static const char usual_passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                                   "app:x:1000:1001:App:/home/app:/bin/sh\n"
                                   "123:x:0:0:digits:/evil:/bin/sh\n"
                                   "short:x:7\n"
                                   "nogid:x:8:\n"
                                   "nine:x:9:9\n"
                                   "neg:x:-1:0::/:\n"
                                   "wrap:x:4294967296:0::/:\n"
                                   "minus:x:4294967295:0::/:\n"
                                   "text:x:a:b::/:\n"
                                   "space:x: 5:5::/:\n"
                                   "badgid:x:6:z::/:\n"
                                   "empty:x::5::/:\n"
                                   "+::::::\n"
                                   "+nis:x:76:76::/:\n"
                                   "-nis:x:77:77::/:\n"
                                   "nohome:x:1003:1003:::\n"
                                   "app:x:0:0:second:/root:/bin/sh\n"
                                   "twice:x:2001:2001::/first:\n"
                                   "twice:x:0:0::/second:\n"
                                   "b2002:x:2002:2002::/b:\n"
                                   "other2002:x:2002:3::/c:\n"
                                   "dup:x:3001:3001:::\n"
                                   "dirty:x:4001:4001::/a\x01:\n"
                                   "relative:x:4002:4002::home:\n"
                                   "bell:x:4003:4003::/\a:\n"
                                   "long:x:4004:4004::/h:/bin/sh:more:fields\n"
                                   "\t  indented:x:4005:4005::/i:\n"
                                   "dash-er:x:4006:4006::/d:\n"
                                   "under_score:x:4007:4007::/u:\n"
                                   "dot.ted:x:4008:4008::/.:\n"
                                   "at@home:x:4009:4009::/@:\n"
                                   "back\\slash:x:4010:4010::/b:\n"
                                   "dollar$:x:4011:4011::/$:\n"
                                   "ünder:x:4012:4012::/ü:\n"
                                   "sp ace:x:4013:4013::/s:\n"
                                   "#comment:x:66:66::/:\n"
                                   "last:x:1009:1009::/l:/s";
static const char usual_group[] = "root:x:0:\n"
                                  "wheel:x:10:root,app\n"
                                  "app:x:1001:\n"
                                  "audio:x:29:app,other\n"
                                  "tail:x:30:xapp,appx\n"
                                  "456:x:0:\n"
                                  "wide:x:4294967296:app\n"
                                  "negg:x:-5:app\n"
                                  "textg:x:q:app\n"
                                  "emptyg:x::app\n"
                                  "first:x:41:\n"
                                  "first:x:42:\n"
                                  "d1:x:31:dup\n"
                                  "d2:x:32:dup,dup\n"
                                  "d3:x:31:dup\n"
                                  "  indentg:x:33:indented\n"
                                  "dash-g:x:43:\n"
                                  "#commentg:x:44:app\n"
                                  "+:::app\n"
                                  "lastg:x:1010:last";

static const struct {
    const char *passwd, *group;
} files[] = {
    [USUAL] = {usual_passwd, usual_group},
    [NONE] = {NULL, NULL},
    [NO_GROUP] = {usual_passwd, NULL},
    [NO_PASSWD] = {NULL, usual_group},
    [EMPTY] = {"", "\n\n"},
    [NIS] = {"+::::::\nroot:x:0:0::/root:\n+app:x:55:55::/:\n", "+:::\nroot:x:0:\n"},
    [CRLF] = {"root:x:0:0:root:/root:/bin/sh\r\napp:x:1000:1001::/home/app\r\nbin:x:2:2\r\n", "audio:x:29:app\r\n"},
    [JUNK] = {"junk\n\n:::\n:x:0:0::/evil:\n\x01\x02\nroot:x\napp:x:1000:1000\njunk:x:zz:1\n", "junk:x:zz:\nonly\n:x:0:app\n"},
};

static const struct {
    enum files files;
    const char *text, *add; /* add: --group-add, split at spaces */
    const char *answer;     /* "uid:gid home groups", "-" without any */
} rows[] = {
    // clang-format off
    {USUAL, NULL, NULL, "0:0 /root 10"},
    {USUAL, "", NULL, "0:0 /root 10"},
    {USUAL, "root", NULL, "0:0 /root 10"},
    {USUAL, "0", NULL, "0:0 /root 10"},
    {USUAL, "00", NULL, "0:0 /root 10"},
    {USUAL, "0000000000", NULL, "0:0 /root 10"},
    {USUAL, ":", NULL, "0:0 /root 10"},
    {USUAL, "root:", NULL, "0:0 /root 10"},
    {USUAL, "0:", NULL, "0:0 /root 10"},
    {USUAL, ":0", NULL, "0:0 /root -"},
    {USUAL, ":29", NULL, "0:29 /root -"},
    {USUAL, ":audio", NULL, "0:29 /root -"},
    {USUAL, ":4294967294", NULL, "0:4294967294 /root -"},
    {USUAL, "app", NULL, "1000:1001 /home/app 10,29"},
    {USUAL, "app:", NULL, "1000:1001 /home/app 10,29"},
    {USUAL, "1000", NULL, "1000:1001 /home/app 10,29"},
    {USUAL, "1000:", NULL, "1000:1001 /home/app 10,29"},
    {USUAL, "01000", NULL, "1000:1001 /home/app 10,29"},
    {USUAL, "app:audio", NULL, "1000:29 /home/app -"},
    {USUAL, "app:0", NULL, "1000:0 /home/app -"},
    {USUAL, "app:1001", NULL, "1000:1001 /home/app -"},
    {USUAL, "app:app", NULL, "1000:1001 /home/app -"},
    {USUAL, "1000:1000", NULL, "1000:1000 /home/app -"},
    {USUAL, "1000:audio", NULL, "1000:29 /home/app -"},
    {USUAL, "app:5000", NULL, "1000:5000 /home/app -"},
    {USUAL, "root:root", NULL, "0:0 /root -"},
    {USUAL, "root:wheel", NULL, "0:10 /root -"},
    {USUAL, "0:0", NULL, "0:0 /root -"},
    {USUAL, "0:000", NULL, "0:0 /root -"},
    {USUAL, "5000", NULL, "5000:0 / -"},
    {USUAL, "5000:", NULL, "5000:0 / -"},
    {USUAL, "5000:6000", NULL, "5000:6000 / -"},
    {USUAL, "5000:wheel", NULL, "5000:10 / -"},
    {USUAL, "5000:0", NULL, "5000:0 / -"},
    {USUAL, "1:1", NULL, "1:1 / -"},
    {USUAL, "65534", NULL, "65534:0 / -"},
    {USUAL, "65535:65535", NULL, "65535:65535 / -"},
    {USUAL, "65536", NULL, "65536:0 / -"},
    {USUAL, "nohome", NULL, "1003:1003 / -"},
    {USUAL, "1003", NULL, "1003:1003 / -"},
    {USUAL, "last", NULL, "1009:1009 /l 1010"},
    {USUAL, "last:lastg", NULL, "1009:1010 /l -"},
    {USUAL, "1009", NULL, "1009:1009 /l 1010"},
    {USUAL, "123", NULL, "123:0 / -"},
    {USUAL, "0:456", NULL, "0:456 /root -"},
    {USUAL, "456:456", NULL, "456:456 / -"},
    {USUAL, "2147483647", NULL, "2147483647:0 / -"},
    {USUAL, "2147483648", NULL, "2147483648:0 / -"},
    {USUAL, "4294967294", NULL, "4294967294:0 / -"},
    {USUAL, "4294967294:4294967294", NULL, "4294967294:4294967294 / -"},
    {USUAL, "0000000001", NULL, "1:0 / -"},
    {USUAL, "4294967295", NULL, REFUSED},
    {USUAL, "4294967296", NULL, REFUSED},
    {USUAL, "9999999999", NULL, REFUSED},
    {USUAL, "99999999999", NULL, REFUSED},
    {USUAL, "00000000000", NULL, REFUSED},
    {USUAL, "18446744073709551615", NULL, REFUSED},
    {USUAL, "18446744073709551616", NULL, REFUSED},
    {USUAL, "0:4294967295", NULL, REFUSED},
    {USUAL, "0:4294967296", NULL, REFUSED},
    {USUAL, "0:99999999999", NULL, REFUSED},
    {USUAL, ":4294967295", NULL, REFUSED},
    {USUAL, "app:18446744073709551616", NULL, REFUSED},
    {USUAL, "-1", NULL, REFUSED},
    {USUAL, "+1", NULL, REFUSED},
    {USUAL, "+", NULL, REFUSED},
    {USUAL, "-", NULL, REFUSED},
    {USUAL, "-0", NULL, REFUSED},
    {USUAL, "+0", NULL, REFUSED},
    {USUAL, "--", NULL, REFUSED},
    {USUAL, "+app", NULL, REFUSED},
    {USUAL, "-app", NULL, REFUSED},
    {USUAL, "0:-1", NULL, REFUSED},
    {USUAL, "0:+1", NULL, REFUSED},
    {USUAL, "0:-", NULL, REFUSED},
    {USUAL, "app:+", NULL, REFUSED},
    {USUAL, "nosuch", NULL, REFUSED},
    {USUAL, "app:nosuch", NULL, REFUSED},
    {USUAL, "5000:nosuch", NULL, REFUSED},
    {USUAL, "nosuch:0", NULL, REFUSED},
    {USUAL, "nosuch:", NULL, REFUSED},
    {USUAL, ":nosuch", NULL, REFUSED},
    {USUAL, "0x0", NULL, REFUSED},
    {USUAL, "0x3e8", NULL, REFUSED},
    {USUAL, "1e3", NULL, REFUSED},
    {USUAL, "0b1", NULL, REFUSED},
    {USUAL, "0o17", NULL, REFUSED},
    {USUAL, "1_000", NULL, REFUSED},
    {USUAL, "1,000", NULL, REFUSED},
    {USUAL, "1.0", NULL, REFUSED},
    {USUAL, "1000.", NULL, REFUSED},
    {USUAL, "٠", NULL, REFUSED},
    {USUAL, "１", NULL, REFUSED},
    {USUAL, "0 ", NULL, REFUSED},
    {USUAL, " 0", NULL, REFUSED},
    {USUAL, "\t0", NULL, REFUSED},
    {USUAL, "0\n", NULL, REFUSED},
    {USUAL, "0\r", NULL, REFUSED},
    {USUAL, "0\v", NULL, REFUSED},
    {USUAL, "app\n", NULL, REFUSED},
    {USUAL, "app\r", NULL, REFUSED},
    {USUAL, "app ", NULL, REFUSED},
    {USUAL, " app", NULL, REFUSED},
    {USUAL, "app\x7f", NULL, REFUSED},
    {USUAL, "app\x01", NULL, REFUSED},
    {USUAL, "ap\x1bp", NULL, REFUSED},
    {USUAL, "app:\n", NULL, REFUSED},
    {USUAL, "app: 0", NULL, REFUSED},
    {USUAL, "app:0 ", NULL, REFUSED},
    {USUAL, "app:audio\n", NULL, REFUSED},
    {USUAL, "a:b:c", NULL, REFUSED},
    {USUAL, "0:0:0", NULL, REFUSED},
    {USUAL, "0:0:", NULL, REFUSED},
    {USUAL, "app:audio:", NULL, REFUSED},
    {USUAL, "::", NULL, REFUSED},
    {USUAL, "::0", NULL, REFUSED},
    {USUAL, "app::0", NULL, REFUSED},
    {USUAL, ":0:", NULL, REFUSED},
    {USUAL, "short", NULL, "7:0 / -"},
    {USUAL, "7", NULL, "7:0 / -"},
    {USUAL, "nogid", NULL, "8:0 / -"},
    {USUAL, "nine", NULL, "9:9 / -"},
    {USUAL, "neg", NULL, REFUSED},
    {USUAL, "wrap", NULL, REFUSED},
    {USUAL, "minus", NULL, REFUSED},
    {USUAL, "text", NULL, REFUSED},
    {USUAL, "space", NULL, REFUSED},
    {USUAL, "badgid", NULL, REFUSED},
    {USUAL, "empty", NULL, REFUSED},
    {USUAL, "4294967295:0", NULL, REFUSED},
    {USUAL, "root:x", NULL, REFUSED},
    {USUAL, "app:wide", NULL, REFUSED},
    {USUAL, "app:negg", NULL, REFUSED},
    {USUAL, "app:textg", NULL, REFUSED},
    {USUAL, "app:emptyg", NULL, REFUSED},
    {USUAL, "ROOT", NULL, REFUSED},
    {USUAL, "Root", NULL, REFUSED},
    {USUAL, "roo", NULL, REFUSED},
    {USUAL, "rootx", NULL, REFUSED},
    {USUAL, "ap", NULL, REFUSED},
    {USUAL, "apps", NULL, REFUSED},
    {USUAL, "app/", NULL, REFUSED},
    {USUAL, "../root", NULL, REFUSED},
    {USUAL, "/root", NULL, REFUSED},
    {USUAL, "*", NULL, REFUSED},
    {USUAL, "?", NULL, REFUSED},
    {USUAL, "app*", NULL, REFUSED},
    {USUAL, "x", NULL, REFUSED},
    {USUAL, "App", NULL, REFUSED},
    {USUAL, "twice", NULL, "2001:2001 /first -"},
    {USUAL, "2002", NULL, "2002:2002 /b -"},
    {USUAL, "other2002", NULL, "2002:3 /c -"},
    {USUAL, "dup", NULL, "3001:3001 / 31,32"},
    {USUAL, "3001", NULL, "3001:3001 / 31,32"},
    {USUAL, "dirty", NULL, "4001:4001 / -"},
    {USUAL, "relative", NULL, "4002:4002 / -"},
    {USUAL, "bell", NULL, "4003:4003 / -"},
    {USUAL, "long", NULL, "4004:4004 /h -"},
    {USUAL, "indented", NULL, "4005:4005 /i 33"},
    {USUAL, "4005", NULL, "4005:4005 /i 33"},
    {USUAL, "dash-er", NULL, "4006:4006 /d -"},
    {USUAL, "under_score", NULL, "4007:4007 /u -"},
    {USUAL, "dot.ted", NULL, "4008:4008 /. -"},
    {USUAL, "at@home", NULL, "4009:4009 /@ -"},
    {USUAL, "back\\slash", NULL, "4010:4010 /b -"},
    {USUAL, "dollar$", NULL, "4011:4011 /$ -"},
    {USUAL, "ünder", NULL, "4012:4012 /ü -"},
    {USUAL, "sp ace", NULL, "4013:4013 /s -"},
    {USUAL, "#comment", NULL, REFUSED},
    {USUAL, "comment", NULL, REFUSED},
    {USUAL, "66", NULL, "66:0 / -"},
    {USUAL, "+nis", NULL, REFUSED},
    {USUAL, "-nis", NULL, REFUSED},
    {USUAL, "77", NULL, "77:0 / -"},
    {USUAL, "dup:first", NULL, "3001:41 / -"},
    {USUAL, "dup:41", NULL, "3001:41 / -"},
    {USUAL, "app:456x", NULL, REFUSED},
    {USUAL, "app:dash-g", NULL, "1000:43 /home/app -"},
    {USUAL, "app:tail", NULL, "1000:30 /home/app -"},
    {USUAL, "5000", "audio 777", "5000:0 / 29,777"},
    {USUAL, "5000", "777 777", "5000:0 / 777"},
    {USUAL, "5000", "audio 29", "5000:0 / 29"},
    {USUAL, "app", "audio", "1000:1001 /home/app 10,29"},
    {USUAL, "app", "1001", "1000:1001 /home/app 10,29"},
    {USUAL, "app", "5", "1000:1001 /home/app 10,29,5"},
    {USUAL, "app:audio", "wheel", "1000:29 /home/app 10"},
    {USUAL, "app:audio", "audio", "1000:29 /home/app -"},
    {USUAL, "root", "456", "0:0 /root 10,456"},
    {USUAL, "root", "0", "0:0 /root 10"},
    {USUAL, "5000", "4294967294", "5000:0 / 4294967294"},
    {USUAL, "5000", "4294967295", REFUSED},
    {USUAL, "5000", "4294967296", REFUSED},
    {USUAL, "5000", "-1", REFUSED},
    {USUAL, "5000", "+1", REFUSED},
    {USUAL, "5000", "nosuch", REFUSED},
    {USUAL, "5000", "audio nosuch", REFUSED},
    {USUAL, "5000", "wide", REFUSED},
    {USUAL, "5000", "a:b", REFUSED},
    {USUAL, "5000", "0x1d", REFUSED},
    {USUAL, "5000", "first", "5000:0 / 41"},
    {USUAL, "5000:6000", "6000", "5000:6000 / -"},
    {USUAL, "5000", "00029", "5000:0 / 29"},
    {NONE, NULL, NULL, "0:0 / -"},
    {NONE, "", NULL, "0:0 / -"},
    {NONE, "0", NULL, "0:0 / -"},
    {NONE, "0:0", NULL, "0:0 / -"},
    {NONE, "1000", NULL, "1000:0 / -"},
    {NONE, "1000:5", NULL, "1000:5 / -"},
    {NONE, ":5", NULL, "0:5 / -"},
    {NONE, ":", NULL, "0:0 / -"},
    {NONE, "root", NULL, REFUSED},
    {NONE, "app", NULL, REFUSED},
    {NONE, "0:root", NULL, REFUSED},
    {NONE, ":root", NULL, REFUSED},
    {NONE, "4294967295", NULL, REFUSED},
    {NO_GROUP, "app", NULL, "1000:1001 /home/app -"},
    {NO_GROUP, "app:0", NULL, "1000:0 /home/app -"},
    {NO_GROUP, "app:audio", NULL, REFUSED},
    {NO_GROUP, "app:", NULL, "1000:1001 /home/app -"},
    {NO_GROUP, "root", NULL, "0:0 /root -"},
    {NO_PASSWD, "app", NULL, REFUSED},
    {NO_PASSWD, "1000", NULL, "1000:0 / -"},
    {NO_PASSWD, "1000:audio", NULL, "1000:29 / -"},
    {NO_PASSWD, "0", NULL, "0:0 / -"},
    {NO_PASSWD, ":audio", NULL, "0:29 / -"},
    {NO_PASSWD, "root", NULL, REFUSED},
    {EMPTY, "0", NULL, "0:0 / -"},
    {EMPTY, "root", NULL, REFUSED},
    {EMPTY, "0:root", NULL, REFUSED},
    {EMPTY, "7:7", NULL, "7:7 / -"},
    {NIS, "0", NULL, "0:0 /root -"},
    {NIS, "root", NULL, "0:0 /root -"},
    {NIS, "+", NULL, REFUSED},
    {NIS, "+app", NULL, REFUSED},
    {NIS, "55", NULL, "55:0 / -"},
    {NIS, "app:+", NULL, REFUSED},
    {CRLF, "app", NULL, "1000:1001 /home/app 29"},
    {CRLF, "app:audio", NULL, "1000:29 /home/app -"},
    {CRLF, "root", NULL, "0:0 /root -"},
    {CRLF, "bin", NULL, "2:2 / -"},
    {JUNK, "0", NULL, "0:0 / -"},
    {JUNK, "junk", NULL, REFUSED},
    {JUNK, "app", NULL, "1000:1000 / -"},
    {JUNK, "0:junk", NULL, REFUSED},
    // clang-format on
};

static const char *answer_text(const struct identity *id, struct arena *a) {
    const char *text = arena_printf(a, "%u:%u %s ", id->uid, id->gid, id->home);

    for (size_t i = 0; i < id->groups.n; i++)
        text = arena_printf(a, "%s%s%u", text, i ? "," : "", *LIST_AT(uint32_t, &id->groups, i));
    return id->groups.n ? text : arena_printf(a, "%s-", text);
}

static void texts(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct identity id = {0};
        struct strs add = {0};
        char *rest = arena_strdup(&a, rows[i].add ? rows[i].add : "");
        const char *shown = rows[i].text ? rows[i].text : "(none)", *found;
        int r;

        for (const char *word = strtok_r(rest, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
            strs_add(&a, &add, word);
        r = identity_resolve(rows[i].text, &add, files[rows[i].files].passwd, files[rows[i].files].group, &a, &id, &e);
        found = r < 0 ? "refused" : answer_text(&id, &a);
        if (strcmp(found, rows[i].answer ? rows[i].answer : "refused") != 0)
            fail_msg("row %zu, \"%s\" + \"%s\": %s", i, shown, rows[i].add ? rows[i].add : "", found);
        assert_int_equal(r < 0, e.text != NULL);
    }
}

/* Very many lines, one very long line: looked at up to a bound, and no more. */
static void large_files(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf lines = BUF_WITH_MAX(4 << 20), line = BUF_WITH_MAX(4 << 20);
    struct identity id;

    (void)state;
    for (size_t i = 0; i < USER_ENTRIES_MAX; i++)
        buf_printf(&lines, "u%zu:x:%zu:1:::\n", i, i + 100000);
    buf_add_str(&lines, "beyond:x:7:7:::\n");
    assert_int_equal(identity_resolve("u65535", NULL, buf_text(&lines), NULL, &a, &id, NULL), 0);
    assert_int_equal(id.uid, 165535);
    assert_true(identity_resolve("beyond", NULL, buf_text(&lines), NULL, &a, &id, NULL) < 0);
    buf_add_str(&line, "g:x:5:");
    for (size_t i = 0; i < 100000; i++)
        buf_printf(&line, "m%zu,", i);
    buf_add_str(&line, "app\n");
    assert_int_equal(identity_resolve("app", NULL, usual_passwd, buf_text(&line), &a, &id, NULL), 0);
    assert_int_equal(id.groups.n, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(large_files)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

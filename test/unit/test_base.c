#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd_message.h"
#include "base/fs.h"
#include "base/json.h"

struct inner {
    const char *name;
    uint32_t uid;
};
struct outer {
    struct list users;
    struct inner main;
    struct opt_i64 limit;
    uint64_t big;
    struct map labels;
    struct strs ports;
};

static const struct json_field inner_fields[] = {
    JSON_FIELD(struct inner, name, "name", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct inner, uid, "uid", JSON_U32, JSON_OMIT),
    JSON_END,
};
static const struct json_table inner_table = JSON_TABLE("user", struct inner, inner_fields);
static const struct json_field outer_fields[] = {
    JSON_FIELD_OF(struct outer, users, "users", JSON_OBJS, 0, &inner_table),
    JSON_FIELD_OF(struct outer, main, "main", JSON_OBJ, 0, &inner_table),
    JSON_FIELD(struct outer, limit, "limit", JSON_OPT_I64, JSON_OMIT),
    JSON_FIELD(struct outer, big, "big", JSON_U64, JSON_OMIT),
    JSON_FIELD(struct outer, labels, "labels", JSON_MAP, JSON_OMIT),
    JSON_FIELD(struct outer, ports, "ports", JSON_KEYS, JSON_OMIT),
    JSON_END,
};
static const struct json_table outer_table = JSON_TABLE("document", struct outer, outer_fields);

static void json_round_trip(void **state) {
    static const char text[] = "{\"users\":[{\"name\":\"a\\\"b\",\"uid\":7}],\"main\":{\"name\":\"m\"},\"limit\":0,"
                               "\"big\":18446744073709551615,\"labels\":{\"k\":\"v \xe2\x80\xa6\"},\"ports\":{\"80/tcp\":{}}}";
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct outer o;

    (void)state;
    assert_int_equal(json_decode(&outer_table, text, strlen(text), &a, &o, NULL), 0);
    assert_true(o.limit.set);
    assert_int_equal(o.big, UINT64_MAX);
    json_encode(&outer_table, &o, 0, &out);
    assert_string_equal(buf_text(&out), text);
}

/* A list that was read can be added to: three items have room for a fourth, and what lies behind them stays as it was. */
static void json_lists_grow(void **state) {
    static const char text[] = "{\"users\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}";
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct outer o;

    (void)state;
    assert_int_equal(json_decode(&outer_table, text, strlen(text), &a, &o, NULL), 0);
    LIST_ADD(&a, struct inner, &o.users)->name = "d";
    LIST_ADD(&a, struct inner, &o.users)->name = "e";
    assert_string_equal(LIST_AT(struct inner, &o.users, 0)->name, "a");
    assert_string_equal(LIST_AT(struct inner, &o.users, 2)->name, "c");
    assert_string_equal(LIST_AT(struct inner, &o.users, 4)->name, "e");
}

static void json_errors_name_the_field(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"users\":[{\"name\":\"a\"},{\"name\":3}]}", "users[1].name: expected a string, found a number"},
        {"{\"main\":{}}", "main.name: required, but missing"},
        {"{\"main\":{\"name\":\"x\",\"uid\":4294967296}}", "main.uid: 4294967296 is out of range (largest: 4294967295)"},
        {"{\"main\":{\"name\":\"x\",\"uid\":-1}}", "main.uid: -1 is out of range (smallest: 0)"},
        {"{\"big\":18446744073709551616}", "document: the number 18446744073709551616 at byte 7 does not fit 64 bits"},
        {"{\"labels\":{\"a\":1}}", "labels.a: expected a string, found a number"},
        {"[]", "expected an object, found a list"},
        {"{\"users\":[", "document is not JSON: it ends too early"},
        {"{} {}", NULL},
        {"{\"labels\":{\"a\":\"\xe2\x80\"}}", NULL},      /* no whole character */
        {"{\"labels\":{\"a\":\"\xe2\x80\xa6\"},}", NULL}, /* beside one, all else is as strict as without */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct outer o;

        assert_true(json_decode(&outer_table, cases[i].text, strlen(cases[i].text), &a, &o, &e) < 0);
        if (cases[i].message)
            assert_string_equal(e.text, cases[i].message);
    }
}

static void durations(void **state) {
    static const struct {
        const char *text, *out;
    } cases[] = {{"1h2m3.5s", "1h2m3.5s"}, {"100ms", "100ms"},     {"90s", "1m30s"}, {"0", "0s"},
                 {"1.5h", "1h30m0s"},      {"-2us", "-2\xc2\xb5s"}};
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT;

        assert_int_equal(duration_parse(cases[i].text, &ns), 0);
        duration_format(ns, &out);
        assert_string_equal(buf_text(&out), cases[i].out);
    }
    assert_int_equal(duration_parse("5", &ns), -EINVAL);
    assert_int_equal(duration_parse("", &ns), -EINVAL);
    assert_int_equal(duration_parse("9999999999h", &ns), -ERANGE);
}

static void times(void **state) {
    struct timespec t;
    char text[TIME_TEXT_MAX];

    (void)state;
    assert_int_equal(time_parse("2026-11-24T16:23:21.5+01:00", &t), 0);
    time_format(t, text);
    assert_string_equal(text, "2026-11-24T15:23:21.5Z");
    assert_int_equal(time_parse("2026-13-24T16:23:21Z", &t), -EINVAL);
}

/* What lies ahead was written before the clock was set back: it is not of this moment. */
static void recent(void **state) {
    const int64_t decade = 315360000;
    const struct {
        int64_t ahead_s;
        bool recent;
    } cases[] = {{0, true},   {-50, true},      {50, true},      {-61, false},
                 {61, false}, {-decade, false}, {decade, false}, {INT64_MAX / 2, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct timespec t = clock_wall();

        t.tv_sec += cases[i].ahead_s;
        assert_int_equal(clock_is_recent(t, 60 * NS_PER_SEC), cases[i].recent);
    }
}

/* Every tenth day or so of the years 0001 to 9999, against the C library. */
static void dates(void **state) {
    char ours[TIME_TEXT_MAX], theirs[TIME_TEXT_MAX];

    (void)state;
    for (int64_t s = -62135596800; s < 253402300799; s += 864137) {
        time_t t = s;
        struct timespec parsed;
        struct tm tm;

        time_format((struct timespec){.tv_sec = s}, ours);
        assert_int_equal(time_parse(ours, &parsed), 0);
        assert_int_equal(parsed.tv_sec, s);
        assert_non_null(gmtime_r(&t, &tm));
        (void)strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
        if (s >= -30610224000) /* strftime writes no leading zeros before the year 1000 */
            assert_string_equal(ours, theirs);
    }
}

static int descriptors(void) {
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void descriptors_beside_a_stream(void **state) {
    int pair[2], fds[2] = {-1, -1}, before;
    char text[8];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    before = descriptors();
    assert_int_equal(fd_stream_send(pair[0], "abcd", 4, (const int[]){0, 1, 2}, 3), 0);
    assert_int_equal(fd_stream_receive(pair[1], text, 4, fds, 2), 1);
    assert_memory_equal(text, "abcd", 4);
    assert_int_equal(descriptors(), before + 2); /* the third was closed */
    assert_int_not_equal(fcntl(fds[1], F_GETFD) & FD_CLOEXEC, 0);
    fd_close(fds[0]);
    fd_close(fds[1]);
    assert_int_equal(fd_stream_send(pair[0], "ab", 2, NULL, 0), 0);
    fd_close(pair[0]);
    assert_int_equal(fd_stream_receive(pair[1], text, 4, fds, 2), -ECONNRESET);
    assert_int_equal(fd_stream_receive(pair[1], text, 4, fds, 2), 0);
    fd_close(pair[1]);
}

/* What was longer leaves no tail (CVE-2026-19730); the name is never empty. Text of others, as people are shown it. */
static void files_are_replaced_whole(void **state) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char path[] = "/tmp/tare-base-XXXXXX";
    int dir;

    (void)state;
    assert_non_null(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    assert_int_equal(fs_replace_at(dir, "f", "longer by far", 13, 0600, FS_SYNC, NULL), 0);
    assert_int_equal(fs_replace_at(dir, "f", "short", 5, 0600, FS_NO_SYNC, NULL), 0);
    assert_int_equal(fs_read_at(dir, "f", 100, &text, NULL), 0);
    assert_string_equal(buf_text(&text), "short");
    assert_int_equal(unlinkat(dir, "f", 0), 0);
    (void)close(dir);
    assert_int_equal(rmdir(path), 0); /* and no temporary file is left */
}

static void visible_text(void **state) {
    static const struct {
        const char *text, *keep, *shown;
    } rows[] = {
        {"plain, \"ü\" and 字 🦭", "", "plain, \"ü\" and 字 🦭"},
        {"a\nb\tc\rd", "", "a\\nb\\tc\\rd"},
        {"a\nb\tc\rd", "\n\t", "a\nb\tc\\rd"},
        {"\x1b[31m\x07\x7f", "\n", "\\x1b[31m\\x07\\x7f"},
        {"\xc2\x9b"
         "31m\xc2\xa0",
         "", "\\x9b31m\xc2\xa0"},
        {"\x9b\xff\xc2", "", "\\x9b\\xff\\xc2"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT;

        buf_add_visible(&out, rows[i].text, strlen(rows[i].text), rows[i].keep);
        assert_string_equal(buf_text(&out), rows[i].shown);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_round_trip),
        cmocka_unit_test(json_lists_grow),
        cmocka_unit_test(json_errors_name_the_field),
        cmocka_unit_test(durations),
        cmocka_unit_test(times),
        cmocka_unit_test(dates),
        cmocka_unit_test(recent),
        cmocka_unit_test(descriptors_beside_a_stream),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(visible_text),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

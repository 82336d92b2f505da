#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "runtime/detach_keys.h"
#include "runtime/frame.h"
#include "runtime/health.h"
#include "runtime/launch.h"
#include "runtime/life_events.h"
#include "runtime/log_format.h"
#include "runtime/log_reader.h"
#include "runtime/monitor/log_writer.h"
#include "runtime/monitor/monitor.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A directory that is gone when the test ends. */
struct scratch {
    char path[32];
    int fd;
};

static void scratch_make(struct scratch *s) {
    (void)snprintf(s->path, sizeof(s->path), "/tmp/tare-test-XXXXXX");
    assert_non_null(mkdtemp(s->path));
    s->fd = open(s->path, O_DIRECTORY | O_CLOEXEC);
    assert_true(s->fd >= 0);
}

static void scratch_remove(struct scratch *s) {
    fd_close(s->fd);
    assert_int_equal(fs_remove_tree_at(AT_FDCWD, s->path, NULL), 0);
}

static void detach_keys_grammar(void **state) {
    static const struct {
        const char *spec;
        size_t n; /* 0 with good: none */
        bool good;
        unsigned char first;
    } cases[] = {
        {NULL, 2, true, 16},    {"", 0, true, 0},        {"a", 1, true, 'a'}, {"ctrl-a,b", 2, true, 1},
        {"ctrl-@", 1, true, 0}, {"ctrl-_", 1, true, 31}, {",", 1, true, ','}, {"ctrl-A", 0, false, 0},
        {"ctrl-", 0, false, 0}, {"ab", 0, false, 0},     {"a,", 0, false, 0}, {"ctrl-1", 0, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct detach_keys d = {0};
        int r = detach_keys_parse(cases[i].spec, &d, NULL);

        assert_int_equal(r == 0, cases[i].good);
        if (cases[i].good) {
            assert_int_equal(d.n, cases[i].n);
            assert_int_equal(d.keys[0], cases[i].first);
        }
    }
}

static void detach_keys_across_reads(void **state) {
    unsigned char out[64];
    struct detach_keys d;
    size_t n;

    (void)state;
    assert_int_equal(detach_keys_parse("ctrl-p,ctrl-q", &d, NULL), 0);
    assert_false(detach_keys_filter(&d, (const unsigned char *)"ab\x10", 3, out, &n));
    assert_int_equal(n, 2); /* ctrl-p is held back */
    assert_false(detach_keys_filter(&d, (const unsigned char *)"c", 1, out, &n));
    assert_memory_equal(out,
                        "\x10"
                        "c",
                        2);
    assert_int_equal(n, 2);
    assert_false(detach_keys_filter(&d, (const unsigned char *)"\x10\x10", 2, out, &n));
    assert_int_equal(n, 1);
    assert_true(detach_keys_filter(&d, (const unsigned char *)"\x11x", 2, out, &n));
    assert_int_equal(n, 0);
}

static void frames_round_trip(void **state) {
    const uint32_t v[] = {7, UINT32_MAX};
    _cleanup_error_ struct error e = ERROR_INIT, got = ERROR_INIT;
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct frame f;
    ssize_t first;

    (void)state;
    frame_add_u32s(&b, FRAME_EXIT, v, 2);
    for (size_t n = 0; n < b.size; n++)
        assert_int_equal(frame_parse(b.data, n, &f), 0);
    first = frame_parse(b.data, b.size, &f);
    assert_int_equal(first, b.size);
    assert_int_equal(frame_u32(&f, 0, 1), 7);
    assert_int_equal(frame_u32(&f, 1, 1), UINT32_MAX);
    assert_int_equal(frame_u32(&f, 2, 99), 99); /* an older peer */
    error_set(&e, -ENOENT, "no such thing");
    error_hint(&e, "make one");
    error_status(&e, 127);
    frame_add_error(&b, -ENOENT, &e);
    assert_true(frame_parse(b.data + first, b.size - (size_t)first, &f) > 0);
    assert_int_equal(frame_error(&f, &got), -ENOENT);
    assert_string_equal(got.text, "no such thing");
    assert_string_equal(got.hint, "make one");
    assert_int_equal(got.status, 127);
    assert_int_equal(frame_parse("\1\1\0\0\0\0\0\0", 8, &f), -EPROTO);
    assert_int_equal(frame_parse("\1\0\0\0\x7f\0\0\0", 8, &f), -EPROTO);
}

static void launch_round_trip(void **state) {
    struct monitor_launch l = MONITOR_LAUNCH_INIT, got;
    _cleanup_buf_ struct buf b = BUF_INIT;

    (void)state;
    l.id = ID;
    l.name = "web";
    l.plan = "some plan";
    l.plan_size = 9;
    l.tty = true;
    l.restart = RESTART_ON_FAILURE;
    l.restart_max = 3;
    l.log.size_max = UINT64_MAX;
    l.health.interval_ns = -1;
    l.run_dirfd = 5;
    launch_encode(&l, &b);
    assert_int_equal(launch_role(b.data, b.size), LAUNCH_CONTAINER);
    assert_int_equal(launch_fd_mask(b.data, b.size), 1u << LAUNCH_FD_RUN);
    assert_int_equal(launch_decode(b.data, b.size, &got), 0);
    assert_string_equal(got.id, ID);
    assert_int_equal(got.plan_size, 9);
    assert_memory_equal(got.plan, "some plan", 9);
    assert_int_equal((uintptr_t)got.plan % 8, 0);
    assert_true(got.tty && !got.open_stdin);
    assert_int_equal(got.restart_max, 3);
    assert_true(got.log.size_max == UINT64_MAX && got.health.interval_ns == -1);
    assert_int_equal(got.run_dirfd, -1);
    for (size_t n = 0; n < b.size; n++) /* cut off anywhere: refused or whole, never beyond the end */
        (void)launch_decode(b.data, n, &got);
}

static void json_as_docker_writes_it(void **state) {
    static const struct {
        const char *data, *json;
        size_t n;
    } cases[] = {
        {"hi\n", "{\"log\":\"hi\\n\",\"stream\":\"stdout\",\"time\":\"T\"}\n", 3},
        {"\t\"\\<&>\r", "{\"log\":\"\\u0009\\\"\\\\\\u003c\\u0026\\u003e\\r\",\"stream\":\"stdout\",\"time\":\"T\"}\n", 7},
        {"\0\x1b\x7f", "{\"log\":\"\\u0000\\u001b\x7f\",\"stream\":\"stdout\",\"time\":\"T\"}\n", 3},
        {"\xff\xc3\xa4\xe2\x80\xa8", "{\"log\":\"\\ufffd\xc3\xa4\\u2028\",\"stream\":\"stdout\",\"time\":\"T\"}\n", 6},
        {"\xed\xa0\x80", "{\"log\":\"\\ufffd\\ufffd\\ufffd\",\"stream\":\"stdout\",\"time\":\"T\"}\n", 3},
        {"0123456789abcdef0123456789abcde\"",
         "{\"log\":\"0123456789abcdef0123456789abcde\\\"\",\"stream\":\"stdout\",\"time\":\"T\"}\n", 32},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char out[LOG_RECORD_ROOM(64, 0)], *end = log_json_encode(out, 1, "T", NULL, cases[i].data, cases[i].n);

        *end = '\0';
        assert_string_equal(out, cases[i].json);
    }
}

static void log_formats_round_trip(void **state) {
    static const char attrs[] = "{\"k\":\"}\\\"\"}";
    const struct timespec t = {.tv_sec = 1700000000, .tv_nsec = 123456789};
    char data[300], time_text[TIME_TEXT_MAX], out[LOG_RECORD_ROOM(sizeof(data), sizeof(attrs))], *end;
    struct log_record r;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i % 128);
    time_format(t, time_text);
    for (size_t n = 0; n <= sizeof(data); n += 7) {
        end = log_json_encode(out, 2, time_text, attrs, data, n);
        assert_int_equal(log_json_decode(out, (size_t)(end - out) - 1, &r), 0);
        assert_int_equal(r.size, n);
        assert_memory_equal(r.data, data, n);
        assert_int_equal(r.stream, 2);
        assert_true(r.time.tv_sec == t.tv_sec && r.time.tv_nsec == t.tv_nsec);
        assert_int_equal(r.attrs_size, sizeof(attrs) - 1);
        end = log_local_encode(out, 1, t, data, n);
        assert_int_equal(log_local_decode(out, (size_t)(end - out), &r), end - out);
        assert_int_equal(log_local_last(out, (size_t)(end - out)), end - out);
        assert_int_equal(log_local_decode(out, (size_t)(end - out) - 1, &r), 0);
        assert_memory_equal(r.data, data, n);
        assert_true(r.time.tv_nsec == t.tv_nsec);
    }
}

struct collected {
    struct buf text;
    size_t n;
};

static int collect(const struct log_record *r, void *arg) {
    struct collected *c = arg;

    buf_add(&c->text, r->data, r->size);
    c->n++;
    return 0;
}

static struct collected read_log(const struct scratch *s, enum log_driver driver, int64_t tail) {
    struct log_query q = LOG_QUERY_INIT;
    struct collected c = {0};

    q.driver = driver;
    q.id = ID;
    q.tail = tail;
    assert_int_equal(log_read(s->fd, &q, collect, &c, NULL), 0);
    return c;
}

static void logs_turn_over(void **state) {
    (void)state;
    for (enum log_driver driver = LOG_JSON_FILE; driver <= LOG_LOCAL; driver++) {
        const struct monitor_log_options options = {.driver = driver, .size_max = 2000, .files_max = 3};
        char line[32], name[160], old[170];
        struct log_writer *w = NULL;
        struct collected c;
        struct scratch s;
        struct stat st;

        scratch_make(&s);
        assert_int_equal(log_open(&options, s.fd, ID, "web", &w, NULL), 0);
        for (int i = 0; i < 1000; i++) {
            (void)snprintf(line, sizeof(line), "line %d\n", i);
            log_write(w, 1, line, strlen(line));
            log_flush(w);
        }
        assert_null(log_close(w));
        assert_non_null(log_file_name(driver, ID, name, sizeof(name)));
        for (int i = 0; i <= 3; i++) {
            (void)snprintf(old, sizeof(old), i ? "%s.%d" : "%s", name, i);
            assert_int_equal(fstatat(s.fd, old, &st, 0) == 0, i < 3);
            assert_true(i == 3 || st.st_size <= 2200);
        }
        c = read_log(&s, driver, -1);
        assert_true(c.n > 20 && c.n < 200); /* three files' worth, no gap at the end */
        assert_string_equal(buf_text(&c.text) + c.text.size - 9, "line 999\n");
        buf_release(&c.text);
        c = read_log(&s, driver, 2);
        assert_string_equal(buf_text(&c.text), "line 998\nline 999\n");
        buf_release(&c.text);
        c = read_log(&s, driver, 30); /* across files */
        assert_int_equal(c.n, 30);
        assert_memory_equal(buf_text(&c.text), "line 970\n", 9);
        buf_release(&c.text);
        c = read_log(&s, driver, 0);
        assert_int_equal(c.n, 0);
        scratch_remove(&s);
    }
}

/* A long line comes in parts of 16 KiB without newline; the end of the stream ends an unfinished one. */
static void long_lines_are_cut(void **state) {
    const struct monitor_log_options options = {.driver = LOG_JSON_FILE};
    struct log_writer *w = NULL;
    struct collected c;
    struct scratch s;
    char *data = malloc(40000);

    (void)state;
    assert_non_null(data);
    memset(data, 'x', 40000);
    data[39999] = '\n';
    scratch_make(&s);
    assert_int_equal(log_open(&options, s.fd, ID, "web", &w, NULL), 0);
    for (size_t i = 0; i < 40000; i += 1000)
        log_write(w, 1, data + i, 1000);
    log_write(w, 2, "no end", 6);
    log_close(w);
    c = read_log(&s, LOG_JSON_FILE, -1);
    assert_int_equal(c.n, 4); /* 16384 + 16384 + 7232, and the unfinished one */
    assert_int_equal(c.text.size, 40006);
    assert_memory_equal(c.text.data, data, 40000);
    buf_release(&c.text);
    free(data);
    scratch_remove(&s);
}

static void torn_records_are_cut_off(void **state) {
    (void)state;
    for (enum log_driver driver = LOG_JSON_FILE; driver <= LOG_LOCAL; driver++) {
        const struct monitor_log_options options = {.driver = driver};
        struct log_writer *w = NULL;
        struct collected c;
        struct scratch s;
        char name[160];
        int fd;

        scratch_make(&s);
        assert_int_equal(log_open(&options, s.fd, ID, "web", &w, NULL), 0);
        log_write(w, 1, "whole\n", 6);
        log_close(w);
        fd = openat(s.fd, log_file_name(driver, ID, name, sizeof(name)), O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(write(fd, driver == LOG_LOCAL ? "\6\0\0\0\1" : "{\"log\":\"to", 5), 5);
        fd_close(fd);
        c = read_log(&s, driver, 1); /* a reader passes over it */
        assert_string_equal(buf_text(&c.text), "whole\n");
        buf_release(&c.text);
        assert_int_equal(log_open(&options, s.fd, ID, "web", &w, NULL), 0);
        log_write(w, 1, "again\n", 6);
        log_close(w);
        c = read_log(&s, driver, -1);
        assert_string_equal(buf_text(&c.text), "whole\nagain\n");
        buf_release(&c.text);
        scratch_remove(&s);
    }
}

static void backoff_as_dockers(void **state) {
    const int64_t ms = 1000000;
    int64_t b = 0;

    (void)state;
    b = restart_backoff_ns(b, 0);
    assert_int_equal(b, 100 * ms);
    b = restart_backoff_ns(b, 0);
    assert_int_equal(b, 200 * ms);
    for (int i = 0; i < 20; i++)
        b = restart_backoff_ns(b, 9000 * ms);
    assert_int_equal(b, 60000 * ms);
    assert_int_equal(restart_backoff_ns(b, 10000 * ms), 100 * ms);
}

static void restart_policies(void **state) {
    static const struct {
        uint32_t policy, max, count;
        int code;
        bool stopped, wanted;
    } cases[] = {
        {RESTART_NO, 0, 0, 1, false, false},          {RESTART_ALWAYS, 0, 99, 0, false, true},
        {RESTART_ALWAYS, 0, 0, 0, true, false},       {RESTART_UNLESS_STOPPED, 0, 0, 0, false, true},
        {RESTART_ON_FAILURE, 0, 5, 1, false, true},   {RESTART_ON_FAILURE, 0, 0, 0, false, false},
        {RESTART_ON_FAILURE, 3, 2, 1, false, true},   {RESTART_ON_FAILURE, 3, 3, 1, false, false},
        {RESTART_ON_FAILURE, 3, 0, 137, true, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct monitor_launch l = {.restart = cases[i].policy, .restart_max = cases[i].max};
        const struct container_state s = {
            .exit_code = cases[i].code, .restart_count = cases[i].count, .stopped_by_user = cases[i].stopped};

        assert_int_equal(restart_wanted(&l, &s), cases[i].wanted);
    }
}

static void state_is_not_believed(void **state) {
    struct container_state s = {.status = STATUS_RUNNING, .pid = getpid(), .exit_code = 0}, got;
    struct scratch dir;

    (void)state;
    scratch_make(&dir);
    assert_int_equal(state_read(-1, dir.fd, &got, NULL), 0);
    assert_int_equal(got.status, STATUS_CREATED); /* no file */
    boot_id_read(s.boot_id);
    s.pid_start_ticks = process_start_ticks(s.pid);
    (void)snprintf(s.error, sizeof(s.error), "two\nlines");
    assert_int_equal(state_write(dir.fd, &s, NULL), 0);
    assert_int_equal(state_read(-1, dir.fd, &got, NULL), 0);
    assert_int_equal(got.status, STATUS_RUNNING); /* it lives, though without a monitor */
    assert_string_equal(got.error, "two lines");
    s.pid_start_ticks++; /* the number came to mean another process */
    assert_int_equal(state_write(dir.fd, &s, NULL), 0);
    assert_int_equal(state_read(-1, dir.fd, &got, NULL), 0);
    assert_int_equal(got.status, STATUS_EXITED);
    assert_true(got.exit_unknown && got.exit_code == STATE_EXIT_UNKNOWN && got.pid == 0);
    assert_int_equal(state_open_pidfd(&s), -ESRCH);
    s.pid_start_ticks--;
    s.boot_id[0] ^= 1; /* the machine was started anew */
    assert_int_equal(state_write(dir.fd, &s, NULL), 0);
    assert_int_equal(state_read(-1, dir.fd, &got, NULL), 0);
    assert_int_equal(got.status, STATUS_EXITED);
    scratch_remove(&dir);
}

static void health_keeps_the_last(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct scratch dir;
    struct list list;

    (void)state;
    scratch_make(&dir);
    assert_int_equal(health_read(dir.fd, &a, &list, NULL), 0);
    assert_int_equal(list.n, 0);
    for (int i = 0; i < 8; i++) {
        const struct health_entry entry = {.start = {1700000000 + i, 0},
                                           .end = {1700000001 + i, 5},
                                           .exit_code = i - 1,
                                           .output = "a b\n",
                                           .output_size = i ? 4 : 0};

        assert_int_equal(health_append(dir.fd, &entry, NULL), 0);
    }
    assert_int_equal(health_read(dir.fd, &a, &list, NULL), 0);
    assert_int_equal(list.n, HEALTH_ENTRIES);
    assert_int_equal(LIST_AT(struct health_entry, &list, 0)->exit_code, 2);
    assert_string_equal(LIST_AT(struct health_entry, &list, 4)->output, "a b\n");
    assert_int_equal(LIST_AT(struct health_entry, &list, 4)->start.tv_sec, 1700000007);
    scratch_remove(&dir);
}

/* ---- Events of who was killed between the state and its telling ---- */

static const char *missing(enum container_status status, const char *action, int64_t time_s, bool forgotten) {
    static char text[64];
    const struct container_state state = {.status = status, .started_at = {.tv_sec = 100}};
    struct event_last last = {.time_ns = time_s * NS_PER_SEC, .forgotten = forgotten};
    struct life_events life;
    size_t n = 0;

    (void)snprintf(last.action, sizeof(last.action), "%s", action);
    life_events_compare(&state, &last, &life);
    text[0] = '\0';
    for (const char *const *p = life.missing; *p; p++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", *p);
    return text;
}

static void what_was_not_told_follows_from_state_and_log(void **state) {
    (void)state;
    assert_string_equal(missing(STATUS_RUNNING, "start", 100, false), "");
    assert_string_equal(missing(STATUS_RUNNING, "create", 99, false), "start ");
    assert_string_equal(missing(STATUS_RUNNING, "create", 101, false), "start "); /* a clock that was set back */
    assert_string_equal(missing(STATUS_RUNNING, "die", 99, false), "start ");
    assert_string_equal(missing(STATUS_RUNNING, "die", 100, false), ""); /* of this run: the state is behind */
    assert_string_equal(missing(STATUS_RUNNING, "", 0, false), "start ");
    assert_string_equal(missing(STATUS_RUNNING, "", 0, true), ""); /* told, and dropped since */
    assert_string_equal(missing(STATUS_RUNNING, "pause", 101, false), "unpause ");
    assert_string_equal(missing(STATUS_PAUSED, "start", 101, false), "pause ");
    assert_string_equal(missing(STATUS_PAUSED, "pause", 101, false), "");
    assert_string_equal(missing(STATUS_EXITED, "start", 101, false), "die ");
    assert_string_equal(missing(STATUS_EXITED, "unpause", 101, false), "die ");
    assert_string_equal(missing(STATUS_EXITED, "die", 101, false), "");
    assert_string_equal(missing(STATUS_EXITED, "die", 99, false), "start die ");
    assert_string_equal(missing(STATUS_EXITED, "destroy", 101, false), "");
    assert_string_equal(missing(STATUS_RESTARTING, "start", 101, false), "die ");
    assert_string_equal(missing(STATUS_CREATED, "create", 99, false), "");
}

static void the_log_is_read_from_its_end(void **state) {
    struct scratch dir;
    struct event_last last;
    _cleanup_buf_ struct buf prepared = BUF_INIT;
    struct stat now;
    off_t size;

    (void)state;
    scratch_make(&dir);
    const int fd = dir.fd;
    event_last(fd, "one", &last);
    assert_string_equal(last.action, "");
    assert_false(last.forgotten);
    event_tell(fd, "container", "start", "one", "name", "x\",\"timeNano\":7}", NULL);
    event_tell(fd, "container", "exec_die", "one", NULL);
    event_tell(fd, "container", "die", "oneself", NULL);
    event_last(fd, "one", &last);
    assert_string_equal(last.action, "start");
    assert_true(last.time_ns > 1000000000LL * NS_PER_SEC);
    /* Who heals tells the end of what has begun, once. */
    event_tell(fd, "network", "connect", "net", "container", "one", NULL);
    event_prepare(&prepared, "network", "disconnect", "net", "container", "one", NULL);
    assert_int_equal(fstatat(fd, EVENT_LOG_FILE, &now, 0), 0);
    size = now.st_size;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fs_replace_at(fd, "end", prepared.data, prepared.size, 0600, FS_NO_SYNC, NULL), 0);
        event_tell_prepared(fd, fd, "end", true);
        assert_int_equal(faccessat(fd, "end", F_OK, 0), -1);
        assert_int_equal(fstatat(fd, EVENT_LOG_FILE, &now, 0), 0);
        assert_true((now.st_size > size) == (i == 0));
        size = now.st_size;
    }
    assert_int_equal(renameat(fd, EVENT_LOG_FILE, fd, EVENT_LOG_FILE ".1"), 0);
    event_tell(fd, "container", "die", "other", NULL);
    event_last(fd, "one", &last);
    assert_string_equal(last.action, "start"); /* in the file before */
    event_last(fd, "two", &last);
    assert_true(last.forgotten);
    scratch_remove(&dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detach_keys_grammar),
        cmocka_unit_test(detach_keys_across_reads),
        cmocka_unit_test(frames_round_trip),
        cmocka_unit_test(launch_round_trip),
        cmocka_unit_test(json_as_docker_writes_it),
        cmocka_unit_test(log_formats_round_trip),
        cmocka_unit_test(logs_turn_over),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(torn_records_are_cut_off),
        cmocka_unit_test(backoff_as_dockers),
        cmocka_unit_test(restart_policies),
        cmocka_unit_test(state_is_not_believed),
        cmocka_unit_test(health_keeps_the_last),
        cmocka_unit_test(what_was_not_told_follows_from_state_and_log),
        cmocka_unit_test(the_log_is_read_from_its_end),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

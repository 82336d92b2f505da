/* Messages of D-Bus, byte for byte after the specification, and what may come in instead of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "kernel/dbus.h"

static void test_alignment(void **state) {
    static const char wanted[] = "\1\0\0\0"
                                 "\2\0\0\0"
                                 "\3\0\0\0\0\0\0\0"
                                 "\2\0\0\0ab\0"
                                 "\1u\0";
    _cleanup_buf_ struct buf b = BUF_INIT;

    (void)state;
    dbus_put_byte(&b, 1);
    dbus_put_u32(&b, 2);
    dbus_put_u64(&b, 3);
    dbus_put_string(&b, "ab");
    dbus_put_signature(&b, "u");
    assert_int_equal(b.size, sizeof(wanted) - 1);
    assert_memory_equal(b.data, wanted, sizeof(wanted) - 1);
}

/* An array's length leaves out the padding before its first item, which is there without items, too. */
static void test_arrays(void **state) {
    static const char wanted[] = "\20\0\0\0\0\0\0\0"
                                 "\1\0\0\0\0\0\0\0"
                                 "\2\0\0\0\0\0\0\0"
                                 "\0\0\0\0\0\0\0\0";
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct dbus_array array;

    (void)state;
    array = dbus_array_begin(&b, 8);
    dbus_put_u64(&b, 1);
    dbus_put_u64(&b, 2);
    dbus_array_end(&b, array);
    dbus_array_end(&b, dbus_array_begin(&b, 8));
    assert_int_equal(b.size, sizeof(wanted) - 1);
    assert_memory_equal(b.data, wanted, sizeof(wanted) - 1);
}

static void make_call(struct buf *out) {
    _cleanup_buf_ struct buf body = BUF_INIT;

    dbus_put_u32(&body, 5);
    dbus_put_string(&body, "unit");
    dbus_call_marshal(
        &(struct dbus_call){
            .destination = "d.e", .path = "/a", .interface = "i.j", .member = "M", .signature = "us", .body = &body},
        7, out);
}

static void test_call(void **state) {
    static const char wanted[] = "l\1\0\1\15\0\0\0\7\0\0\0\110\0\0\0"
                                 "\1\1o\0\2\0\0\0/a\0\0\0\0\0\0"
                                 "\2\1s\0\3\0\0\0i.j\0\0\0\0\0"
                                 "\3\1s\0\1\0\0\0M\0\0\0\0\0\0\0"
                                 "\6\1s\0\3\0\0\0d.e\0\0\0\0\0"
                                 "\10\1g\0\2us\0"
                                 "\5\0\0\0\4\0\0\0unit\0";
    _cleanup_buf_ struct buf b = BUF_INIT;
    struct dbus_message m;

    (void)state;
    make_call(&b);
    assert_int_equal(b.size, sizeof(wanted) - 1);
    assert_memory_equal(b.data, wanted, sizeof(wanted) - 1);

    assert_int_equal(dbus_message_size(b.data), b.size);
    assert_int_equal(dbus_message_parse(b.data, b.size, &m), 0);
    assert_int_equal(m.type, DBUS_CALL);
    assert_string_equal(m.interface, "i.j");
    assert_string_equal(m.member, "M");
    assert_string_equal(m.signature, "us");
    assert_int_equal(dbus_get_u32(&m.body), 5);
    assert_string_equal(dbus_get_string(&m.body), "unit");
    assert_false(m.body.failed);
    assert_int_equal(dbus_get_u32(&m.body), 0); /* past the end */
    assert_true(m.body.failed);
}

/* The other byte order: a reply of 4 bytes. */
static void test_big_endian(void **state) {
    static const char reply[] = "B\2\0\1\0\0\0\4\0\0\0\1\0\0\0\17"
                                "\5\1u\0\0\0\0\11"
                                "\10\1g\0\1u\0\0"
                                "\0\0\1\2";
    struct dbus_message m;

    (void)state;
    assert_int_equal(dbus_message_parse(reply, sizeof(reply) - 1, &m), 0);
    assert_int_equal(m.type, DBUS_RETURN);
    assert_int_equal(m.reply_serial, 9);
    assert_int_equal(dbus_get_u32(&m.body), 258);
}

/* Whatever byte is another, and wherever it ends: an error or a message, and nothing beyond its end is read (sanitizers). */
static void test_damage(void **state) {
    _cleanup_buf_ struct buf b = BUF_INIT;

    (void)state;
    make_call(&b);
    for (size_t i = 0; i < b.size; i++)
        for (unsigned v = 0; v < 256; v += 51) {
            char *copy = malloc(b.size);
            struct dbus_message m;

            memcpy(copy, b.data, b.size);
            copy[i] = (char)v;
            if (dbus_message_parse(copy, b.size, &m) == 0) {
                (void)dbus_get_u32(&m.body);
                (void)dbus_get_string(&m.body);
                (void)strlen(m.member);
            }
            assert_int_equal(dbus_message_parse(copy, i, &m), -EPROTO);
            free(copy);
        }
}

static void test_sizes(void **state) {
    char header[DBUS_HEADER_SIZE] = "l\2\0\1";

    (void)state;
    assert_int_equal(dbus_message_size(header), DBUS_HEADER_SIZE);
    memset(header + 4, 0xff, 4);
    assert_int_equal(dbus_message_size(header), -EMSGSIZE);
    memset(header + 12, 0xff, 4);
    assert_int_equal(dbus_message_size(header), -EMSGSIZE);
    header[3] = 2;
    assert_int_equal(dbus_message_size(header), -EPROTO);
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_alignment), cmocka_unit_test(test_arrays),
                                              cmocka_unit_test(test_call),      cmocka_unit_test(test_big_endian),
                                              cmocka_unit_test(test_damage),    cmocka_unit_test(test_sizes)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "network/dns.h"

/* A question for "Web.net1", A, with EDNS of 1232 bytes. */
#define HEADER   "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
#define QUESTION "\x03Web\x04net1\x00\x00\x01\x00\x01"
#define OPT      "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
#define BYTES(s) ((const uint8_t *)(s)), sizeof(s) - 1

static void questions(void **state) {
    struct dns_query q;

    (void)state;
    assert_int_equal(dns_query_parse(BYTES(HEADER QUESTION OPT), &q), 0);
    assert_string_equal(q.name, "web.net1");
    assert_int_equal(q.id, 0x1234);
    assert_int_equal(q.type, DNS_A);
    assert_int_equal(q.udp_size, 1232);
    assert_int_equal(q.end, sizeof(HEADER QUESTION) - 1);
}

static void hostile_questions(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        int result;
    } bad[] = {
#define BAD(s, r) {s, sizeof(s) - 1, r}
        BAD("", -EBADMSG),
        BAD("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00", -EBADMSG),              /* no whole header */
        BAD("\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION, -EBADMSG), /* an answer: no loops of two resolvers */
        BAD("\x12\x34\x29\x00\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION, DNS_NOT_IMPLEMENTED), /* an update */
        BAD("\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" QUESTION QUESTION, DNS_MALFORMED),
        BAD("\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", DNS_MALFORMED),
        BAD("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01", DNS_MALFORMED), /* a name that is itself */
        BAD("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3f"
            "abc",
            DNS_MALFORMED),
        BAD("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x00\x00\x01", DNS_MALFORMED),
        BAD("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" QUESTION, DNS_MALFORMED), /* the option is missing */
        BAD("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" QUESTION "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\xff\xff",
            DNS_MALFORMED),
        BAD("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\xff\xff" QUESTION OPT, DNS_MALFORMED),
    };
    struct dns_query q;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(dns_query_parse((const uint8_t *)bad[i].bytes, bad[i].size, &q), bad[i].result);
}

static void longest_name(void **state) {
    uint8_t p[DNS_HEADER_SIZE + 300] = {0x12, 0x34, 1, 0, 0, 1};
    struct dns_query q;

    (void)state;
    for (size_t labels = 1; labels <= 8; labels++) {
        size_t at = DNS_HEADER_SIZE;

        for (size_t i = 0; i < labels; i++) {
            p[at] = 31;
            memset(p + at + 1, 'a', 31);
            at += 32;
        }
        p[at++] = 0;
        memcpy(p + at, "\x00\x01\x00\x01", 4);
        /* 255 bytes with the length bytes and the root: seven labels of 31 are 225, eight are 257. */
        assert_int_equal(dns_query_parse(p, at + 4, &q), labels <= 7 ? 0 : DNS_MALFORMED);
    }
}

static void reverse_names(void **state) {
    static const struct {
        const char *name, *address;
    } names[] = {
        {"2.0.24.172.in-addr.arpa", "172.24.0.2"},
        {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.6.2.6.9.7.7.f.3.e.4.8.2.b.d.f.ip6.arpa", "fdb2:84e3:f779:6263::2"},
        {"256.0.0.1.in-addr.arpa", NULL},
        {"0.0.1.in-addr.arpa", NULL},
        {"1.2.3.4.in-addr.arpa.com", NULL},
        {"2.ip6.arpa", NULL},
        {"web", NULL},
    };
    char text[IP_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct ip_address a = {0};

        assert_int_equal(dns_reverse_parse(names[i].name, &a), names[i].address != NULL);
        if (names[i].address)
            assert_string_equal(ip_format(&a, text), names[i].address);
    }
}

static void answers_and_truncation(void **state) {
    struct ip_address a = {.family = IP_V4, .bytes = {172, 24, 0, 2}};
    uint8_t out[DNS_UDP_MAX];
    struct dns_answer answer;
    struct dns_query q;
    size_t size;

    (void)state;
    assert_int_equal(dns_query_parse(BYTES(HEADER QUESTION OPT), &q), 0);
    dns_answer_begin(&answer, (const uint8_t *)HEADER QUESTION OPT, &q, out, q.udp_size);
    for (int i = 0; i < 200; i++)
        dns_answer_address(&answer, &a);
    size = dns_answer_end(&answer, DNS_OK);
    assert_true(size <= 1232);
    assert_true(answer.truncated && (out[2] & 2));
    assert_int_equal(out[6] << 8 | out[7], answer.records);
    assert_int_equal(dns_answer_check(out, size, (const uint8_t *)HEADER QUESTION OPT, &q), DNS_OK);
}

/* What is sent by somebody who guesses: another id, another question, a question instead of an answer. */
static void forged_answers(void **state) {
    static const uint8_t query[] = HEADER QUESTION OPT;
    uint8_t p[] = "\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION;
    size_t n = sizeof(p) - 1;
    struct dns_query q;

    (void)state;
    assert_int_equal(dns_query_parse(query, sizeof(query) - 1, &q), 0);
    assert_int_equal(dns_answer_check(p, n, query, &q), DNS_OK);
    p[13] = 'w';
    assert_int_equal(dns_answer_check(p, n, query, &q), DNS_OK); /* case is no difference */
    p[13] = 'x';
    assert_int_equal(dns_answer_check(p, n, query, &q), -EBADMSG);
    p[13] = 'W';
    p[1] = 0x35;
    assert_int_equal(dns_answer_check(p, n, query, &q), -EBADMSG);
    p[1] = 0x34;
    p[2] = 0x01;
    assert_int_equal(dns_answer_check(p, n, query, &q), -EBADMSG);
    p[2] = 0x81;
    for (size_t size = 0; size < n; size++)
        assert_int_equal(dns_answer_check(p, size, query, &q), -EBADMSG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions),     cmocka_unit_test(hostile_questions),      cmocka_unit_test(longest_name),
        cmocka_unit_test(reverse_names), cmocka_unit_test(answers_and_truncation), cmocka_unit_test(forged_answers),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

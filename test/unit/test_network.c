#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter.h>

#include "kernel/nft.h"
#include "model/port.h"
#include "network/files.h"
#include "network/firewall.h"
#include "network/subnet.h"

static struct ip_prefix prefix(const char *text) {
    struct ip_prefix p = {0};

    assert_int_equal(ip_prefix_parse(text, &p, NULL), 0);
    return p;
}

static struct ip_address address(const char *text) {
    struct ip_address a = {0};

    assert_int_equal(ip_parse(text, &a, NULL), 0);
    return a;
}

static void addresses(void **state) {
    static const char *const bad[] = {"",           "1.2.3",   "1.2.3.4/33", "1.2.3.4/",  "1.2.3.4/-1",
                                      "1.2.3.4/8x", "::1/129", "x/8",        "fe80::1%lo"};
    struct ip_address a = address("172.17.0.2"), b = address("fd00::ffff"), sum;
    struct ip_prefix p = prefix("10.1.2.3/12"), q = prefix("10.16.0.0/12");
    char text[IP_TEXT_MAX], mac_text[MAC_TEXT_MAX];
    uint8_t mac[MAC_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(ip_prefix_parse(bad[i], &(struct ip_prefix){0}, NULL), -EINVAL);
    assert_string_equal(ip_format(&a, text), "172.17.0.2");
    sum = ip_add(&b, 1);
    assert_string_equal(ip_format(&sum, text), "fd00::1:0");
    assert_int_equal(ip_distance(&b, &sum), 1);
    assert_true(ip_distance(&sum, &b) == UINT64_MAX);
    sum = ip_prefix_base(&p);
    assert_string_equal(ip_format(&sum, text), "10.0.0.0");
    assert_true(ip_prefix_overlaps(&p, &p));
    assert_false(ip_prefix_overlaps(&p, &q));
    assert_true(ip_prefix_size(&p) == 1 << 20);
    mac_from_ip(&a, mac);
    assert_string_equal(mac_format(mac, mac_text), "02:42:ac:11:00:02");
    assert_int_equal(mac_parse("02-42-ac-11-00-02", mac, NULL), 0);
    assert_int_equal(mac_parse("01:42:ac:11:00:02", mac, NULL), -EINVAL);
    assert_int_equal(mac_parse("02:42:ac:11:00:2", mac, NULL), -EINVAL);
    assert_int_equal(mac_parse("02:42:ac:11:00:02:", mac, NULL), -EINVAL);
}

static void port_grammar(void **state) {
    static const struct {
        const char *text;
        size_t n;
        uint16_t container, host_first, host_last;
        uint8_t protocol;
        const char *ip;
    } good[] = {
        {"80", 1, 80, 0, 0, IPPROTO_TCP, ""},
        {"8080:80", 1, 80, 8080, 8080, IPPROTO_TCP, ""},
        {"8080:53/udp", 1, 53, 8080, 8080, IPPROTO_UDP, ""},
        {"127.0.0.1:8080:80", 1, 80, 8080, 8080, IPPROTO_TCP, "127.0.0.1"},
        {"127.0.0.1::80/sctp", 1, 80, 0, 0, IPPROTO_SCTP, "127.0.0.1"},
        {"[::1]:8080:80", 1, 80, 8080, 8080, IPPROTO_TCP, "::1"},
        {"::1:8080:80", 1, 80, 8080, 8080, IPPROTO_TCP, "::1"},
        {"8000-8002:80-82", 3, 80, 8000, 8000, IPPROTO_TCP, ""},
        {"8000-9000:80", 1, 80, 8000, 9000, IPPROTO_TCP, ""},
        {"80-82/TCP", 3, 80, 0, 0, IPPROTO_TCP, ""},
    };
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "no port specified: <empty>"},
        {"8080:", "no port specified: <empty>"},
        {"x:80", "invalid hostPort: x"},
        {"80:x", "invalid containerPort: x"},
        {"0", "invalid containerPort: 0"},
        {"70000", "invalid containerPort: 70000"},
        {"80-79", "invalid containerPort: 80-79"},
        {"80/icmp", "invalid proto: icmp"},
        {"8000-8001:80-82", "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"},
        {"localhost:8080:80", "invalid IP address: localhost"},
        {":8080:80", "invalid IP address"},
        {"[::1:80", "invalid IP address"},
        {"[::1]:80", "no host port"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct list l = {0};
        char ip[IP_TEXT_MAX];
        const struct port_mapping *m;

        assert_int_equal(port_parse(good[i].text, &a, &l, NULL), 0);
        assert_int_equal(l.n, good[i].n);
        m = LIST_AT(struct port_mapping, &l, 0);
        assert_int_equal(m->container_port, good[i].container);
        assert_int_equal(m->host_first, good[i].host_first);
        assert_int_equal(m->host_last, good[i].host_last);
        assert_int_equal(m->protocol, good[i].protocol);
        assert_string_equal(ip_format(&m->host_ip, ip), good[i].ip);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct list l = {0};

        assert_int_equal(port_parse(bad[i].text, &a, &l, &e), -EINVAL);
        assert_non_null(strstr(e.text, bad[i].message));
    }
}

static void add_use(struct arena *a, struct list *uses, const char *text) {
    *LIST_ADD(a, struct subnet_use, uses) = (struct subnet_use){prefix(text), "test"};
}

static void subnets(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct list uses = {0};
    struct ip_prefix chosen;
    char text[IP_TEXT_MAX];

    (void)state;
    assert_int_equal(subnet_choose(&uses, &chosen, &e), 0);
    assert_string_equal(ip_prefix_format(&chosen, text), "172.17.0.0/16");
    add_use(&a, &uses, "172.17.5.0/24");
    add_use(&a, &uses, "172.16.0.0/14"); /* 172.16 to 172.19 */
    add_use(&a, &uses, "fd00::/8");
    assert_int_equal(subnet_choose(&uses, &chosen, &e), 0);
    assert_string_equal(ip_prefix_format(&chosen, text), "172.20.0.0/16");
    add_use(&a, &uses, "172.16.0.0/12");
    add_use(&a, &uses, "192.168.0.7/32"); /* an address, or a name server */
    assert_int_equal(subnet_choose(&uses, &chosen, &e), 0);
    assert_string_equal(ip_prefix_format(&chosen, text), "192.168.16.0/20");
    add_use(&a, &uses, "192.168.0.0/16");
    assert_int_equal(subnet_choose(&uses, &chosen, &e), 0);
    assert_string_equal(ip_prefix_format(&chosen, text), "10.192.0.0/24");
    add_use(&a, &uses, "10.0.0.0/8");
    assert_int_equal(subnet_choose(&uses, &chosen, &e), -EADDRNOTAVAIL);
    assert_non_null(strstr(e.hint, "--subnet"));
    chosen = subnet_unique_local("0123456789abcdef0123");
    assert_string_equal(ip_prefix_format(&chosen, text), "fd01:2345:6789:abcd::/64");
}

static void resolv(void **state) {
    static const char host[] = "# made by hand\nnameserver 127.0.0.53\nnameserver\t10.0.0.1 # the router\nnameserver fe80::1%eth0\n"
                               "nameserver fd00::53\nsearch old.example\nsearch a.example b.example\noptions edns0 trust-ad\n";
    static const struct {
        struct resolv_request request;
        const char *fallback, *text;
    } cases[] = {
        {{.host = host}, NULL, "nameserver 10.0.0.1\nsearch a.example b.example\noptions edns0 trust-ad\n"},
        {{.host = host, .ipv6 = true},
         NULL,
         "nameserver 10.0.0.1\nnameserver fd00::53\nsearch a.example b.example\noptions edns0 trust-ad\n"},
        {{.host = "nameserver 127.0.0.53\n"}, "nameserver 192.0.2.7\n", "nameserver 192.0.2.7\n"},
        {{.host = "nameserver 127.0.0.53\n", .host_network = true}, NULL, "nameserver 127.0.0.53\n"},
        {{.host = host, .embedded = "127.0.0.11"},
         NULL,
         "nameserver 127.0.0.11\nsearch a.example b.example\noptions edns0 trust-ad ndots:0\n"},
        {{.host = NULL}, NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT;
        bool none;

        resolv_conf_build(&cases[i].request, cases[i].fallback, &out, &none);
        assert_string_equal(buf_text(&out), cases[i].text);
        assert_int_equal(none, strstr(cases[i].text, "nameserver") == NULL);
    }
}

static void resolv_asked(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct resolv_request q = {.host = "nameserver 10.0.0.1\nsearch x.example\noptions edns0\n"};

    (void)state;
    strs_add(&a, &q.servers, "127.0.0.1"); /* what the user names is taken as it is */
    strs_add(&a, &q.search, ".");
    strs_add(&a, &q.options, "ndots:2");
    resolv_conf_build(&q, NULL, &out, NULL);
    assert_string_equal(buf_text(&out), "nameserver 127.0.0.1\noptions ndots:2\n");
}

static void hosts(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT, six = BUF_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct hosts_request q = {.hostname = "web", .domainname = "example.org"};

    (void)state;
    strs_add(&a, &q.addresses, "172.17.0.2");
    strs_add(&a, &q.extra, "db:10.0.0.5");
    strs_add(&a, &q.extra, "db6=[fd00::5]");
    strs_add(&a, &q.extra, "host:host-gateway");
    strs_add(&a, &q.host_gateway, "172.17.0.1");
    assert_int_equal(hosts_build(&q, &out, &e), 0);
    assert_string_equal(buf_text(&out),
                        "127.0.0.1\tlocalhost\n10.0.0.5\tdb\nfd00::5\tdb6\n172.17.0.1\thost\n172.17.0.2\tweb.example.org web\n");
    q.ipv6 = true;
    q.domainname = "";
    assert_int_equal(hosts_build(&q, &six, &e), 0);
    assert_non_null(strstr(buf_text(&six), "::1\tlocalhost ip6-localhost"));
    assert_non_null(strstr(buf_text(&six), "172.17.0.2\tweb\n"));
    strs_add(&a, &q.extra, "nothing");
    assert_int_equal(hosts_build(&q, &six, &e), -EINVAL);
    assert_non_null(strstr(e.text, "bad format for add-host: \"nothing\""));
    q.extra.v[3] = "a\nb:10.0.0.1"; /* would add a line of its own */
    assert_int_equal(hosts_build(&q, &six, &e), -EINVAL);
}

static void elements(void **state) {
    struct ip_address any = {0}, at = address("127.0.0.1"), target = address("172.17.0.2");
    struct nft_element element, parsed;
    char text[NFT_ELEMENT_TEXT_MAX];

    (void)state;
    firewall_port_element(IPPROTO_TCP, &any, 8080, &target, 80, &element);
    nft_element_format(&element, text);
    assert_string_equal(text, "any4 060000001f900000 ac11000200500000");
    assert_memory_equal(element.data, "\xac\x11\x00\x02\x00\x50\x00\x00", 8);
    firewall_port_element(IPPROTO_UDP, &at, 53, &target, 53, &element);
    nft_element_format(&element, text);
    assert_string_equal(text, "at4 7f0000011100000000350000 ac11000200350000");
    assert_int_equal(nft_element_parse(text, &parsed, NULL), 0);
    assert_memory_equal(&parsed, &element, sizeof(element));
    /* Without a value: of a set, and in journals of earlier versions. */
    assert_int_equal(nft_element_parse("bridge:ports 76ff", &parsed, NULL), 0);
    assert_int_equal(parsed.family, NFPROTO_BRIDGE);
    assert_string_equal(parsed.set, "ports");
    assert_int_equal(parsed.key_size, 2);
    assert_memory_equal(parsed.key, "\x76\xff", 2);
    assert_int_equal(parsed.data_size, 0);
    nft_element_format(&parsed, text);
    assert_string_equal(text, "bridge:ports 76ff");
    assert_int_equal(nft_element_parse("at4 7f00 0", &parsed, NULL), -EINVAL);
    assert_int_equal(nft_element_parse("at4 7f00 00 00", &parsed, NULL), -EINVAL);
    assert_int_equal(nft_element_parse("at4  00", &parsed, NULL), -EINVAL);
    assert_int_equal(nft_element_parse("at4 7f0", &parsed, NULL), -EINVAL);
    assert_int_equal(nft_element_parse("at4", &parsed, NULL), -EINVAL);
    assert_int_equal(nft_element_parse("at4 xx", &parsed, NULL), -EINVAL);
}

/* Every message of a batch is whole: lengths add up, attributes nest within their parents, sequence numbers count. */
static void check_attributes(const struct nlattr *a, size_t left) {
    size_t inner;

    for (; a; a = netlink_attr_next(a, &left))
        if (a->nla_type & NLA_F_NESTED) {
            const struct nlattr *first = netlink_attr_nested(a, &inner);

            if (first)
                check_attributes(first, inner);
        }
}

static void batch(void **state) {
    _cleanup_netlink_batch_ struct netlink_batch b = NETLINK_BATCH_INIT;
    struct firewall_bridge bridge = {.name = "tare0", .masquerade4 = true, .masquerade6 = true, .unprotected6 = true, .icc = true};
    uint32_t seq = 0;
    size_t at = 0;

    (void)state;
    firewall_build(&b, "tare-test", true, true);
    firewall_add_bridge(&b, "tare-test", &bridge);
    assert_false(b.buf.failed);
    while (at < b.buf.size) {
        const struct nlmsghdr *m = (const struct nlmsghdr *)(const void *)(b.buf.data + at);
        size_t left;
        const struct nlattr *first;

        assert_true(m->nlmsg_len >= sizeof(*m) && at + m->nlmsg_len <= b.buf.size);
        assert_int_equal(m->nlmsg_seq, ++seq);
        first = netlink_attr_first(m, 4, &left);
        if (first)
            check_attributes(first, left);
        at += NLMSG_ALIGN(m->nlmsg_len);
    }
    assert_int_equal(at, b.buf.size);
    assert_int_equal(seq, b.count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),    cmocka_unit_test(port_grammar), cmocka_unit_test(subnets),  cmocka_unit_test(resolv),
        cmocka_unit_test(resolv_asked), cmocka_unit_test(hosts),        cmocka_unit_test(elements), cmocka_unit_test(batch),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

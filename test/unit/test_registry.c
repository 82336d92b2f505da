/* The pure parts of the registry client: addresses, challenges, realms, retries, registries.conf, credentials, the worker's wire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/toml.h"
#include "image/credentials.h"
#include "image/fetch_wire.h"
#include "image/registry_auth.h"
#include "image/registry_config.h"

static void urls(void **state) {
    static const char *const bad[] = {
        "ftp://x/",       "file:///etc/passwd", "https://user:pw@x/", "https://x:0/",          "https://x:70000/",
        "https://x:80x/", "https:///y",         "https://a b/",       "https://x\r\nHost: y/", "https://[::1/",
        "//x/y",          "https://x@y/"};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct url u, v;

    assert_int_equal(url_parse("HTTPS://Quay.IO/v2/?x=1#f", &a, &u, NULL), 0);
    assert_true(u.https && u.port == 443);
    assert_string_equal(u.host, "quay.io");
    assert_string_equal(u.rest, "/v2/?x=1");
    assert_int_equal(url_parse("http://[::1]:5000", &a, &u, NULL), 0);
    assert_string_equal(u.host, "::1");
    assert_int_equal(u.port, 5000);
    assert_string_equal(u.rest, "/");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (url_parse(bad[i], &a, &v, NULL) != -EINVAL)
            fail_msg("%s was taken", bad[i]);

    assert_int_equal(url_parse("https://quay.io:443/a", &a, &u, NULL), 0);
    assert_int_equal(url_parse("https://QUAY.io/b", &a, &v, NULL), 0);
    assert_true(url_same_origin(&u, &v));
    assert_int_equal(url_parse("http://quay.io:443/b", &a, &v, NULL), 0);
    assert_false(url_same_origin(&u, &v));
    assert_int_equal(url_parse("https://quay.io:444/b", &a, &v, NULL), 0);
    assert_false(url_same_origin(&u, &v));
}

static void private_hosts(void **state) {
    static const char *const inside[] = {
        "localhost",   "a.localhost",     "127.0.0.1",  "127.9.9.9",  "10.1.2.3", "172.16.0.1",      "172.31.255.1",
        "192.168.1.1", "169.254.169.254", "::1",        "fe80::1",    "fd00::1",  "::ffff:10.0.0.1", "0.0.0.0",
        "127.1",       "2130706433",      "0x7f000001", "100.64.0.1", "::"};
    static const char *const outside[] = {
        "8.8.8.8", "172.32.0.1", "192.169.0.1", "2606:4700::1", "quay.io", "localhost.example.com", "100.128.0.1"};

    for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
        if (!host_is_private(inside[i]))
            fail_msg("%s is private", inside[i]);
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
        if (host_is_private(outside[i]))
            fail_msg("%s is not private", outside[i]);
}

static void challenges(void **state) {
    static const char *const bad[] = {
        "", "Digest realm=\"x\"", "Bearer realm=\"unclosed", "Bearer service=\"x\"", "Bearer ===", "\"x\"", "Negotiate"};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct challenge c;

    assert_int_equal(
        challenge_parse(
            "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:x:pull,push\","
            "error=\"invalid_token\"",
            &a, &c, NULL),
        0);
    assert_true(c.bearer);
    assert_string_equal(c.realm, "https://auth.docker.io/token");
    assert_string_equal(c.service, "registry.docker.io");
    assert_string_equal(c.scope, "repository:x:pull,push");
    assert_string_equal(c.error, "invalid_token");

    assert_int_equal(challenge_parse("basic realm=\"a \\\"b\\\"\"", &a, &c, NULL), 0);
    assert_false(c.bearer);
    assert_string_equal(c.realm, "a \"b\"");

    assert_int_equal(challenge_parse("Basic realm=x, Bearer realm = \"https://t/\" , service=s", &a, &c, NULL), 0);
    assert_true(c.bearer);
    assert_string_equal(c.realm, "https://t/");
    assert_string_equal(c.service, "s");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (challenge_parse(bad[i], &a, &c, NULL) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
}

static void realms(void **state) {
    static const struct {
        const char *registry;
        bool inside;
        const char *realm;
        int want;
    } cases[] = {
        {"https://registry-1.docker.io/", false, "https://auth.docker.io/token", 0},
        {"https://quay.io/", false, "http://quay.io/token", -EPERM},
        {"https://quay.io/", false, "https://169.254.169.254/latest/meta-data", -EPERM},
        {"https://quay.io/", false, "https://127.0.0.1/token", -EPERM},
        {"https://quay.io/", false, "https://localhost:8080/token", -EPERM},
        {"https://quay.io/", false, "https://192.168.0.1/token", -EPERM},
        {"http://localhost:5000/", true, "http://169.254.169.254/token", -EPERM},
        {"https://registry.corp/", true, "https://10.0.0.5/token", 0},
        {"http://localhost:5000/", true, "http://localhost:5001/token", 0},
        {"https://localhost:5000/", true, "http://localhost:5001/token", -EPERM},
    };
    _cleanup_arena_ struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct url registry, realm;

        assert_int_equal(url_parse(cases[i].registry, &a, &registry, NULL), 0);
        assert_int_equal(url_parse(cases[i].realm, &a, &realm, NULL), 0);
        if (realm_check(&registry, cases[i].inside, &realm, NULL) != cases[i].want)
            fail_msg("%s, realm %s", cases[i].registry, cases[i].realm);
    }
}

static void realm_queries(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct challenge c = {.bearer = true, .service = "reg x"};
    struct url realm;

    assert_int_equal(url_parse("https://t/token?k=v", &a, &realm, NULL), 0);
    assert_string_equal(realm_query(&realm, &c, "repository:a/b:pull", "me", &a),
                        "https://t/token?k=v&service=reg%20x&scope=repository%3Aa%2Fb%3Apull&account=me");
    assert_int_equal(url_parse("https://t/token", &a, &realm, NULL), 0);
    assert_string_equal(realm_query(&realm, &c, NULL, NULL, &a), "https://t/token?service=reg%20x");
    assert_string_equal(realm_query(&realm, &c, "repository:a:pull,push repository:b:pull", NULL, &a),
                        "https://t/token?service=reg%20x&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull");
}

static void redirects(void **state) {
    static const struct {
        const char *from, *to;
        int want;
    } cases[] = {
        {"https://a/", "https://b/", 0},
        {"http://a/", "https://b/", 0},
        {"http://a/", "http://b/", 0},
        {"https://a/", "http://a/", -EPERM},
        {"https://a/", "https://169.254.169.254/", -EPERM},
        {"https://a/", "https://[fe80::1]/", -EPERM},
    };
    _cleanup_arena_ struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct url from, to;

        assert_int_equal(url_parse(cases[i].from, &a, &from, NULL), 0);
        assert_int_equal(url_parse(cases[i].to, &a, &to, NULL), 0);
        assert_int_equal(redirect_check(&from, &to, NULL), cases[i].want);
    }
}

static void retries(void **state) {
    assert_in_range(retry_delay_ms(1, NULL, 0, 0), 250, 750);
    assert_in_range(retry_delay_ms(1, NULL, 0, 499), 250, 750);
    assert_in_range(retry_delay_ms(3, NULL, 0, 7), 1000, 3000);
    assert_in_range(retry_delay_ms(100, NULL, 0, UINT32_MAX), 8000, 24000);
    assert_in_range(retry_delay_ms(1, "2", 0, 0), 2000, 2200);
    assert_in_range(retry_delay_ms(1, "999999", 0, 0), 60000, 60200);
    assert_in_range(retry_delay_ms(1, "99999999999999999999", 0, 0), 60000, 60200);
    assert_in_range(retry_delay_ms(1, "Wed, 21 Oct 2015 07:28:05 GMT", 1445412480, 0), 5000, 5200);
    assert_in_range(retry_delay_ms(1, "Wed, 21 Oct 2015 07:28:05 GMT", 1545412480, 0), 0, 200);
    assert_in_range(retry_delay_ms(1, "soon", 0, 0), 250, 750);
    assert_true(status_is_transient(429) && status_is_transient(503) && !status_is_transient(501) && !status_is_transient(404));
}

static void base64(void **state) {
    static const char *const plain[] = {"", "a", "ab", "abc", "user:p\xc3\xa4ss"};
    static const char *const coded[] = {"", "YQ==", "YWI=", "YWJj", "dXNlcjpww6Rzcw=="};
    _cleanup_buf_ struct buf b = BUF_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        buf_clear(&b);
        base64_encode(plain[i], strlen(plain[i]), &b);
        assert_string_equal(buf_text(&b), coded[i]);
        buf_clear(&b);
        assert_int_equal(base64_decode(coded[i], strlen(coded[i]), &b), 0);
        assert_int_equal(b.size, strlen(plain[i]));
        assert_memory_equal(buf_text(&b), plain[i], b.size);
    }
    assert_int_equal(base64_decode("YQ", 2, &b), 0);
    assert_int_equal(base64_decode("Y", 1, &b), -EINVAL);
    assert_int_equal(base64_decode("Y!==", 4, &b), -EINVAL);
}

static void toml(void **state) {
    static const struct {
        const char *toml, *json, *error;
    } cases[] = {
        {"", "{}", NULL},
        {"a = 1\nb = \"x\\u00e9\\n\" # note\nc=[1, 2,\n 3,]\nd = true", "{\"a\":1,\"b\":\"xé\\n\",\"c\":[1,2,3],\"d\":true}", NULL},
        {"[a.\"b.c\"]\nx = 'C:\\d'\n[[l]]\nn=1\n[l.sub]\ny=2\n[[l]]\nn=2",
         "{\"a\":{\"b.c\":{\"x\":\"C:\\\\d\"}},\"l\":[{\"n\":1,\"sub\":{\"y\":2}},{\"n\":2}]}", NULL},
        {"a.b = 1_000\nc = {x = 0x1f, y = 1.5, z = 1979-05-27}",
         "{\"a\":{\"b\":1000},\"c\":{\"x\":31,\"y\":1.5,\"z\":\"1979-05-27\"}}", NULL},
        {"s = \"\"\"\none \\\n   two\"\"\"\r\nt = '''a'b'''", "{\"s\":\"one two\",\"t\":\"a'b\"}", NULL},
        {"a = 1\na = 2", NULL, "f:2: a is set twice"},
        {"a", NULL, "f:1: \"=\" expected"},
        {"a = \"x", NULL, "f:1: a string is not closed"},
        {"\n[a\n", NULL, "f:2: \"]\" expected"},
        {"a = 1 b = 2", NULL, "at the end of the line"},
        {"a = [1 2]", NULL, "\",\" or \"]\" expected"},
        {"a = 12x", NULL, "not a number"},
        {"a = 1\n[a]\n", NULL, "a is not a table"},
        {"a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", NULL, "nested too deep"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_error_ struct error e = ERROR_INIT;
        _cleanup_buf_ struct buf json = BUF_INIT;
        int r = toml_to_json(cases[i].toml, strlen(cases[i].toml), "f", &json, &e);

        if (cases[i].json) {
            if (r < 0)
                fail_msg("%s: %s", cases[i].toml, e.text);
            assert_string_equal(buf_text(&json), cases[i].json);
        } else if (r >= 0 || !strstr(e.text, cases[i].error)) {
            fail_msg("%s: %s", cases[i].toml, r < 0 ? e.text : buf_text(&json));
        }
    }
}

static const char registries[] = "unqualified-search-registries = [\"docker.io\", \"quay.io\"]\n"
                                 "[[registry]]\nprefix = \"docker.io\"\nlocation = \"docker.io\"\n"
                                 "[[registry.mirror]]\nlocation = \"mirror.local:5000\"\ninsecure = true\n"
                                 "[[registry.mirror]]\nlocation = \"by-digest.local/hub\"\npull-from-mirror = \"digest-only\"\n"
                                 "[[registry]]\nlocation = \"evil.example\"\nblocked = true\n"
                                 "[[registry]]\nprefix = \"*.corp.example\"\nlocation = \"proxy.corp:443/all\"\n"
                                 "[[registry]]\nprefix = \"quay.io/org\"\nlocation = \"other.io/copy\"\ninsecure = true\n"
                                 "[aliases]\n\"ubi\" = \"registry.access.redhat.com/ubi9\"\n";

static void check_endpoints(const struct registries_config *c, const char *repository, bool by_digest, const char *want) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list endpoints = {0};
    int r = registries_config_endpoints(c, repository, by_digest, &a, &endpoints, NULL);

    for (size_t i = 0; r >= 0 && i < endpoints.n; i++) {
        const struct registry_endpoint *ep = LIST_AT(struct registry_endpoint, &endpoints, i);

        buf_printf(&out, "%s%s/%s%s", i ? " " : "", ep->host, ep->path, ep->insecure ? "!" : "");
    }
    if (r < 0)
        buf_printf(&out, "%d", r == -EPERM ? -1 : -2);
    assert_string_equal(buf_text(&out), want);
}

static void registries_conf(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct registries_config c = {0}, none = {0};
    struct strs names;

    if (registries_config_parse(registries, sizeof registries - 1, "f", &a, &c, &e) < 0)
        fail_msg("%s", e.text);
    check_endpoints(&c, "docker.io/library/alpine", false, "mirror.local:5000/library/alpine! docker.io/library/alpine");
    check_endpoints(&c, "docker.io/library/alpine", true,
                    "mirror.local:5000/library/alpine! by-digest.local/hub/library/alpine docker.io/library/alpine");
    check_endpoints(&c, "evil.example/x", false, "-1");
    check_endpoints(&c, "a.corp.example/x/y", false, "proxy.corp:443/all/x/y");
    check_endpoints(&c, "corp.example/x", false, "corp.example/x");
    check_endpoints(&c, "quay.io/org/x", false, "other.io/copy/x!");
    check_endpoints(&c, "quay.io/organ/x", false, "quay.io/organ/x");
    check_endpoints(&none, "quay.io/x", false, "quay.io/x");

    assert_int_equal(registries_config_candidates(&c, "ubi:1", &a, &names, NULL), 0);
    assert_int_equal(names.n, 1);
    assert_string_equal(names.v[0], "registry.access.redhat.com/ubi9:1");
    assert_int_equal(registries_config_candidates(&c, "x/y", &a, &names, NULL), 0);
    assert_int_equal(names.n, 2);
    assert_string_equal(names.v[1], "quay.io/x/y");
    assert_int_equal(registries_config_candidates(&c, "localhost/y", &a, &names, NULL), 0);
    assert_string_equal(names.v[0], "localhost/y");
    assert_int_equal(registries_config_candidates(&none, "alpine", &a, &names, NULL), 0);
    assert_string_equal(names.v[0], "alpine");

    assert_int_equal(registries_config_parse("[[registry]]\nlocation=\"a b\"", 27, "f", &a, &c, &e), -EINVAL);
    assert_int_equal(registries_config_parse("[[registry]]\ninsecure=true", 26, "f", &a, &c, &e), -EINVAL);
    assert_int_equal(registries_config_parse("[[registry]]\nlocation=\"x/../y\"", 30, "f", &a, &c, &e), -EINVAL);
}

static const char auths[] =
    "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"},\"quay.io\":{\"auth\":\"YTpi\"},"
    "\"quay.io/org\":{\"username\":\"o\",\"password\":\"p:q\"},\"tok.io\":{\"auth\":\"PHRva2VuPjo=\",\"identitytoken\":\"T\"},"
    "\"helped.io\":{},\"bad.io\":{\"auth\":\"!!\"}},\"credHelpers\":{\"helped.io\":\"pass\"},\"HttpHeaders\":{\"a\":\"b\"}}";

static void check_auth(const char *repository, int want, const char *user, const char *password, const char *want_helper) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct credentials c = {0};
    const char *helper = NULL;

    assert_int_equal(credentials_parse(auths, sizeof auths - 1, repository, &a, &c, &helper, &e), want);
    if (user) {
        assert_string_equal(c.user, user);
        assert_string_equal(c.password, password);
    }
    if (want_helper)
        assert_string_equal(helper, want_helper);
    else
        assert_null(helper);
}

static void credential_files(void **state) {
    check_auth("docker.io/library/alpine", 1, "u", "p", NULL);
    check_auth("quay.io/other/x", 1, "a", "b", NULL);
    check_auth("quay.io/org/x", 1, "o", "p:q", NULL);
    check_auth("quay.io/organ/x", 1, "a", "b", NULL);
    check_auth("none.io/x", 0, NULL, NULL, NULL);
    check_auth("helped.io/x", 1, NULL, NULL, "pass");
    check_auth("bad.io/x", -EINVAL, NULL, NULL, NULL);
    check_auth("tok.io/x", 1, "<token>", "", NULL);
    assert_string_equal(credentials_key("docker.io"), "https://index.docker.io/v1/");
    assert_string_equal(credentials_key("quay.io"), "quay.io");
}

static void wire(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct fetch_request q = {.method = "GET", .url = "https://x/", .flags = FETCH_SINK, .body = {"a\0b", 3}, .size = UINT64_MAX},
                         back;
    struct fetch_reply reply = {.result = FETCH_STALLED, .status = 206, .body = {"xy", 2}, .written = 7}, reply_back;

    strs_add(&a, &q.headers, "Accept: a");
    strs_add(&a, &q.headers, "Accept: b");
    fetch_request_encode(&q, &out);
    assert_int_equal(fetch_request_decode(out.data, out.size, &a, &back), 0);
    assert_string_equal(back.url, "https://x/");
    assert_int_equal(back.headers.n, 2);
    assert_string_equal(back.headers.v[1], "Accept: b");
    assert_int_equal(back.body.n, 3);
    assert_memory_equal(back.body.p, "a\0b", 3);
    assert_true(back.size == UINT64_MAX && back.flags == FETCH_SINK && !back.proxy);
    for (size_t n = 0; n < out.size; n++) /* every truncation is refused */
        assert_int_equal(fetch_request_decode(out.data, n, &a, &back), -EBADMSG);

    buf_clear(&out);
    fetch_reply_encode(&reply, &out);
    assert_int_equal(fetch_reply_decode(out.data, out.size, &a, &reply_back), 0);
    assert_int_equal(reply_back.result, FETCH_STALLED);
    assert_int_equal(reply_back.written, 7);
    for (size_t i = 0; i < out.size; i++) { /* no flipped byte crashes it */
        out.data[i] = (char)(out.data[i] ^ 0xff);
        (void)fetch_reply_decode(out.data, out.size, &a, &reply_back);
        out.data[i] = (char)(out.data[i] ^ 0xff);
    }
    buf_clear(&out);
    reply.result = FETCH_RESULTS;
    fetch_reply_encode(&reply, &out);
    assert_int_equal(fetch_reply_decode(out.data, out.size, &a, &reply_back), -EBADMSG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(private_hosts),
        cmocka_unit_test(challenges),
        cmocka_unit_test(realms),
        cmocka_unit_test(realm_queries),
        cmocka_unit_test(redirects),
        cmocka_unit_test(retries),
        cmocka_unit_test(base64),
        cmocka_unit_test(toml),
        cmocka_unit_test(registries_conf),
        cmocka_unit_test(credential_files),
        cmocka_unit_test(wire),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

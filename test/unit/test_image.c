/* Names of images, platforms, and the documents of images: everything that needs no disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "image/change.h"
#include "image/ingest.h"
#include "model/platform.h"
#include "model/reference.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA   "sha256:" HEX64

/* --- references ------------------------------------------------------------------------------------------------------------- */

static void test_references(void **state) {
    static const struct {
        const char *text, *full, *familiar;
    } good[] = {
        {"alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        {"alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"},
        {"library/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        {"docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        {"index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        {"user/app", "docker.io/user/app:latest", "user/app:latest"},
        {"a/b/c", "docker.io/a/b/c:latest", "a/b/c:latest"},
        {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
        {"localhost/x", "localhost/x:latest", "localhost/x:latest"},
        {"localhost:5000/x@" SHA, "localhost:5000/x@" SHA, "localhost:5000/x@" SHA},
        {"quay.io/a/b:v1", "quay.io/a/b:v1", "quay.io/a/b:v1"},
        {"quay.io/a/b:v1@" SHA, "quay.io/a/b:v1@" SHA, "quay.io/a/b:v1@" SHA},
        {"alpine@" SHA, "docker.io/library/alpine@" SHA, "alpine@" SHA},
        {"127.0.0.1:5000/a", "127.0.0.1:5000/a:latest", "127.0.0.1:5000/a:latest"},
        {"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"},
        {"Host/a", "Host/a:latest", "Host/a:latest"},
        {"a.b", "docker.io/library/a.b:latest", "a.b:latest"},
        {"a__b/c-d--e", "docker.io/a__b/c-d--e:latest", "a__b/c-d--e:latest"},
        {"host.example:80/a_b:T.-_9", "host.example:80/a_b:T.-_9", "host.example:80/a_b:T.-_9"},
        {"xn--n3h.com/x", "xn--n3h.com/x:latest", "xn--n3h.com/x:latest"},
        {"test:5000/repo", "test:5000/repo:latest", "test:5000/repo:latest"},
        {"test:5000", "docker.io/library/test:5000", "test:5000"},
        {"0123456789abcdef", "docker.io/library/0123456789abcdef:latest", "0123456789abcdef:latest"},
    };
    static const char *const bad[] = {
        "",
        ":",
        "/",
        "a/",
        "/a",
        "a//b",
        "A",
        "library/Alpine",
        "a:",
        "a:b c",
        "a:-x",
        "a@",
        "a@sha256:",
        "a@sha256:12",
        "a@" SHA "0",
        "a@md5:d41d8cd98f00b204e9800998ecf8427e",
        "a@SHA256:" HEX64,
        "-a",
        "a-",
        "_a",
        "a_",
        "a.",
        ".a",
        "a..b",
        "a___b",
        "a_.b",
        "a/-b",
        HEX64,
        "host:port/a",
        "host.example:/a",
        "-host.example/a",
        "host-.example/a",
        "host..example/a",
        "[::1/a",
        "[x]/a",
        "[]/a",
        "a b",
        "a\tb",
        "a\nb",
        "../a",
        "a/..",
        "./a",
        "a/./b",
        "http://a/b",
        "a?b",
        "a%b",
        "\xc3\xa4",
        "a:\xc3\xa4",
        "a@b@c",
        "a:"
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
        "23456789",
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct reference ref, again;

        if (reference_parse(good[i].text, &a, &ref, &e) != 0)
            fail_msg("%s: %s", good[i].text, e.text);
        assert_string_equal(ref.full, good[i].full);
        assert_string_equal(reference_familiar(&ref, &a), good[i].familiar);
        /* Both forms mean the same again. */
        assert_int_equal(reference_parse(ref.full, &a, &again, NULL), 0);
        assert_string_equal(again.full, ref.full);
        assert_int_equal(reference_parse(good[i].familiar, &a, &again, NULL), 0);
        assert_string_equal(again.full, ref.full);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct reference ref;

        if (reference_parse(bad[i], &a, &ref, NULL) != -EINVAL)
            fail_msg("\"%s\" was accepted", bad[i]);
    }
}

static void test_reference_lengths(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char text[600];
    struct reference ref;

    memset(text, 'a', sizeof(text));
    text[256] = '\0';
    assert_int_equal(reference_parse(text, &a, &ref, NULL), -EINVAL); /* library/ counts */
    text[247] = '\0';
    assert_int_equal(reference_parse(text, &a, &ref, NULL), 0);
    assert_string_equal(reference_key(&ref, &a), ref.full);
    assert_int_equal(reference_parse("a:t@" SHA, &a, &ref, NULL), 0);
    assert_string_equal(reference_key(&ref, &a), "docker.io/library/a@" SHA);
    assert_string_equal(reference_familiar_repository(&ref, &a), "a");
}

static void test_digests(void **state) {
    assert_true(digest_is_sha256(SHA));
    assert_true(digest_is_valid("sha512:" HEX64 HEX64));
    assert_false(digest_is_sha256("sha512:" HEX64 HEX64));
    assert_false(digest_is_valid("sha512:" HEX64));
    assert_false(digest_is_valid("sha256:../../../../../../etc/passwd"));
    assert_false(digest_is_valid("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
    assert_false(digest_is_valid(HEX64));
    assert_false(digest_is_valid(""));
}

static void test_sha256(void **state) {
    char digest[72];
    struct sha256 h;
    static unsigned char block[10000];
    static const size_t pieces[] = {299,
                                    9973}; /* that do not fit the blocks; for long ones the processor's instructions are used */

    sha256_digest("", 0, digest);
    assert_string_equal(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_digest("abc", 3, digest);
    assert_string_equal(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memset(block, 'a', sizeof(block));
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) { /* a million "a" */
        sha256_init(&h);
        for (size_t left = 1000000; left; left -= MIN_OF(left, pieces[i]))
            sha256_add(&h, block, MIN_OF(left, pieces[i]));
        sha256_final_digest(&h, digest);
        assert_string_equal(digest, "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}

static void test_chain_id(void **state) {
    char chain[72], expected[72];
    const char *text = SHA " " SHA;

    layer_chain_id(NULL, SHA, chain);
    assert_string_equal(chain, SHA);
    layer_chain_id(chain, SHA, chain);
    sha256_digest(text, strlen(text), expected);
    assert_string_equal(chain, expected);
}

/* --- platforms -------------------------------------------------------------------------------------------------------------- */

static void test_platform_names(void **state) {
    static const char *const names[][2] = {
        {"linux/amd64", "linux/amd64"},
        {"linux/x86_64", "linux/amd64"},
        {"linux/amd64/v1", "linux/amd64"},
        {"aarch64", "linux/arm64"},
        {"linux/arm64/v8", "linux/arm64"},
        {"arm64/v9", NULL},
        {"armhf", "linux/arm/v7"},
        {"armel", "linux/arm/v6"},
        {"linux/arm", "linux/arm/v7"},
        {"linux/arm/7", "linux/arm/v7"},
        {"linux/arm/v5", "linux/arm/v5"},
        {"i386", "linux/386"},
        {"windows/amd64", "windows/amd64"},
        {"", NULL},
        {"linux/", NULL},
        {"/amd64", NULL},
        {"a/b/c/d", NULL},
        {"li nux/amd64", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct platform p;
        int r = platform_parse(names[i][0], &a, &p, NULL);

        if (strcmp(names[i][0], "arm64/v9") == 0) { /* an operating system that does not exist: taken as it is */
            assert_int_equal(r, 0);
            continue;
        }
        assert_int_equal(r, names[i][1] ? 0 : -EINVAL);
        if (r == 0)
            assert_string_equal(platform_text(&p, &a), names[i][1]);
    }
}

static void test_platform_choice(void **state) {
    static const struct {
        const char *want, *have;
        bool fits;
    } pairs[] = {
        {"linux/amd64", "linux/amd64", true},    {"linux/amd64", "linux/arm64", false},   {"linux/arm64", "linux/arm64/v8", true},
        {"linux/arm/v7", "linux/arm/v6", true},  {"linux/arm/v6", "linux/arm/v7", false}, {"linux/amd64", "linux/amd64/v3", false},
        {"linux/amd64/v3", "linux/amd64", true}, {"linux/amd64", "windows/amd64", false}, {"linux/arm64/v9", "linux/arm64", true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        struct platform want, have;

        assert_int_equal(platform_parse(pairs[i].want, &a, &want, NULL), 0);
        assert_int_equal(platform_parse(pairs[i].have, &a, &have, NULL), 0);
        if ((platform_match(&want, &have) > 0) != pairs[i].fits)
            fail_msg("%s for %s", pairs[i].have, pairs[i].want);
    }
}

static void test_index_choice(void **state) {
#define ENTRY(digit, arch, variant, more)                                                                                          \
    "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" digit                                                         \
    "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                                                              \
    "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"" variant "}" more "}"
    static const char text[] = "{\"schemaVersion\":2,\"manifests\":[" ENTRY("1", "amd64", "", "") "," ENTRY(
        "2", "arm", ",\"variant\":\"v5\"",
        "") "," ENTRY("3", "arm", ",\"variant\":\"v6\"",
                      "") "," ENTRY("4", "arm64", ",\"variant\":\"v8\"",
                                    "") "," ENTRY("5", "s390x", "",
                                                  ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}") "]}";
    static const struct {
        const char *want;
        char digit;
    } choices[] = {{"linux/amd64", '1'}, {"linux/arm/v7", '3'}, {"linux/arm/v5", '2'},
                   {"linux/arm64", '4'}, {"linux/s390x", 0},    {"linux/riscv64", 0}};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct image_index index;

    assert_int_equal(image_index_decode(text, strlen(text), &a, &index, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
        _cleanup_error_ struct error e = ERROR_INIT;
        const struct descriptor *d = NULL;
        struct platform want;
        int r;

        assert_int_equal(platform_parse(choices[i].want, &a, &want, NULL), 0);
        r = platform_choose(&index, &want, &d, &e);
        assert_int_equal(r, choices[i].digit ? 0 : -ENOENT);
        if (r == 0)
            assert_int_equal(d->digest[7], choices[i].digit);
    }
}

/* --- documents -------------------------------------------------------------------------------------------------------------- */

#define D "{\"mediaType\":\"x\",\"digest\":\"" SHA "\",\"size\":1}"
#define V "\"schemaVersion\":2"

static void test_document_kinds(void **state) {
    static const struct {
        const char *text, *type;
        int kind;
    } documents[] = {
        {"{" V ",\"manifests\":[]}", NULL, IMAGE_DOCUMENT_INDEX},
        {"{" V ",\"manifests\":[]}", MEDIA_DOCKER_LIST, IMAGE_DOCUMENT_INDEX},
        {"{" V ",\"config\":" D ",\"layers\":[]}", NULL, IMAGE_DOCUMENT_MANIFEST},
        {"{" V ",\"config\":" D ",\"layers\":[]}", MEDIA_OCI_MANIFEST, IMAGE_DOCUMENT_MANIFEST},
        {"{" V ",\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\",\"config\":" D ",\"layers\":[]}", MEDIA_DOCKER_MANIFEST,
         IMAGE_DOCUMENT_MANIFEST},
        /* CVE-2021-41190 and its kin */
        {"{" V ",\"manifests\":[],\"config\":" D ",\"layers\":[]}", NULL, -EINVAL},
        {"{" V ",\"manifests\":[],\"layers\":[]}", MEDIA_OCI_INDEX, -EINVAL},
        {"{" V ",\"manifests\":[]}", MEDIA_OCI_MANIFEST, -EINVAL},
        {"{" V ",\"config\":" D ",\"layers\":[]}", MEDIA_OCI_INDEX, -EINVAL},
        {"{" V ",\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"config\":" D ",\"layers\":[]}", NULL, -EINVAL},
        {"{" V ",\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":" D ",\"layers\":[]}", MEDIA_DOCKER_MANIFEST, -EINVAL},
        {"{" V ",\"config\":" D "}", NULL, -EINVAL},
        {"{" V "}", NULL, -EINVAL},
        {"{\"schemaVersion\":3,\"manifests\":[]}", NULL, -EINVAL},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, -EPROTONOSUPPORT},
        {"{" V ",\"manifests\":[]}", "text/html", -EINVAL},
        {"[]", NULL, -EINVAL},
        {"{", NULL, -EBADMSG},
    };

    for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
        _cleanup_error_ struct error e = ERROR_INIT;
        int r = image_document_kind(documents[i].text, strlen(documents[i].text), documents[i].type, &e);

        if (r != documents[i].kind)
            fail_msg("document %zu: %d (%s)", i, r, e.text ? e.text : "");
    }
}

static void test_manifests(void **state) {
    static const char *const bad[] = {
        "{" V ",\"config\":{\"digest\":\"sha256:../../x\",\"size\":1},\"layers\":[]}",
        "{" V ",\"config\":{\"digest\":\"" SHA "\",\"size\":-1},\"layers\":[]}",
        "{" V ",\"config\":{\"digest\":\"" SHA "\",\"size\":99999999999},\"layers\":[]}",
        "{" V ",\"config\":" D ",\"layers\":[{\"digest\":\"x\",\"size\":1}]}",
        "{" V ",\"config\":" D ",\"layers\":{}}",
        "{" V ",\"config\":" D "}",
    };
    _cleanup_buf_ struct buf many = BUF_INIT;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct image_manifest m;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(image_manifest_decode(bad[i], strlen(bad[i]), &a, &m, NULL) < 0);
    buf_add_str(&many, "{" V ",\"config\":" D ",\"layers\":[" D);
    for (size_t i = 1; i < IMAGE_LAYERS_MAX; i++)
        buf_add_str(&many, "," D);
    assert_int_equal(image_manifest_decode(buf_text(&many), 0, &a, &m, NULL), -EBADMSG);
    buf_add_str(&many, "]}");
    assert_int_equal(image_manifest_decode(buf_text(&many), many.size, &a, &m, NULL), 0);
    assert_int_equal(m.layers.n, IMAGE_LAYERS_MAX);
    many.size -= 2;
    buf_add_str(&many, "," D "]}");
    assert_int_equal(image_manifest_decode(buf_text(&many), many.size, &a, &m, NULL), -E2BIG);
}

static void test_configs(void **state) {
    static const char good[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":null,\"config\":{\"Env\":[\"A=\",\"PATH=/bin\"],\"Cmd\":null,"
        "\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":1000},\"ExposedPorts\":{\"80/tcp\":{}},\"Labels\":{\"a\":\"b\"},"
        "\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/bash\"],\"Unknown\":7},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\"]},\"history\":[{\"created_by\":\"x\",\"empty_layer\":true}]}";
    static const char *const bad[] = {
        "{\"rootfs\":{\"diff_ids\":[\"sha256:../..\"]}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Env\":[\"*\"]}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Env\":[\"=x\"]}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Env\":[\"SECRET\"]}}",
        "{}",
    };
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct image_config c;

    assert_int_equal(image_config_decode(good, strlen(good), &a, &c, NULL), 0);
    assert_string_equal(c.config.env.v[1], "PATH=/bin");
    assert_int_equal(c.config.healthcheck->interval, 1000);
    assert_string_equal(c.config.exposed_ports.v[0], "80/tcp");
    assert_string_equal(c.config.on_build.v[0], "RUN x");
    assert_string_equal(c.config.shell.v[0], "/bin/bash");
    assert_true(LIST_AT(struct image_history, &c.history, 0)->empty_layer);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(image_config_decode(bad[i], strlen(bad[i]), &a, &c, NULL) < 0);
}

static void test_media_types(void **state) {
    assert_string_equal(media_type_to_oci(MEDIA_DOCKER_LAYER_GZIP), MEDIA_OCI_LAYER_GZIP);
    assert_string_equal(media_type_to_oci(MEDIA_DOCKER_CONFIG), MEDIA_OCI_CONFIG);
    assert_string_equal(media_type_to_oci("other"), "other");
    assert_true(layer_compression_of(MEDIA_OCI_LAYER_ZSTD, NULL) >= 0);
    assert_int_equal(layer_compression_of("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", NULL), -ENOTSUP);
    assert_int_equal(layer_compression_of("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", NULL), -ENOTSUP);
}

/* --- --change ----------------------------------------------------------------------------------------------------------------- */

static void test_changes(void **state) {
    static const char *const lines[] = {
        "CMD [\"/bin/sh\", \"-c\"]",
        "ENTRYPOINT echo hello  world",
        "ENV A=b C=\"d e\" F=g\\ h",
        "env OLD a value",
        "EXPOSE 80 53/udp",
        "LABEL a=b",
        "USER 1000:1000",
        "VOLUME /data",
        "VOLUME [\"/x y\"]",
        "WORKDIR /a",
        "WORKDIR b",
        "STOPSIGNAL SIGINT",
        "ONBUILD RUN x",
        "HEALTHCHECK --interval=5s --retries=3 CMD true && false",
        "CMD=/bin/true",
    };
    static const char *const bad[] = {"RUN x",
                                      "COPY a b",
                                      "",
                                      "CMD",
                                      "ENV",
                                      "ENV A",
                                      "ENV =x",
                                      "EXPOSE x",
                                      "EXPOSE 70000",
                                      "EXPOSE 80/icmp",
                                      "ENV A=\"b",
                                      "HEALTHCHECK x",
                                      "HEALTHCHECK --interval=x CMD y",
                                      "SHELL /bin/sh",
                                      "FROM x"};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct image_defaults c = {0};

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (image_change(&c, lines[i], &a, NULL) < 0)
            fail_msg("%s", lines[i]);
    assert_int_equal(c.cmd.n, 3);
    assert_string_equal(c.cmd.v[2], "/bin/true");
    assert_string_equal(c.entrypoint.v[2], "echo hello  world");
    assert_string_equal(c.env.v[1], "C=d e");
    assert_string_equal(c.env.v[2], "F=g h");
    assert_string_equal(c.env.v[3], "OLD=a value");
    assert_string_equal(c.exposed_ports.v[0], "80/tcp");
    assert_string_equal(c.volumes.v[1], "/x y");
    assert_string_equal(c.working_dir, "/a/b");
    assert_string_equal(c.healthcheck->test.v[0], "CMD-SHELL");
    assert_int_equal(c.healthcheck->retries, 3);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (image_change(&c, bad[i], &a, NULL) != -EINVAL)
            fail_msg("\"%s\" was accepted", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),      cmocka_unit_test(test_reference_lengths), cmocka_unit_test(test_digests),
        cmocka_unit_test(test_sha256),          cmocka_unit_test(test_chain_id),          cmocka_unit_test(test_platform_names),
        cmocka_unit_test(test_platform_choice), cmocka_unit_test(test_index_choice),      cmocka_unit_test(test_document_kinds),
        cmocka_unit_test(test_manifests),       cmocka_unit_test(test_configs),           cmocka_unit_test(test_media_types),
        cmocka_unit_test(test_changes),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}

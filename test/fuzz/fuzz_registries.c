/* registries.conf (TOML) and what is asked of it; tare.conf; addresses of registries. The first byte chooses. */
#include "base/buf.h"
#include "base/toml.h"
#include "fuzz.h"
#include "image/registry_config.h"
#include "image/registry_url.h"
#include "model/config.h"

static void registries(const char *text, size_t n, struct arena *a) {
    _cleanup_buf_ struct buf json = BUF_INIT;
    struct registries_config c = {0};
    struct list endpoints = {0};
    struct strs names = {0};

    (void)toml_to_json(text, n, "f", &json, NULL);
    if (registries_config_parse(text, n, "f", a, &c, NULL) < 0)
        return;
    (void)registries_config_find(&c, "docker.io/library/alpine");
    (void)registries_config_endpoints(&c, "docker.io/library/alpine", false, a, &endpoints, NULL);
    (void)registries_config_candidates(&c, "alpine", a, &names, NULL);
}

static void address(const char *text, struct arena *a) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    const char *host;
    struct url url;
    uint16_t port;

    if (url_parse(text, a, &url, NULL) == 0)
        FUZZ_MUST(url_same_origin(&url, &url));
    if (host_split(text, a, &host, &port, NULL) == 0)
        (void)host_is_loopback(host), (void)host_is_private(host);
    url_escape(text, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct config config;
    const char *text;

    if (size < 1)
        return 0;
    text = fuzz_text(&a, data + 1, size - 1);
    switch (data[0] % 3) {
    case 0: registries(text, strlen(text), &a); break;
    case 1: address(text, &a); break;
    case 2:
        config_init(&a, &config);
        (void)config_parse("f", text, strlen(text), &a, &config, NULL);
        break;
    }
    return 0;
}

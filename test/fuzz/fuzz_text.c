/* The small grammars: addresses, sizes, durations, times, platforms. The first byte chooses. */
#include "base/clock.h"
#include "fuzz.h"
#include "model/ip.h"
#include "model/platform.h"
#include "model/units.h"

static void addresses(const char *text) {
    char out[IP_TEXT_MAX];
    struct ip_address once, twice;
    struct ip_prefix prefix;
    uint8_t mac[MAC_SIZE];

    if (ip_parse(text, &once, NULL) == 0) {
        FUZZ_MUST(ip_parse(ip_format(&once, out), &twice, NULL) == 0);
        FUZZ_MUST(ip_is_equal(&once, &twice));
    }
    if (ip_prefix_parse(text, &prefix, NULL) == 0)
        FUZZ_MUST(ip_prefix_parse(ip_prefix_format(&prefix, (char[IP_TEXT_MAX]){0}), &prefix, NULL) == 0);
    (void)mac_parse(text, mac, NULL);
}

static void durations(const char *text) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    int64_t once, twice;

    if (duration_parse(text, &once) < 0)
        return;
    duration_format(once, &out);
    FUZZ_MUST(duration_parse(buf_text(&out), &twice) == 0);
    FUZZ_MUST(once == twice);
}

static void times(const char *text) {
    char out[TIME_TEXT_MAX];
    struct timespec once, twice;

    if (time_parse(text, &once) < 0)
        return;
    time_format(once, out);
    if (time_parse(out, &twice) == 0)
        FUZZ_MUST(once.tv_sec == twice.tv_sec && once.tv_nsec == twice.tv_nsec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct platform platform;
    const char *text;
    int64_t n;
    bool yes;

    if (size < 1)
        return 0;
    text = fuzz_text(&a, data + 1, size - 1);
    switch (data[0] % 5) {
    case 0: addresses(text); break;
    case 1: durations(text); break;
    case 2: times(text); break;
    case 3:
        if (platform_parse(text, &a, &platform, NULL) == 0)
            FUZZ_MUST(platform_text(&platform, &a));
        break;
    case 4:
        (void)size_parse(text, &n, NULL);
        (void)nano_parse(text, &n, NULL);
        (void)bool_parse(text, &yes);
        break;
    }
    return 0;
}

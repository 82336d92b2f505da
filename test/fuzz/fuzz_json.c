/* The documents of the standards, by their field tables. The first byte chooses the document. What was decoded can be encoded, and
 * that decodes again; from the second time on to the same text. */
#include "base/json.h"
#include "fuzz.h"
#include "model/image_spec.h"
#include "model/network.h"
#include "model/oci_spec.h"

union document {
    struct oci_spec spec;
    struct image_manifest manifest;
    struct image_index index;
    struct image_config config;
};

static void decode_whole(uint8_t which, const char *text, size_t n, struct arena *a) {
    _cleanup_error_ struct error e = ERROR_INIT;
    union document d;
    int r = 0;

    switch (which % 4) {
    case 0: r = oci_spec_decode(text, n, a, &d.spec, &e); break;
    case 1: r = image_manifest_decode(text, n, a, &d.manifest, &e); break;
    case 2: r = image_index_decode(text, n, a, &d.index, &e); break;
    case 3: r = image_config_decode(text, n, a, &d.config, &e); break;
    }
    FUZZ_MUST(r <= 0);
    FUZZ_MUST((r == 0) == (e.text == NULL));
}

static void round_trip(const struct json_table *table, const char *text, size_t n, struct arena *a) {
    _cleanup_buf_ struct buf once = BUF_INIT, twice = BUF_INIT, thrice = BUF_INIT;
    void *object = arena_alloc(a, table->size);

    if (json_decode(table, text, n, a, object, NULL) < 0)
        return;
    json_encode(table, object, 0, &once);
    FUZZ_MUST(json_decode(table, once.data, once.size, a, object, NULL) == 0);
    json_encode(table, object, 0, &twice); /* bytes that were no UTF-8 are now U+FFFD, no longer its escape */
    FUZZ_MUST(json_decode(table, twice.data, twice.size, a, object, NULL) == 0);
    json_encode(table, object, 0, &thrice);
    FUZZ_MUST(twice.size == thrice.size && memcmp(twice.data, thrice.data, twice.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct json_table *const tables[] = {&oci_spec_table, &oci_process_table, &oci_resources_table, &oci_seccomp_table,
                                                      &network_table};
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *text;

    if (size < 1)
        return 0;
    text = fuzz_text(&a, data + 1, size - 1);
    if (data[0] & 1)
        decode_whole(data[0] >> 1, text, size - 1, &a);
    else
        round_trip(tables[(data[0] >> 1) % ARRAY_SIZE(tables)], text, size - 1, &a);
    return 0;
}

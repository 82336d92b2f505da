/* Names of images. What a user is shown names the same image when he types it. */
#include "fuzz.h"
#include "model/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct reference once, twice;
    const char *text = fuzz_text(&a, data, size);

    (void)digest_is_valid(text);
    if (reference_parse(text, &a, &once, &e) < 0) {
        FUZZ_MUST(e.text);
        return 0;
    }
    FUZZ_MUST(reference_parse(reference_key(&once, &a), &a, &twice, NULL) == 0);
    FUZZ_MUST(strcmp(reference_key(&once, &a), reference_key(&twice, &a)) == 0);
    FUZZ_MUST(reference_parse(reference_familiar(&once, &a), &a, &twice, NULL) == 0);
    FUZZ_MUST(strcmp(reference_key(&once, &a), reference_key(&twice, &a)) == 0);
    return 0;
}

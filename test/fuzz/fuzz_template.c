/* Templates of --format, carried out over a document like those that commands print. */
#include "base/buf.h"
#include "base/template.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char document[] =
        "{\"ID\":\"abc\",\"Names\":[\"web\",\"db\"],\"N\":-3,\"State\":{\"Status\":\"running\",\"Pid\":7,\"OOM\":false},"
        "\"Labels\":{\"a.b\":\"c\"},\"None\":null,\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]}}";
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_WITH_MAX(1 << 20);
    struct template *t = NULL;

    if (template_parse(fuzz_text(&a, data, size), &t, NULL) < 0)
        return 0;
    (void)template_execute(t, document, sizeof(document) - 1, &out, NULL);
    template_free(t);
    return 0;
}

/* Docker's create request, published ports, users with their passwd and group files, log records. The first byte chooses. */
#include "fuzz.h"
#include "model/container.h"
#include "model/port.h"
#include "model/user.h"
#include "runtime/log_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct create_request request;
    struct log_record record;
    struct list ports = {0};
    struct strs groups = {0};
    struct identity identity;
    const char *text;

    if (size < 1)
        return 0;
    text = fuzz_text(&a, data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        if (create_request_decode(text, size - 1, &a, &request, NULL) == 0)
            (void)create_request_check(&request, NULL);
        break;
    case 1: (void)port_parse(text, &a, &ports, NULL); break;
    case 2: /* the user, a NUL, then the two files, which are the image's */
        (void)identity_resolve(text, &groups, text + strlen(text), text, &a, &identity, NULL);
        (void)identity_resolve("root", &groups, text, text, &a, &identity, NULL);
        break;
    case 3: (void)log_json_decode((char *)text, size - 1, &record); break;
    }
    return 0;
}

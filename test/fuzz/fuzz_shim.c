/* What containerd sends: ttrpc's frames, their messages, and the options of a container. */
#include "fuzz.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"
#include "shim/ttrpc.h"

static void payload(const char *p, size_t n) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const Pb__Options *options;
    Pb__CreateRequest *create = pb__create_request__unpack(NULL, n, (const uint8_t *)p);
    Pb__Any any = PB__ANY__INIT;

    if (create && create->options)
        (void)options_read(create->options, &a, &options, NULL);
    if (create)
        pb__create_request__free_unpacked(create, NULL);
    any.type_url = (char[]){"containerd.runc.v1.Options"};
    any.value = (ProtobufCBinaryData){n, (uint8_t *)p};
    (void)options_read(&any, &a, &options, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_buf_ struct buf in = BUF_INIT;
    struct ttrpc_frame f;

    buf_add(&in, data, size);
    while (ttrpc_take_frame(&in, &f) > 0) {
        Pb__Request *request;

        FUZZ_MUST(f.size <= in.size && f.data >= in.data && f.data + f.size <= in.data + in.size);
        request = pb__request__unpack(NULL, f.size, (const uint8_t *)f.data);
        if (request) {
            payload((const char *)request->payload.data, request->payload.len);
            pb__request__free_unpacked(request, NULL);
        }
        ttrpc_drop_frame(&in, &f);
    }
    return 0;
}
